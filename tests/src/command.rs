//! The command line, run to its end.
use crate::binary::binary;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a command said, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// Words for people.
    pub stderr: String,
}

impl Output {
    /// Standard output, of a command that must succeed.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout.trim_end().to_owned()
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Checks the exit code, and that these words were said.
    ///
    /// # Panics
    /// When they were not.
    #[track_caller]
    pub fn failed(&self, code: i32, words: &str) {
        let said = format!("{}{}", self.stdout, self.stderr);
        assert_eq!(self.code, code, "{said}");
        assert!(said.contains(words), "{words:?} was not said: {said}");
    }
}

/// Runs `fleet` with these arguments, in a bare environment, with nobody at standard input.
///
/// # Panics
/// When it cannot be started.
pub fn fleet(arguments: &[&str]) -> Output {
    run(bare().args(arguments))
}

/// As [`fleet`], at this server and with this key.
///
/// # Panics
/// When it cannot be started.
pub fn fleet_at(server: &str, key: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = bare();
    command.env("FLEET_SERVER", server).args(arguments);
    if let Some(key) = key {
        command.env("FLEET_KEY", key);
    }
    run(&mut command)
}

/// As [`fleet_at`], from this directory and without a key.
///
/// # Panics
/// When it cannot be started.
pub fn fleet_in(dir: &Path, server: &str, arguments: &[&str]) -> Output {
    let mut command = bare();
    command.env("FLEET_SERVER", server).current_dir(dir);
    run(command.args(arguments))
}

/// The program, without what the environment says of servers and keys.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(binary());
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FLEET_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program can be started");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
