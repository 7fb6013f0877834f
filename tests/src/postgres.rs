//! Real PostgreSQL servers: on ports of their own, in directories of their own, stopped by their own process.
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to start; after a kill it replays its log first.
const START_WITHIN: Duration = Duration::from_secs(60);

/// A database server. Dropped, it is killed and its directory is removed.
pub struct Postgres {
    dir: TempDir,
    port: u16,
    child: Option<Child>,
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// A new server, which lets whoever is on this machine in, and allows so many prepared transactions.
    ///
    /// # Panics
    /// When PostgreSQL is not installed (`scripts/setup.sh test` installs it), or does not start.
    #[must_use]
    pub fn start(prepared_max: u32) -> Postgres {
        let dir = TempDir::with_prefix("fleet-postgres-").expect("a directory for the test");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        drop(listener);
        let mut postgres = Postgres {
            dir,
            port,
            child: None,
            user: unprivileged(),
        };
        if let Some((user, group)) = postgres.user {
            std::os::unix::fs::chown(postgres.dir.path(), Some(user), Some(group))
                .expect("the directory can be given away");
        }
        let made = postgres
            .command("initdb")
            .args([
                "--auth=trust",
                "--username=bank",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .arg("--pgdata")
            .arg(postgres.data())
            .stdout(Stdio::null())
            .status();
        assert!(
            made.expect("initdb can be started").success(),
            "initdb failed"
        );
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nmax_prepared_transactions = {prepared_max}\n\
             unix_socket_directories = ''\nmax_connections = 200\nlog_min_messages = fatal\n"
        );
        let file = postgres.data().join("postgresql.auto.conf");
        std::fs::write(file, settings).expect("the settings can be written");
        postgres.start_again();
        postgres
    }

    /// How to reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://bank@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().join(program));
        // A server is not run by root.
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.current_dir(self.dir.path());
        command
    }

    /// Ends it without any notice (SIGKILL), its connections too.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // Its own children notice at once that it is gone, and end.
        child.kill().expect("a child can be killed");
        child.wait().expect("a killed child ends");
    }

    /// Starts it again on the same port and directory.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let begun = Instant::now();
        loop {
            if self.child.is_none() {
                let child = self
                    .command("postgres")
                    .arg("-D")
                    .arg(self.data())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn();
                self.child = Some(child.expect("postgres can be started"));
            }
            let ready = self
                .command("pg_isready")
                .args(["--quiet", "--host=127.0.0.1", "--port"])
                .arg(self.port.to_string())
                .status();
            if ready.expect("pg_isready can be started").success() {
                return;
            }
            assert!(begun.elapsed() < START_WITHIN, "PostgreSQL did not start");
            // What is left of the one that was killed may keep a new one from starting for a moment.
            let ended = self.child.as_mut().map(Child::try_wait);
            if let Some(Ok(Some(_))) = ended {
                self.child = None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // At once, but with its shared memory given back.
            let id = child.id().to_string();
            let _ = Command::new("kill").args(["-s", "QUIT", &id]).status();
            let _ = child.wait();
        }
    }
}

/// Where its programs lie: Debian keeps each version in a directory of its own, beside the path.
fn programs() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<PathBuf> = debian
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|path| path.join("initdb").exists())
        .collect();
    versions.sort();
    let found = versions.pop().or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).find(|path| path.join("initdb").exists())
    });
    found.expect("PostgreSQL is not installed: scripts/setup.sh test installs it")
}

/// Who runs it, where the test itself is run by root.
fn unprivileged() -> Option<(u32, u32)> {
    let own = std::fs::metadata("/proc/self").ok()?;
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let id = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.starts_with(&format!("{name}:")))?;
        let mut words = line.split(':').skip(2);
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    id("postgres").or_else(|| id("nobody"))
}
