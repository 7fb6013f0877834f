//! With keys, or open to whoever sits at this machine.
//!
//! Open is for trying things out. It is bound to a loopback address, and as every page in a browser can reach loopback
//! too, a request must name a loopback host (against DNS rebinding) and must not come from a foreign page (against
//! cross-site requests).
use crate::problem::{Problem, Result};
use axum::http::{HeaderMap, Uri, header};
use fleet_types::Code;
use std::net::{IpAddr, SocketAddr};

/// How callers prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Keys,
    Open,
}

/// Open on an address that others can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLoopback(pub SocketAddr);

impl std::fmt::Display for NotLoopback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} can be reached from other machines: without keys, listen on 127.0.0.1 or [::1] only",
            self.0
        )
    }
}

impl std::error::Error for NotLoopback {}

impl Mode {
    /// Every request brings a key.
    #[must_use]
    pub const fn keys() -> Mode {
        Mode(Kind::Keys)
    }

    /// No keys: whoever reaches this address is the admin of tenant `default`.
    ///
    /// # Errors
    /// When the address is not loopback.
    pub fn open(address: SocketAddr) -> std::result::Result<Mode, NotLoopback> {
        if address.ip().is_loopback() {
            Ok(Mode(Kind::Open))
        } else {
            Err(NotLoopback(address))
        }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.0 == Kind::Open
    }

    /// Refuses what a foreign web page may have sent, when open.
    ///
    /// # Errors
    /// When the host or the origin is not loopback.
    pub fn check_browser(self, headers: &HeaderMap, uri: &Uri) -> Result<()> {
        if self.0 == Kind::Keys {
            return Ok(());
        }
        let host = match headers.get(header::HOST) {
            Some(host) => host.to_str().unwrap_or(""),
            // HTTP/2 has the host in the address.
            None => uri.authority().map_or("", |authority| authority.as_str()),
        };
        if !is_loopback_host(host) {
            return Err(Problem::new(
                Code::Forbidden,
                format!(
                    "host {host:?} is not this machine; without keys, use localhost or 127.0.0.1"
                ),
            ));
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or("");
        let local = origin
            .split_once("://")
            .is_some_and(|(_, host)| is_loopback_host(host));
        if local {
            return Ok(());
        }
        Err(Problem::new(
            Code::Forbidden,
            format!(
                "a page of {origin:?} may not speak to a server without keys; start it with keys"
            ),
        ))
    }
}

/// `localhost`, `127.0.0.1:7777`, `[::1]:7777`.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_is_for_loopback_only() {
        assert!(Mode::open("127.0.0.1:7777".parse().unwrap()).is_ok());
        assert!(Mode::open("[::1]:0".parse().unwrap()).is_ok());
        for bad in ["0.0.0.0:7777", "10.0.0.1:7777", "[::]:7777"] {
            assert!(Mode::open(bad.parse().unwrap()).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn foreign_pages_are_refused() {
        let open = Mode::open("127.0.0.1:1".parse().unwrap()).unwrap();
        let check = |host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            open.check_browser(&headers, &Uri::from_static("/v1/fleets"))
                .is_ok()
        };
        assert!(check("localhost:7777", None));
        assert!(check("127.0.0.1", Some("http://localhost:5173")));
        assert!(check("[::1]:7777", Some("http://[::1]:7777")));
        for (host, origin) in [
            ("evil.example:7777", None),
            ("127.0.0.1.evil.example", None),
            ("localhost.evil.example", None),
            ("", None),
            ("localhost:7777", Some("https://evil.example")),
            ("localhost:7777", Some("http://localhost.evil.example")),
            ("localhost:7777", Some("null")),
        ] {
            assert!(!check(host, origin), "{host} {origin:?} was taken");
        }
    }
}
