//! Plain HTTP: one typed method for each address under `/v1`.
//!
//! [`Http`] is a server and a key; [`Fleet`] is one fleet there. Both are cheap to clone. Nothing is repeated by itself:
//! whoever repeats a permit request gives it a request id.
mod approvals;
pub mod bodies;
pub mod conflicts;
mod fleet;
mod graph;
mod permits;
mod things;
mod transactions;

pub use approvals::ApprovalFilter;
pub use fleet::{AgentFilter, Fleet, PageOf};
pub use permits::{Ended, PermitFilter};
pub use transactions::{EndTxn, NewTxn};

use crate::error::{Error, Kind, Result};
use bodies::{Changed, FleetList, IssuedKey, Key, KeyList, Named, NewKey};
use fleet_types::session::Problem;
use fleet_types::{FleetId, KeyId, TenantId};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than the server waits by itself (25 s).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);

/// A server, and the key to it. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    base: String,
    key: Option<String>,
}

impl Http {
    /// A server at this address, such as `http://127.0.0.1:7077`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is no HTTP address.
    pub fn new(base: &str, key: Option<&str>) -> Result<Http> {
        crate::use_ring();
        let base = base.trim_end_matches('/');
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            return Err(Error::new(
                Kind::Invalid,
                format!("{base:?} is no server address; write http://HOST:PORT or https://HOST"),
            ));
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(crate::USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        if base.starts_with("http://") {
            // Reading the system's certificates takes longer than most requests.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .build()
            .map_err(|error| Error::new(Kind::Invalid, chain(&error)))?;
        let key = key.map(str::to_owned).filter(|key| !key.is_empty());
        Ok(Http {
            inner: Arc::new(Inner {
                client,
                base: base.to_owned(),
                key,
            }),
        })
    }

    /// The server's address.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.inner.base
    }

    /// One fleet of the server.
    #[must_use]
    pub fn fleet(&self, fleet: FleetId) -> Fleet {
        Fleet::new(self.clone(), fleet)
    }

    /// Whether the process lives.
    ///
    /// # Errors
    /// When it does not.
    pub async fn is_live(&self) -> Result<()> {
        self.get::<serde_json::Value>("/healthz").await.map(drop)
    }

    /// Whether the server can serve.
    ///
    /// # Errors
    /// When it cannot now.
    pub async fn is_ready(&self) -> Result<()> {
        self.get::<serde_json::Value>("/readyz").await.map(drop)
    }

    /// The key's tenant and its fleets.
    ///
    /// # Errors
    /// When refused or unreachable, as every call.
    pub async fn fleets(&self) -> Result<FleetList> {
        self.get("/v1/fleets").await
    }

    /// Adds a fleet; a repeat changes nothing.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn create_fleet(&self, fleet: FleetId) -> Result<Changed> {
        self.post("/v1/fleets", &Named::Fleet(fleet)).await
    }

    /// Adds a tenant; a repeat changes nothing.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn create_tenant(&self, tenant: TenantId) -> Result<Changed> {
        self.post("/v1/tenants", &Named::Tenant(tenant)).await
    }

    /// Issues a key; its token is told this once.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn issue_key(&self, key: &NewKey) -> Result<IssuedKey> {
        self.post("/v1/keys", key).await
    }

    /// The keys of a tenant; absent: the caller's.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn keys(&self, tenant: Option<&TenantId>) -> Result<Vec<Key>> {
        let list: KeyList = self
            .get(&query(
                "/v1/keys",
                &[("tenant", tenant.map(ToString::to_string))],
            ))
            .await?;
        Ok(list.keys)
    }

    /// Takes a key out of use.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn revoke_key(&self, key: &KeyId, tenant: Option<&TenantId>) -> Result<Changed> {
        let path = format!("/v1/keys/{key}");
        self.delete(&query(
            &path,
            &[("tenant", tenant.map(ToString::to_string))],
        ))
        .await
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(self.ask(Method::GET, path)).await
    }

    /// What is no JSON.
    pub(crate) async fn get_text(&self, path: &str) -> Result<String> {
        let sent = self.ask(Method::GET, path).send().await;
        let response = accepted(sent.map_err(|error| self.unsent(&error))?).await?;
        response.text().await.map_err(|error| self.unsent(&error))
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(self.ask(Method::DELETE, path)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.send(self.ask(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.send(self.ask(Method::PUT, path).json(body)).await
    }

    /// A request without a bound on its time: for streams.
    pub(crate) fn open(&self, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.inner.base);
        let request = self.inner.client.get(url);
        match &self.inner.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.inner.base);
        let request = self
            .inner
            .client
            .request(method, url)
            .timeout(ANSWER_TIMEOUT);
        match &self.inner.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = request.send().await.map_err(|error| self.unsent(&error))?;
        let response = accepted(response).await?;
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unsent(&error))?;
        serde_json::from_slice(&body).map_err(|error| {
            Error::new(
                Kind::Protocol,
                format!(
                    "{} answered what this client cannot read: {error}",
                    self.inner.base
                ),
            )
        })
    }

    /// What a failure on the way means.
    pub(crate) fn unsent(&self, error: &reqwest::Error) -> Error {
        let base = &self.inner.base;
        if error.is_connect() {
            Error::new(
                Kind::Unreachable,
                format!("no server at {base} ({})", root(error)),
            )
        } else if error.is_builder() {
            Error::new(Kind::Invalid, chain(error))
        } else if error.is_timeout() {
            Error::new(Kind::Lost, format!("{base} did not answer in time"))
        } else {
            Error::new(
                Kind::Lost,
                format!("the connection to {base} was cut ({})", root(error)),
            )
        }
    }
}

/// The answer, if it is not a refusal.
pub(crate) async fn accepted(response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.bytes().await.unwrap_or_default();
    Err(refusal(status.as_u16(), &body))
}

/// A refusal as the server put it.
pub(crate) fn refusal(status: u16, body: &[u8]) -> Error {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => Error::refused(problem),
        Err(_) => Error::status_only(status, &String::from_utf8_lossy(body)),
    }
}

/// The path with those parameters that are given.
pub(crate) fn query(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let mut text = path.to_owned();
    let mut separator = '?';
    for (name, value) in parameters {
        if let Some(value) = value {
            text.push(separator);
            text.push_str(name);
            text.push('=');
            text.push_str(&escape(value, false));
            separator = '&';
        }
    }
    text
}

/// Percent-encodes what an address cannot hold; slashes stay where `slashes` says so.
pub(crate) fn escape(text: &str, slashes: bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'*'
            | b':'
            | b'@'
            | b',' => {
                out.push(char::from(byte));
            }
            b'/' if slashes => out.push('/'),
            _ => {
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    out
}

fn root(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
        text.push_str(": ");
        text.push_str(&last.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_escaped() {
        assert_eq!(escape("ledger/a b", true), "ledger/a%20b");
        assert_eq!(escape("ledger/ä", false), "ledger%2F%C3%A4");
        assert_eq!(
            query(
                "/v1/x",
                &[
                    ("a", None),
                    ("b", Some("1&2".into())),
                    ("c", Some("p.*".into()))
                ]
            ),
            "/v1/x?b=1%262&c=p.*"
        );
    }

    #[test]
    fn only_http_addresses_are_taken() {
        assert!(Http::new("http://127.0.0.1:1/", None).is_ok());
        assert_eq!(
            Http::new("127.0.0.1:1", None)
                .err()
                .map(|error| error.kind()),
            Some(Kind::Invalid)
        );
    }

    #[test]
    fn a_refusal_keeps_the_servers_words() {
        let body =
            br#"{"type":"https://x/halted","title":"t","status":403,"code":"halted","detail":"d"}"#;
        let error = refusal(403, body);
        assert_eq!(error.code(), Some(fleet_types::Code::Halted));
        assert_eq!(error.to_string(), "halted: d");
        assert_eq!(refusal(502, b"<html>").kind(), Kind::Protocol);
    }
}
