//! Servers as processes, and commands that go on.
use crate::command::{Output, bare, fleet_at};
use fleet_client::{Fleet, Http};
use fleet_types::FleetId;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How long a server may take to listen; a debug build on a busy machine is slow.
const START_WITHIN: Duration = Duration::from_secs(30);

/// A server. Dropped, it is killed and its directory is removed.
pub struct Server {
    /// Such as `http://127.0.0.1:40123`.
    pub url: String,
    /// The key of an admin, where it asks for keys.
    pub key: Option<String>,
    dir: TempDir,
    child: Child,
    environment: Vec<(String, String)>,
}

impl Server {
    /// `fleet dev` on a free port.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn dev() -> Server {
        let dir = TempDir::with_prefix("fleet-tests-").expect("a directory for the test");
        let (child, url) = start("dev", "127.0.0.1:0", &data(&dir));
        Server {
            url,
            key: None,
            dir,
            child,
            environment: Vec::new(),
        }
    }

    /// `fleet keys bootstrap`, then `fleet serve` on a free port.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with_keys() -> Server {
        let dir = TempDir::with_prefix("fleet-tests-").expect("a directory for the test");
        let data = data(&dir);
        let key = crate::fleet(&["keys", "bootstrap", "--data-dir", text(&data)]).ok();
        Server::with_keys_in(dir, key)
    }

    /// `fleet serve` on a free port, on what `data` in this directory holds; this is the key of an admin.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with_keys_in(dir: TempDir, key: String) -> Server {
        let (child, url) = start("serve", "127.0.0.1:0", &data(&dir));
        Server {
            url,
            key: Some(key),
            dir,
            child,
            environment: Vec::new(),
        }
    }

    /// Keeps a credential for its default tenant: connectors name it as a file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn keep_secret(&self, name: &str, secret: &str) {
        let dir = self.data_dir().join("secrets/default");
        std::fs::create_dir_all(&dir).expect("a directory for secrets");
        std::fs::write(dir.join(name), secret).expect("a secret can be written");
    }

    /// Where everything is kept.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        data(&self.dir)
    }

    /// Ends it without any notice (SIGKILL).
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Ends it in order (SIGTERM).
    ///
    /// # Panics
    /// When the system refuses.
    pub fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(sent.expect("there is a program `kill`").success());
        self.child.wait().expect("a stopped child ends");
    }

    /// From its next start on, it has this in its environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it again on the same port and directory.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let what = if self.key.is_some() { "serve" } else { "dev" };
        let address = self.url.trim_start_matches("http://").to_owned();
        let (child, _) = start_with(what, &address, &self.data_dir(), &self.environment);
        self.child = child;
    }

    /// The command line at this server, with its admin's key where it has one.
    pub fn fleet(&self, arguments: &[&str]) -> Output {
        fleet_at(&self.url, self.key.as_deref(), arguments)
    }

    /// A client of its main fleet.
    ///
    /// # Panics
    /// Never: the address is one.
    #[must_use]
    pub fn client(&self) -> Fleet {
        let http = Http::new(&self.url, self.key.as_deref()).expect("the server's own address");
        http.fleet(FleetId::parse("main").expect("it is a name"))
    }

    /// A command that goes on until it is dropped.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn follow(&self, arguments: &[&str]) -> Follower {
        let mut command = bare();
        command.env("FLEET_SERVER", &self.url).args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can be started");
        let lines = lines_of(child.stdout.take().expect("its output is piped"));
        Follower { child, lines }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that goes on; its lines as they come.
pub struct Follower {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Follower {
    /// The next line, if it comes in time.
    #[must_use]
    pub fn line(&self, within: Duration) -> Option<String> {
        self.lines.recv_timeout(within).ok()
    }

    /// Sends it a signal, such as `TERM`.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("there is a program `kill`").success());
    }

    /// Waits for its end; the exit code, where it had one.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn code(&mut self) -> Option<i32> {
        self.child.wait().expect("a child ends").code()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn data(dir: &TempDir) -> PathBuf {
    dir.path().join("data")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path of a test is plain")
}

fn start(what: &str, listen: &str, data: &Path) -> (Child, String) {
    start_with(what, listen, data, &[])
}

fn start_with(
    what: &str,
    listen: &str,
    data: &Path,
    environment: &[(String, String)],
) -> (Child, String) {
    let environment = environment.iter().map(|(name, value)| (name, value));
    let mut child = bare()
        .envs(environment)
        .args([what, "--listen", listen, "--data-dir", text(data)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let lines = lines_of(child.stdout.take().expect("its output is piped"));
    let words = lines_of(child.stderr.take().expect("its words are piped"));
    match lines.recv_timeout(START_WITHIN) {
        Ok(url) => (child, url),
        Err(_) => {
            let _ = child.kill();
            let words: Vec<String> = words.iter().collect();
            panic!("fleet {what} did not start: {}", words.join("\n"));
        }
    }
}

/// Reads lines on a thread of its own, to the end.
fn lines_of(source: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    // As many lines as a test can cause; past it the reader waits, and so does the program.
    let (sender, lines) = mpsc::sync_channel(100_000);
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            // Nobody may be reading any more; the source must still be emptied.
            let _ = sender.send(line);
        }
    });
    lines
}
