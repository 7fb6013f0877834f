//! The page about transactions says what happens.
use crate::transactions::{BOTH, Banks, connect, prepare};
use fleet_tests::Server;

/// The page about transactions says what happens: its files are written, its commands are typed.
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/transactions.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut banks = Banks::open(Server::dev());
    let files = tempfile::tempdir().unwrap();
    let de = "id: de\nto: { postgres: { url: { file: de } } }\n";
    std::fs::write(files.path().join("de.yaml"), de).unwrap();
    let mut compared = 0;
    for block in page.split("```").skip(1).step_by(2) {
        if let Some(yaml) = block.strip_prefix("yaml\n") {
            match yaml.lines().next() {
                Some("kind: saga") => {
                    banks.server = Server::dev();
                    std::fs::write(files.path().join("trip.yaml"), yaml).unwrap();
                }
                Some("id: eu") => {
                    std::fs::write(files.path().join("eu.yaml"), yaml).unwrap();
                }
                Some("id: us") => {
                    std::fs::write(files.path().join("us.yaml"), yaml).unwrap();
                }
                _ => {}
            }
        } else if let Some(sql) = block.strip_prefix("sql\nCREATE") {
            for bank in BOTH {
                let (client, _) = connect(&banks.url(bank)).await;
                client.batch_execute(&format!("CREATE{sql}")).await.unwrap();
            }
        } else if block.starts_with("sql\n") {
            for (bank, cents) in [("eu", -100), ("us", 100)] {
                let view = banks
                    .server
                    .client()
                    .txn("t6".parse().unwrap(), None)
                    .await
                    .unwrap();
                let mut branches = view.branches.into_iter();
                let gid = branches
                    .find(|it| it.branch.as_str() == bank)
                    .unwrap()
                    .gid
                    .unwrap();
                assert!(block.contains(&format!(":t6:{bank}'")) || bank == "us");
                prepare(&banks.url(bank), 1, cents, &gid).await.unwrap();
            }
        } else if let Some(lines) = block.strip_prefix("console\n") {
            compared += type_in(&banks.server, files.path(), lines);
        }
    }
    assert!(compared > 26, "{compared}");
    assert_eq!(
        (banks.cents("eu").await, banks.cents("us").await),
        (900, 1_100)
    );
}

/// Types what follows each `$ fleet`, and looks for each line below it; … stands for anything.
fn type_in(server: &Server, files: &std::path::Path, lines: &str) -> usize {
    let (mut said, mut compared) = (String::new(), 0);
    for line in lines.lines() {
        if let Some(command) = line.strip_prefix("$ fleet ") {
            let mut words = Vec::new();
            for (at, part) in command.split('"').enumerate() {
                match at % 2 {
                    0 => words.extend(part.split_whitespace().map(str::to_owned)),
                    _ => words.push(part.to_owned()),
                }
            }
            for word in &mut words {
                if word.ends_with(".yaml") {
                    *word = files.join(&*word).display().to_string();
                }
            }
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let output = server.fleet(&words);
            said = format!("{}{}", output.stdout, output.stderr);
            continue;
        }
        let fits = |said: &str| {
            let mut rest = said;
            line.split('…')
                .all(|part| match rest.split_once(part.trim_end()) {
                    Some((_, after)) => {
                        rest = after;
                        true
                    }
                    None => false,
                })
        };
        assert!(
            said.lines().any(fits),
            "{line:?} was not said in\n{lines}\nbut\n{said}"
        );
        compared += 1;
    }
    compared
}
