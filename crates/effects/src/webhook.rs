//! An address as a participant: signed messages after Standard Webhooks, with a CloudEvents body.
//!
//! `webhook-id` is the same for every attempt at the same thing: by it the receiver knows a repeat. Redirections are not
//! followed: the message is for the address that an admin has named.
use crate::Finding;
use crate::secret::Credential;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fleet_types::connector::Address;
use fleet_types::txn::{Order, Outcome};
use fleet_types::{FleetId, Text};
use reqwest::StatusCode;
use ring::hmac;
use serde::Deserialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A receiver that does not take the connection by then is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// Sends messages.
pub struct Sender {
    client: reqwest::Client,
}

/// What a receiver may answer with; an empty body says `done`.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    outcome: Option<Outcome>,
    reason: Option<String>,
}

impl Sender {
    pub(crate) fn new() -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("fleetcommand/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| error.without_url().to_string())?;
        Ok(Sender { client })
    }

    pub(crate) async fn send(
        &self,
        fleet: &FleetId,
        order: &Order,
        url: &Address,
        secret: &Credential,
    ) -> Result<Finding, String> {
        let body = body(fleet, order);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        let id = order.id();
        let signature = sign(&key(secret)?, &id, seconds, body.as_bytes());
        let request = self
            .client
            .post(url.as_str())
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body);
        let mut response = request.send().await.map_err(|e| chain(&e.without_url()))?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|e| chain(&e.without_url()))?
        {
            if text.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(format!(
                    "the answer is larger than {ANSWER_BYTES_MAX} bytes"
                ));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(read(status, &text))
    }
}

/// The message.
fn body(fleet: &FleetId, order: &Order) -> String {
    serde_json::json!({
        "specversion": "1.0",
        "id": order.id(),
        "source": format!("/v1/fleets/{fleet}"),
        "type": format!("fleetcommand.transaction.{}", order.phase.as_str()),
        "subject": format!("{}/{}", order.txn, order.branch),
        "datacontenttype": "application/json",
        "data": order,
    })
    .to_string()
}

/// The key of a signing secret: `whsec_` and base64.
pub(crate) fn key(secret: &Credential) -> Result<hmac::Key, String> {
    let bytes = secret
        .expose()
        .strip_prefix("whsec_")
        .and_then(|text| STANDARD.decode(text).ok())
        .filter(|bytes| !bytes.is_empty())
        .ok_or("the signing secret is not whsec_ and base64")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The signature as it stands in the header.
fn sign(key: &hmac::Key, id: &str, seconds: u64, body: &[u8]) -> String {
    let mut signed = format!("{id}.{seconds}.").into_bytes();
    signed.extend_from_slice(body);
    format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed).as_ref()))
}

/// What an answer means. A refusal that trying again may cure is a failure; any other 4xx says that nothing was done.
fn read(status: StatusCode, text: &[u8]) -> Finding {
    let answer: Answer = match text.trim_ascii().is_empty() {
        true => Answer::default(),
        false => match serde_json::from_slice(text) {
            Ok(answer) => answer,
            // Whoever answers a vote must be understood.
            Err(_) if status.is_success() => {
                return Finding::failed(
                    "the answer is not of the form {\"outcome\":…,\"reason\":…}",
                );
            }
            Err(_) => Answer::default(),
        },
    };
    let reason = answer.reason.unwrap_or_default();
    let words = match reason.is_empty() {
        true => format!("it answered {status}"),
        false => reason.clone(),
    };
    if status.is_success() {
        return Finding {
            outcome: answer.outcome.unwrap_or(Outcome::Done),
            reason: Text::clip(&reason),
            evidence: Text::default(),
        };
    }
    let later = [408, 425, 429].contains(&status.as_u16());
    match status.is_client_error() && !later {
        true => Finding::of(Outcome::Refused, &words),
        false => Finding::failed(words),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += ": ";
        text += &error.to_string();
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of standardwebhooks.com.
        let secret = Credential::example("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signature = sign(
            &key(&secret).unwrap(),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            body,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for bad in ["", "MfKQ9r8G", "whsec_", "whsec_%%"] {
            assert!(key(&Credential::example(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_mean_what_they_say() {
        let read = |status: u16, text: &str| {
            let finding = read(StatusCode::from_u16(status).unwrap(), text.as_bytes());
            (finding.outcome, finding.reason.to_string())
        };
        assert_eq!(read(200, "").0, Outcome::Done);
        assert_eq!(read(204, " ").0, Outcome::Done);
        assert_eq!(read(200, r#"{"outcome":"read_only"}"#).0, Outcome::ReadOnly);
        assert_eq!(
            read(200, r#"{"outcome":"refused","reason":"no money"}"#),
            (Outcome::Refused, "no money".into())
        );
        assert_eq!(
            read(200, "yes").0,
            Outcome::Failed,
            "a vote must be understood"
        );
        assert_eq!(
            read(409, r#"{"reason":"sold out"}"#),
            (Outcome::Refused, "sold out".into())
        );
        assert_eq!(read(404, "<html>").0, Outcome::Refused);
        for later in [302, 408, 425, 429, 500, 503] {
            assert_eq!(read(later, "").0, Outcome::Failed, "{later}");
        }
    }
}
