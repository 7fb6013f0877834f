//! Runs the scripts in `scripts/`: data in, text out. A line that begins with `>` is a command, the indented lines
//! under it are what it brought about; see `script` for the words.
use super::script::Player;

/// Plays a script; the same script with what came out.
fn play(text: &str) -> String {
    let mut player = Player::new();
    let mut out = String::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            out += line;
            out.push('\n');
            for line in player.play(command) {
                out += &format!("  {line}\n");
            }
        } else if !line.starts_with("  ") {
            out += line;
            out.push('\n');
        }
    }
    player.end();
    out
}

fn check(name: &str) {
    let path = format!(
        "{}/src/tests/scripts/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let script = std::fs::read_to_string(&path).unwrap();
    let played = play(&script);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &played).unwrap();
        return;
    }
    for (at, (wanted, found)) in script.lines().zip(played.lines()).enumerate() {
        let line = at + 1;
        assert_eq!(
            wanted, found,
            "{name}.txt:{line}; run again with UPDATE_EXPECT=1 if this is right"
        );
    }
    assert_eq!(
        script, played,
        "{name}.txt; run again with UPDATE_EXPECT=1 if this is right"
    );
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() { check(stringify!($name)); }
    )*};
}

scripts! {
    agents allocation approvals budgets concurrency conflicts deadlocks extensions fairness graph groups halts instances locks memory permits plans policies rates rules sagas settings tools txns versions
}
