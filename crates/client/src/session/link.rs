//! One connection: opened, upgraded, greeted.
use super::Options;
use super::desk::text;
use crate::error::{Error, Kind, Result};
use crate::http::refusal;
use fleet_types::session::{ClientFrame, FRAME_BYTES_MAX, Hello, PROTOCOL, ServerFrame, Welcome};
use fleet_types::{Code, Epoch};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long the way from nothing to welcome may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Some hundred answers come with one read.
const READ_BYTES: usize = 32 * 1024;
/// Frames gather up to this size, or until there is nothing more to send.
const WRITE_BYTES: usize = 64 * 1024;
/// A server's frame is larger than ours can be: it adds tokens and what the gates saw.
const ANSWER_BYTES_MAX: usize = 16 * FRAME_BYTES_MAX;

/// A connection that stands.
pub(super) struct Link {
    pub socket: Socket,
    pub welcome: Welcome,
}

impl Link {
    /// Connects and says hello.
    pub async fn open(options: &Options, resume: Option<Epoch>) -> Result<Link> {
        match tokio::time::timeout(OPEN_TIMEOUT, open(options, resume)).await {
            Ok(opened) => opened,
            Err(_) => Err(Error::new(
                Kind::Unreachable,
                format!("{} did not answer in time", options.url),
            )),
        }
    }
}

async fn open(options: &Options, resume: Option<Epoch>) -> Result<Link> {
    let mut request = options
        .address()?
        .into_client_request()
        .map_err(|error| Error::new(Kind::Invalid, format!("{}: {error}", options.url)))?;
    request.headers_mut().insert(
        header::USER_AGENT,
        HeaderValue::from_static(crate::USER_AGENT),
    );
    if let Some(key) = &options.key {
        let value = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| Error::new(Kind::Invalid, "the key holds characters that no key has"))?;
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(Some(ANSWER_BYTES_MAX))
        .max_frame_size(Some(ANSWER_BYTES_MAX));
    let connected = tokio_tungstenite::connect_async_with_config(request, Some(config), true).await;
    let (mut socket, _) = connected.map_err(|error| unopened(options, error))?;
    let hello = Hello {
        id: 0,
        protocol: PROTOCOL,
        agent: options.agent.clone(),
        instance: options.instance.clone(),
        resume,
        labels: options.labels.clone(),
    };
    let cut = |error: tungstenite::Error| {
        Error::new(
            Kind::Unreachable,
            format!("{} hung up before its welcome: {error}", options.url),
        )
    };
    socket
        .send(Message::Text(text(&ClientFrame::Hello(hello))))
        .await
        .map_err(cut)?;
    loop {
        let message = match socket.next().await {
            Some(message) => message.map_err(cut)?,
            None => return Err(cut(tungstenite::Error::ConnectionClosed)),
        };
        let Message::Text(frame) = message else {
            continue;
        };
        return match serde_json::from_str(&frame) {
            Ok(ServerFrame::Welcome(welcome)) => Ok(Link { socket, welcome }),
            Ok(ServerFrame::Problem(frame)) => Err(Error::refused(frame.problem)),
            Ok(_) | Err(_) => Err(Error::new(
                Kind::Protocol,
                format!("{} answered hello with something else", options.url),
            )),
        };
    }
}

fn unopened(options: &Options, error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            refusal(response.status().as_u16(), body)
        }
        other => Error::new(
            Kind::Unreachable,
            format!("no server at {} ({other})", options.url),
        ),
    }
}

/// Whether trying again cannot help.
pub(super) fn is_final(error: &Error) -> bool {
    match error.kind() {
        Kind::Invalid | Kind::Over => true,
        Kind::Unreachable | Kind::Lost | Kind::Protocol => false,
        Kind::Refused => error.code().is_some_and(|code| {
            matches!(
                code,
                Code::Unauthenticated
                    | Code::Forbidden
                    | Code::IdentityMismatch
                    | Code::AgentUnknown
                    | Code::NotFound
                    | Code::Invalid
                    | Code::Malformed
            )
        }),
    }
}
