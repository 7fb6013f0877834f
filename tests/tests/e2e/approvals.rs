//! Approvals: what the page about them says is typed, and people answer with keys of their own.
use crate::rules::{set, words};
use fleet_tests::{Server, binary, fleet_at};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

/// Lines of one command that may wait to be read.
const LINES_MAX: usize = 1_024;
/// How long a command that waits may take to say something.
const WITHIN: Duration = Duration::from_secs(20);

/// A command that goes on; what it says, on both streams.
struct Waiting {
    child: Child,
    said: Receiver<String>,
    heard: Vec<String>,
}

impl Waiting {
    fn start(server: &Server, arguments: &[&str]) -> Waiting {
        let mut child = Command::new(binary())
            .args(arguments)
            .args(["--server", &server.url])
            .env("NO_COLOR", "1")
            .envs(server.key.as_ref().map(|key| ("FLEET_KEY", key)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = mpsc::sync_channel(LINES_MAX);
        listen(child.stdout.take().unwrap(), sender.clone());
        listen(child.stderr.take().unwrap(), sender);
        Waiting {
            child,
            said,
            heard: Vec::new(),
        }
    }

    /// Whether it says such a line, sooner or later.
    fn says(&mut self, is_it: impl Fn(&str) -> bool) -> bool {
        let until = Instant::now() + WITHIN;
        while !self.heard.iter().any(|line| is_it(line)) {
            let left = until.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) => self.heard.push(line),
                Err(_) => return false,
            }
        }
        true
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(source: impl Read + Send + 'static, sender: SyncSender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
}

/// The page about approvals says what happens: each of its rules is set on a new server, and what stands below it is typed.
#[test]
fn the_examples_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/approvals.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut typist: Option<Typist> = None;
    let (mut rules, mut compared) = (0, 0);
    let mut blocks = page.split("```");
    blocks.next();
    while let Some(block) = blocks.next() {
        blocks.next(); // The prose.
        if let Some(rule) = block.strip_prefix("yaml\n") {
            let server = Server::dev();
            let (code, said) = set(&server, rule);
            assert_eq!(code, 0, "{rule}{said}");
            typist = Some(Typist {
                waiting: None,
                server,
            });
            rules += 1;
        } else if let Some(lines) = block.strip_prefix("console\n") {
            let typist = typist.as_mut().expect("a rule comes first");
            compared += typist.type_in(lines);
        }
    }
    assert!(
        rules >= 5 && compared >= 25,
        "{rules} rules, {compared} lines"
    );
}

struct Typist {
    waiting: Option<Waiting>,
    server: Server,
}

impl Typist {
    /// Types what follows each `$ fleet`, and compares what it or the command that waits says; a line that ends in … is
    /// compared up to there. How many lines were.
    fn type_in(&mut self, lines: &str) -> usize {
        let mut said = String::new();
        let mut compared = 0;
        for line in lines.lines() {
            if let Some(command) = line.strip_prefix("$ fleet ") {
                said.clear();
                if let Some(command) = command.strip_suffix(" &") {
                    self.waiting = Some(Waiting::start(&self.server, &words(command)));
                } else {
                    let output = self.server.fleet(&words(command));
                    said = format!("{}\n{}", output.stdout, output.stderr);
                }
                continue;
            }
            let is_it = |found: &str| match line.strip_suffix('…') {
                Some(start) => found.starts_with(start.trim_end()),
                None => found.trim_end() == line,
            };
            let is_there =
                said.lines().any(is_it) || self.waiting.as_mut().is_some_and(|it| it.says(is_it));
            let heard = self.waiting.as_ref().map(|it| it.heard.join("\n"));
            let heard = heard.unwrap_or_default();
            assert!(
                is_there,
                "{line:?} was not said in\n{lines}\nbut\n{said}\nand\n{heard}"
            );
            compared += 1;
        }
        compared
    }
}

#[test]
fn people_answer_with_keys_and_a_restart_forgets_nothing() {
    let mut server = Server::with_keys();
    let issue = |role: &str| {
        let line = ["keys", "issue", "--role", role, "-o", "json"];
        let issued = server.fleet(&line).json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&issued["key"]["id"]), text(&issued["token"]))
    };
    let (boss, boss_key) = issue("agent");
    let (_, operator) = issue("operator");
    let rule = json!({
        "id": "big", "when": {"action": "pay"},
        "form": {"approval": {"assignees": [{"user": boss}], "deadline_ms": 600_000}},
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("big.json");
    std::fs::write(&file, rule.to_string()).unwrap();
    server
        .fleet(&["rules", "set", "-f", file.to_str().unwrap()])
        .ok();
    server
        .fleet(&["agents", "register", "ann", "--allow-action", "pay"])
        .ok();
    server.fleet(&["approvals", "list"]).ok();
    let ask = [
        "permits", "request", "pay", "--agent", "ann", "--wait", "5m",
    ];
    let mut waiting = Waiting::start(&server, &ask);
    assert!(
        waiting.says(|line| line.contains("waits for approval")),
        "{:?}",
        waiting.heard
    );
    let mine = ["approvals", "list", "--mine", "-o", "name"];
    let approval = fleet_at(&server.url, Some(&boss_key), &mine).ok();
    assert_eq!(fleet_at(&server.url, Some(&operator), &mine).ok(), "");
    let approve = [
        "approvals",
        "approve",
        &approval,
        "--comment",
        "it is right",
    ];
    fleet_at(&server.url, Some(&operator), &approve).failed(4, "not_an_assignee");

    // What is open is open after the server was killed, and who answers then is heard.
    server.kill();
    server.start_again();
    let open = || server.fleet(&["status", "-o", "json"]).json()["approvals_open"].clone();
    assert_eq!(open(), 1);
    fleet_at(&server.url, Some(&boss_key), &approve).ok();
    assert_eq!(open(), 0);
    fleet_at(&server.url, Some(&boss_key), &approve).failed(5, "approval_closed");
    let permits = ["permits", "list", "--state", "granted", "-o", "json"];
    let granted = server.fleet(&permits).json();
    assert_eq!(granted.as_array().unwrap().len(), 1, "{granted}");
    let events = server.fleet(&["events", "--types", "approval.*"]).ok();
    for said in ["approval.asked", "it is right", "approved by answers"] {
        assert!(events.contains(said), "{said:?} is not in\n{events}");
    }
}
