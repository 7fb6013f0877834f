//! A server of somebody else's, started to run beside us.
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;

/// Stopped when dropped, by its own process id.
pub struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Peer {
    /// Starts it, with `dir` as the last word of its line, and waits until it listens; `None` where it is not installed.
    pub async fn start(program: &str, line: &[&str], dir: &Path, addr: SocketAddr) -> Option<Peer> {
        std::fs::create_dir_all(dir).ok()?;
        let child = Command::new(program)
            .args(line)
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let peer = Peer(child.ok()?);
        for _ in 0..200 {
            if TcpStream::connect(addr).await.is_ok() {
                return Some(peer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }
}

/// An address on loopback that nobody listens on.
pub fn free_port() -> Option<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
    listener.local_addr().ok()
}
