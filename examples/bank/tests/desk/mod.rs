//! A stand-in for the server: a lock desk over TCP with leases, queues, fencing tokens, halts and outages.
//!
//! It exists so that the bank's own half of the bargain (fence, fail closed, stop at a halt) is tested here, on real
//! processes, whatever the server does. It is no model of the server: no limits, no budgets, one lock table.
mod client;

pub use client::DeskClient;

use fleet_bank::coordinate::{Control, Look, Lost};
use fleet_types::lock::{Claim, Held};
use fleet_types::permit::{Decision, Denial, Finish, Grant, Request};
use fleet_types::{AgentId, Code, HaltId, PermitId, Seq, Text, Time, Token, explain, halt};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// From an agent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Hello(AgentId),
    Request(Box<Request>),
    Finish(Finish),
}

/// To an agent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    Decision(Decision, bool),
    Halted(bool),
}

struct Holder {
    permit: u64,
    agent: AgentId,
    claims: Vec<Claim>,
    until: Instant,
}

struct Waiter {
    request: Request,
    until: Instant,
    queued: bool,
    answer: mpsc::Sender<Tell>,
}

#[derive(Default)]
struct Table {
    seq: u64,
    holders: Vec<Holder>,
    waiters: Vec<Waiter>,
    halted: bool,
}

fn conflict(one: &[Claim], other: &[Claim]) -> bool {
    one.iter().any(|a| {
        other.iter().any(|b| {
            (a.path.covers(&b.path) || b.path.covers(&a.path)) && !a.mode.compatible(b.mode)
        })
    })
}

impl Table {
    /// Ends what is over and grants what can be, first come first served.
    fn turn(&mut self) {
        let now = Instant::now();
        self.holders.retain(|holder| holder.until > now);
        let mut waiting: Vec<Waiter> = Vec::new();
        for mut waiter in std::mem::take(&mut self.waiters) {
            let claims = &waiter.request.resources;
            let blocked = self.holders.iter().any(|h| conflict(&h.claims, claims))
                || waiting
                    .iter()
                    .any(|w| conflict(&w.request.resources, claims));
            self.seq += 1;
            let permit = PermitId(Seq(self.seq));
            let decision = if self.halted || waiter.until <= now {
                Decision::Denied(Denial {
                    permit,
                    code: if self.halted {
                        Code::Halted
                    } else {
                        Code::WaitTimeout
                    },
                    gate: explain::Gate::Locks,
                    reason: Text::clip("not now"),
                    blocker: None,
                    retry_after_ms: None,
                    explain: Vec::new(),
                })
            } else if blocked {
                waiter.queued = true;
                waiting.push(waiter);
                continue;
            } else {
                let lease = Duration::from_millis(waiter.request.ttl_ms.map_or(2_000, |ms| ms.0));
                self.holders.push(Holder {
                    permit: self.seq,
                    agent: waiter.request.agent.clone(),
                    claims: claims.clone(),
                    until: now + lease,
                });
                let held = claims.iter().map(|claim| Held {
                    path: claim.path.clone(),
                    mode: claim.mode,
                    token: Token(self.seq),
                });
                Decision::Granted(Grant {
                    permit,
                    resources: held.collect(),
                    versions: Vec::new(),
                    expires_at: Time::MAX,
                    explain: Vec::new(),
                    changed: None,
                })
            };
            let _ = waiter
                .answer
                .try_send(Tell::Decision(decision, waiter.queued));
        }
        self.waiters = waiting;
    }
}

/// The desk. Its table outlives its outages, as a journal would.
#[derive(Clone)]
pub struct Desk {
    table: Arc<Mutex<Table>>,
    halted: watch::Sender<bool>,
    /// Grows with each outage: connections of an older number end.
    life: watch::Sender<u64>,
    down: Arc<Mutex<Option<Instant>>>,
    pub address: String,
}

impl Desk {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let desk = Desk {
            table: Arc::default(),
            halted: watch::Sender::new(false),
            life: watch::Sender::new(0),
            down: Arc::default(),
            address: listener.local_addr().unwrap().to_string(),
        };
        let (accepting, ticking) = (desk.clone(), desk.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if accepting.is_up() {
                    tokio::spawn(accepting.clone().serve(stream));
                }
            }
        });
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                ticking.table.lock().unwrap().turn();
            }
        });
        desk
    }

    fn is_up(&self) -> bool {
        self.down
            .lock()
            .unwrap()
            .is_none_or(|until| until <= Instant::now())
    }

    /// Drops every connection, and takes none for a while.
    pub fn outage(&self, span: Duration) {
        *self.down.lock().unwrap() = Some(Instant::now() + span);
        self.table.lock().unwrap().waiters.clear();
        self.life.send_modify(|life| *life += 1);
    }

    async fn serve(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut halted = self.halted.subscribe();
        halted.mark_changed();
        let mut life = self.life.subscribe();
        let (answer, mut answers) = mpsc::channel::<Tell>(16);
        loop {
            let tell = tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(line)) => {
                        self.hear(serde_json::from_str(&line).unwrap(), &answer);
                        continue;
                    }
                    Ok(None) | Err(_) => return,
                },
                tell = answers.recv() => tell.expect("one sender is here"),
                _ = halted.changed() => Tell::Halted(*halted.borrow_and_update()),
                _ = life.changed() => return,
            };
            let mut line = serde_json::to_vec(&tell).unwrap();
            line.push(b'\n');
            if write.write_all(&line).await.is_err() {
                return;
            }
        }
    }

    fn hear(&self, ask: Ask, answer: &mpsc::Sender<Tell>) {
        let mut table = self.table.lock().unwrap();
        match ask {
            // A new life of an agent: what the former one held is free.
            Ask::Hello(agent) => table.holders.retain(|holder| holder.agent != agent),
            Ask::Finish(finish) => {
                table
                    .holders
                    .retain(|holder| holder.permit != finish.permit.0.0);
            }
            Ask::Request(request) => {
                let until = Instant::now() + Duration::from_millis(request.wait_ms.0);
                table.waiters.push(Waiter {
                    request: *request,
                    until,
                    queued: false,
                    answer: answer.clone(),
                });
            }
        }
        table.turn();
    }
}

impl Control for Desk {
    async fn halt(&self, _: halt::Order) -> Result<HaltId, Lost> {
        let mut table = self.table.lock().unwrap();
        table.halted = true;
        // Immediate: permits are taken back.
        table.holders.clear();
        table.turn();
        self.halted.send_replace(true);
        Ok(HaltId(Seq(1)))
    }

    async fn release(&self, _: HaltId) -> Result<(), Lost> {
        self.table.lock().unwrap().halted = false;
        self.halted.send_replace(false);
        Ok(())
    }

    async fn look(&self) -> Result<Look, Lost> {
        Ok(Look {
            waiting: self.table.lock().unwrap().waiters.len() as u64,
            budgets: Vec::new(),
        })
    }
}
