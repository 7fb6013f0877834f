//! Everything that happens in a fleet, as server-sent events; resumes from the last one that was seen.
use crate::error::{Error, Kind, Result};
use crate::http::{Http, accepted};
use bytes::Bytes;
use fleet_types::{Record, Seq};
use reqwest::Response;
use std::collections::VecDeque;
use std::time::Duration;

/// A silent server says that it is alive every 15 s; one that does not for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A stream of records.
pub struct Events {
    http: Http,
    path: String,
    /// The last one that was seen.
    after: Seq,
    response: Option<Response>,
    reader: Reader,
    ready: VecDeque<Event>,
    pause: Duration,
}

impl Events {
    pub(crate) async fn open(http: Http, path: String, after: Seq) -> Result<Events> {
        let mut events = Events {
            http,
            path,
            after,
            response: None,
            reader: Reader::default(),
            ready: VecDeque::new(),
            pause: PAUSE_MIN,
        };
        events.connect().await?;
        Ok(events)
    }

    /// The place in the journal up to which all was seen.
    #[must_use]
    pub fn after(&self) -> Seq {
        self.after
    }

    /// The next record. After a cut it connects again and goes on where it was, with growing pauses, for as long as the
    /// server is not there.
    ///
    /// # Errors
    /// When the server refuses, or says what this client cannot read.
    pub async fn next(&mut self) -> Result<Record> {
        loop {
            while let Some(event) = self.ready.pop_front() {
                if event.name == "lagged" {
                    self.response = None;
                    continue;
                }
                let record: Record = serde_json::from_str(&event.data).map_err(|error| {
                    Error::new(
                        Kind::Protocol,
                        format!("event {} cannot be read by this client: {error}", event.id),
                    )
                })?;
                self.after = record.seq;
                return Ok(record);
            }
            self.read().await?;
        }
    }

    /// Reads a part, or connects again.
    async fn read(&mut self) -> Result<()> {
        if let Some(response) = &mut self.response {
            match tokio::time::timeout(SILENCE_MAX, response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    self.pause = PAUSE_MIN;
                    self.reader.take(&chunk, &mut self.ready);
                }
                Ok(Ok(None) | Err(_)) | Err(_) => self.response = None,
            }
            return Ok(());
        }
        match self.connect().await {
            Err(error) if error.is_transient() => {
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(PAUSE_MAX);
                Ok(())
            }
            connected => connected,
        }
    }

    async fn connect(&mut self) -> Result<()> {
        self.reader = Reader::default();
        let request = self.http.open(&self.path);
        let request = request.header("last-event-id", self.after.to_string());
        let response = request
            .send()
            .await
            .map_err(|error| self.http.unsent(&error))?;
        self.response = Some(accepted(response).await?);
        Ok(())
    }
}

/// One event as it stands in the stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: String,
    name: String,
    data: String,
}

/// Takes the stream apart; lines may be cut anywhere.
#[derive(Default)]
struct Reader {
    line: Vec<u8>,
    event: Event,
}

impl Reader {
    fn take(&mut self, chunk: &Bytes, ready: &mut VecDeque<Event>) {
        let mut rest = &chunk[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            self.end_line(ready);
        }
        self.line.extend_from_slice(rest);
    }

    fn end_line(&mut self, ready: &mut VecDeque<Event>) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\r').unwrap_or(&line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if !event.data.is_empty() {
                ready.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut self.event.id),
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {} // A comment, or a field of a later version.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text = ": hello\n\nid: 7\nevent: halt.ordered\ndata: {\"ä\":1}\n\n:\n\nid: 8\ndata: a\ndata: b\r\n\n";
        let expected = [("7", "halt.ordered", "{\"ä\":1}"), ("8", "", "a\nb")];
        for step in 1..text.len() {
            let (mut reader, mut ready) = (Reader::default(), VecDeque::new());
            for piece in text.as_bytes().chunks(step) {
                reader.take(&Bytes::copy_from_slice(piece), &mut ready);
            }
            let seen: Vec<_> = ready
                .iter()
                .map(|e| (e.id.as_str(), e.name.as_str(), e.data.as_str()))
                .collect();
            assert_eq!(seen, expected, "in pieces of {step}");
        }
    }
}
