//! Clients that fight for a few hot resources, and write down what they ask and hear.
use super::table::{Claim, Op, Ret};
use super::{Client, History, Line};
use fleet_sim::rng::Rng;
use fleet_types::lock::Mode;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// A way to a fleet. Every call goes on until there is an answer.
pub trait Door: Send + Sync + 'static {
    /// Carries out an operation; `id` is the request's own, for a permit.
    fn call(&self, client: Client, id: &str, op: &Op) -> impl Future<Output = Ret> + Send;
}

/// How large a history is, and of what kind.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Clients at once.
    pub clients: usize,
    /// Operations of each, without those that give back what is left.
    pub operations: usize,
    /// Whether who asks waits for its turn, or hears at once.
    pub waits: bool,
}

/// Lets clients loose on resources of this history's own, `h<seed>/…`; returns what they asked and heard.
///
/// # Panics
/// When a client does.
pub async fn record<D: Door>(door: &Arc<D>, shape: Shape, seed: u64) -> History {
    let history: Arc<Mutex<History>> = Arc::default();
    let clients = (0..shape.clients).map(|client| {
        let one = One {
            door: Arc::clone(door),
            history: Arc::clone(&history),
            rng: Rng::new(seed << 8 | client as u64),
            client,
            seed,
            asked: 0,
            held: Vec::new(),
            tokens: Vec::new(),
        };
        tokio::spawn(one.run(shape))
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client.await.expect("a client does not panic");
    }
    let history = history.lock().unwrap_or_else(PoisonError::into_inner);
    history.clone()
}

struct One<D> {
    door: Arc<D>,
    history: Arc<Mutex<History>>,
    rng: Rng,
    client: Client,
    seed: u64,
    asked: u64,
    held: Vec<u64>,
    /// Tokens it has seen, current and stale.
    tokens: Vec<(String, u64)>,
}

impl<D: Door> One<D> {
    async fn run(mut self, shape: Shape) {
        for _ in 0..shape.operations {
            match self.rng.below(10) {
                0..=4 => {
                    // Who waits must hold nothing, or two would wait for each other for ever.
                    while shape.waits && !self.held.is_empty() {
                        self.give().await;
                    }
                    let claims = self.claims();
                    self.take(claims, shape.waits).await;
                }
                5 | 6 if !self.held.is_empty() => self.give().await,
                7 if !self.tokens.is_empty() => {
                    let (path, token) = self.rng.pick(&self.tokens).clone();
                    self.call(Op::Validate { path, token }).await;
                }
                _ => {
                    let under = self.path();
                    self.call(Op::Look { under }).await;
                }
            }
        }
        while !self.held.is_empty() {
            self.give().await;
        }
    }

    fn path(&mut self) -> String {
        let path = *self.rng.pick(&["a", "a", "a/x", "b"]);
        format!("h{}/{path}", self.seed)
    }

    fn claims(&mut self) -> Vec<Claim> {
        let mut claims: Vec<Claim> = Vec::new();
        for _ in 0..=self.rng.below(2) {
            let path = self.path();
            // One of a permit's claims above another would say little.
            if claims
                .iter()
                .all(|(other, _)| other.ends_with('b') != path.ends_with('b'))
            {
                let mode = *self.rng.pick(&[
                    Mode::Exclusive,
                    Mode::Exclusive,
                    Mode::Shared,
                    Mode::Commuting,
                ]);
                claims.push((path, mode));
            }
        }
        claims
    }

    async fn take(&mut self, claims: Vec<Claim>, waits: bool) {
        if let Ret::Granted { permit, holds } = self.call(Op::Take { claims, waits }).await {
            self.held.push(permit);
            let tokens = holds.into_iter().map(|hold| (hold.path, hold.token));
            self.tokens.extend(tokens);
        }
    }

    async fn give(&mut self) {
        let permit = self.held.remove(0);
        self.call(Op::Give { permit }).await;
    }

    async fn call(&mut self, op: Op) -> Ret {
        self.asked += 1;
        let id = format!("h{}-{}-{}", self.seed, self.client, self.asked);
        self.write(Line::Invoked(self.client, op.clone()));
        let ret = self.door.call(self.client, &id, &op).await;
        self.write(Line::Returned(self.client, ret.clone()));
        ret
    }

    fn write(&self, line: Line) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.lines.push(line);
    }
}
