//! An agent's side of the desk: reconnects with growing pauses, and says so while it is not connected.
use super::{Ask, Tell};
use fleet_bank::coordinate::{Coordinator, Lost, Standing, Turn};
use fleet_types::AgentId;
use fleet_types::permit::{Finish, Request};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

pub struct DeskClient {
    asks: mpsc::Sender<Ask>,
    /// None: the connection was lost meanwhile.
    answers: mpsc::Receiver<Option<Turn>>,
    standing: watch::Receiver<Standing>,
}

impl DeskClient {
    pub fn connect(address: String, agent: AgentId) -> Self {
        let (asks, mut asked) = mpsc::channel(16);
        let (answer, answers) = mpsc::channel(16);
        let (show, standing) = watch::channel(Standing {
            connected: false,
            halted: false,
        });
        tokio::spawn(async move {
            let mut pause = Duration::from_millis(20);
            loop {
                if let Ok(stream) = TcpStream::connect(&address).await {
                    if live(stream, &agent, &mut asked, &answer, &show).await {
                        pause = Duration::from_millis(20);
                    }
                    show.send_modify(|standing| standing.connected = false);
                    let _ = answer.try_send(None);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
                // What was asked of nobody is lost.
                while asked.try_recv().is_ok() {}
            }
        });
        DeskClient {
            asks,
            answers,
            standing,
        }
    }
}

/// One connection; true when it was of use.
async fn live(
    stream: TcpStream,
    agent: &AgentId,
    asked: &mut mpsc::Receiver<Ask>,
    answer: &mpsc::Sender<Option<Turn>>,
    show: &watch::Sender<Standing>,
) -> bool {
    let _ = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut useful = false;
    let mut ask = Some(Ask::Hello(agent.clone()));
    loop {
        if let Some(ask) = ask.take() {
            let mut line = serde_json::to_vec(&ask).unwrap();
            line.push(b'\n');
            if write.write_all(&line).await.is_err() {
                return useful;
            }
        }
        tokio::select! {
            next = asked.recv() => match next {
                Some(next) => ask = Some(next),
                None => return useful,
            },
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { return useful };
                match serde_json::from_str(&line).unwrap() {
                    Tell::Halted(halted) => {
                        useful = true;
                        show.send_replace(Standing { connected: true, halted });
                    }
                    Tell::Decision(decision, queued) => {
                        let _ = answer.try_send(Some(Turn { decision, queued }));
                    }
                }
            }
        }
    }
}

impl Coordinator for DeskClient {
    async fn permit(&mut self, request: Request) -> Result<Turn, Lost> {
        let lost = || Lost("the desk is gone".into());
        // Answers to what was given up.
        while self.answers.try_recv().is_ok() {}
        if !self.standing.borrow().connected {
            return Err(lost());
        }
        self.asks
            .send(Ask::Request(Box::new(request)))
            .await
            .map_err(|_| lost())?;
        // An ask that fell between two connections is never answered.
        tokio::time::timeout(Duration::from_secs(12), self.answers.recv())
            .await
            .ok()
            .flatten()
            .flatten()
            .ok_or_else(lost)
    }

    async fn finish(&mut self, finish: Finish) -> Result<(), Lost> {
        self.asks
            .send(Ask::Finish(finish))
            .await
            .map_err(|_| Lost("the desk is gone".into()))
    }

    fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    async fn changed(&mut self) {
        if self.standing.changed().await.is_err() {
            std::future::pending().await
        }
    }

    async fn close(&mut self) {}
}
