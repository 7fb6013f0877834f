//! Real PostgreSQL servers: on ports of their own, in directories of their own, stopped by their own process.
//!
//! The demonstration moves money between two of them, and the project's tests use the same ones.
use std::io::{Error, ErrorKind, Result};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start; after a kill it replays its log first.
const START_WITHIN: Duration = Duration::from_secs(60);
/// What it is called where Debian's packages are listed.
pub const DEBIAN_PACKAGE: &str = "postgresql";

/// A database server. Dropped, it is killed and its directory is removed.
#[derive(Debug)]
pub struct Postgres {
    dir: PathBuf,
    port: u16,
    child: Option<Child>,
    user: Option<(u32, u32)>,
    programs: PathBuf,
}

impl Postgres {
    /// A new server, which lets whoever is on this machine in, and allows so many prepared transactions.
    ///
    /// # Errors
    /// `NotFound` when PostgreSQL is not installed; anything else when it does not start.
    pub fn start(prepared_max: u32) -> Result<Postgres> {
        let programs = programs().ok_or(ErrorKind::NotFound)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        // The port makes the name: no two servers of this machine share it.
        let dir =
            std::env::temp_dir().join(format!("fleet-postgres-{}-{port}", std::process::id()));
        std::fs::create_dir(&dir)?;
        let mut postgres = Postgres {
            dir,
            port,
            child: None,
            user: unprivileged(),
            programs,
        };
        if let Some((user, group)) = postgres.user {
            std::os::unix::fs::chown(&postgres.dir, Some(user), Some(group))?;
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
            .status()?;
        if !made.success() {
            return Err(Error::other(format!("initdb failed: {made}")));
        }
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nmax_prepared_transactions = {prepared_max}\n\
             unix_socket_directories = ''\nmax_connections = 200\nlog_min_messages = fatal\n"
        );
        std::fs::write(postgres.data().join("postgresql.auto.conf"), settings)?;
        postgres.start_again()?;
        Ok(postgres)
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
        self.dir.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // A server is not run by root.
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
            .current_dir(&self.dir)
            // Ctrl-C is for whoever started it, who ends it in order.
            .process_group(0);
        command
    }

    /// Ends it without any notice (SIGKILL), its connections too.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        // Its own children notice at once that it is gone, and end.
        child.kill()?;
        child.wait().map(drop)
    }

    /// Starts it again on the same port and directory.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if self.child.is_none() {
                let child = self
                    .command("postgres")
                    .arg("-D")
                    .arg(self.data())
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()?;
                self.child = Some(child);
            }
            let ready = self
                .command("pg_isready")
                .args(["--quiet", "--host=127.0.0.1", "--port"])
                .arg(self.port.to_string())
                .status()?;
            if ready.success() {
                return Ok(());
            }
            if begun.elapsed() > START_WITHIN {
                return Err(Error::new(
                    ErrorKind::TimedOut,
                    "PostgreSQL did not start in time",
                ));
            }
            // What is left of the one that was killed may keep a new one from starting for a moment.
            if let Some(Ok(Some(_))) = self.child.as_mut().map(Child::try_wait) {
                self.child = None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end();
    }
}

impl Postgres {
    /// Stops it at once and removes its directory.
    pub fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            // At once, but with its shared memory given back.
            let id = child.id().to_string();
            let _ = Command::new("kill").args(["-s", "QUIT", &id]).status();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Where its programs lie: Debian keeps each version in a directory of its own, beside the path.
fn programs() -> Option<PathBuf> {
    let has_it = |path: &Path| path.join("initdb").exists();
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<PathBuf> = debian
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|path| has_it(path))
        .collect();
    versions.sort();
    versions.pop().or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).find(|path| has_it(path))
    })
}

/// Who runs it, where whoever starts it is root.
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
