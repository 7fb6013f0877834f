//! The agent's loop: plan, ask, read, think, write, finish.
use super::Orders;
use super::tally::Teller;
use crate::agents::{self, Draft, Floor, Plan};
use crate::coordinate::{Coordinator, Lost, Turn};
use crate::error::Error;
use crate::ledger::{self, Ledger, Pass, Step};
use crate::options::{AgentOptions, Mode};
use crate::random::Random;
use crate::roles::Role;
use fleet_types::budget::Cost;
use fleet_types::permit::{Decision, Denial, Ending, Finish, Grant, Request};
use fleet_types::time::Millis;
use fleet_types::{ActionName, AgentId, Code, RequestId};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A pause where there is nothing to do, nothing allowed, or nobody to ask.
const IDLE: Duration = Duration::from_millis(5);
/// When what came to nothing is tried again.
const AGAIN: Duration = Duration::from_millis(50);
/// Longest pause after a denial.
const DENIED_PAUSE_MAX: Duration = Duration::from_secs(1);

pub(super) async fn work<C: Coordinator>(
    options: AgentOptions,
    coordinator: C,
    orders: Orders,
) -> Result<(), Error> {
    let name = options.seat.name();
    let ledger = Ledger::open(&options.ledger, &name)?;
    // Another life, other choices.
    let part = (options.seat.kind as u64) << 32
        | u64::from(options.seat.number) << 16
        | (options.life & 0xFFFF);
    let random = Random::split(options.seed, part);
    let mut agent = Agent {
        role: options.seat.kind.role(),
        name: AgentId::parse(&name).map_err(|invalid| Lost(invalid.0))?,
        // Ids of requests are never used again, not even by the next life.
        first: ledger::now_micros(),
        asked: 0,
        floor: Floor::new(ledger, options.skew, random)?,
        teller: Teller::new(),
        coordinator,
        options,
        orders,
    };
    let result = agent.run().await;
    agent.coordinator.close().await;
    // Nobody may be left to hear it.
    let _ = agent.teller.tell();
    result
}

struct Agent<C> {
    role: &'static Role,
    name: AgentId,
    first: i64,
    asked: u64,
    floor: Floor,
    teller: Teller,
    coordinator: C,
    options: AgentOptions,
    orders: Orders,
}

impl<C: Coordinator> Agent<C> {
    async fn run(&mut self) -> Result<(), Error> {
        let mut worker = agents::worker(self.options.seat.kind);
        while !*self.orders.stop.borrow() {
            if self.teller.tell_if_due().is_err() {
                // The orchestrator is gone.
                return Ok(());
            }
            if !self.coordinator.standing().may_act() {
                self.wait_for_change().await;
                continue;
            }
            match worker.plan(&mut self.floor)? {
                Some(plan) => self.step(plan).await?,
                None => self.pause(IDLE).await,
            }
            self.pause(self.role.rest).await;
        }
        Ok(())
    }

    /// One plan, from the request to the end of its permit.
    async fn step(&mut self, plan: Plan) -> Result<(), Error> {
        let asked_at = Instant::now();
        let request = self.request(&plan)?;
        let turn = tokio::select! {
            turn = self.coordinator.permit(request) => Some(turn),
            () = stopped(&mut self.orders.stop) => None,
        };
        let Turn { decision, queued } = match turn {
            Some(Ok(turn)) => turn,
            Some(Err(_)) => {
                self.teller.tally.lost += 1;
                return self.give_back(&plan);
            }
            None => return self.give_back(&plan),
        };
        self.teller.tally.queued += u64::from(queued);
        let grant = match decision {
            Decision::Granted(grant) => grant,
            Decision::Denied(denial) => return self.denied(&plan, &denial).await,
            // The coordinator promised not to; treat it as no answer.
            Decision::Queued(_) => return self.give_back(&plan),
        };
        let pass = match self.options.mode {
            Mode::Uncoordinated => Pass::Unfenced,
            Mode::Coordinated => {
                let waited = u32::try_from(asked_at.elapsed().as_micros()).unwrap_or(u32::MAX);
                self.teller.tally.granted += 1;
                self.teller.tally.waits_us.push(waited);
                Pass::of(&grant)
            }
        };
        let ending = self.under_permit(&plan, &pass)?;
        self.finish(&grant, ending).await;
        Ok(())
    }

    /// Reads, thinks, writes.
    fn under_permit(&mut self, plan: &Plan, pass: &Pass) -> Result<Ending, Error> {
        let draft = match plan.job.read(&mut self.floor.ledger, pass) {
            Err(ledger::Error::Stale(stale)) => {
                self.floor.ledger.record_refusal(Step::Read, &stale)?;
                return self.refused(plan);
            }
            draft => draft?,
        };
        let (low, high) = self.options.think_us.unwrap_or(self.role.think_us);
        let thought = self.floor.random.between(low, high);
        // This thread is the agent's own; the runtime's timers are too coarse for half a millisecond.
        let stalled = self.orders.stall_ms.swap(0, Ordering::Relaxed);
        std::thread::sleep(Duration::from_micros(thought) + Duration::from_millis(stalled));
        // A halt, or a server that is gone, is obeyed before the write. A lease that ran out meanwhile is not looked
        // for here: whoever looks and then sleeps has looked in vain. That is what the fence is for.
        if !self.coordinator.standing().may_act() && draft != Draft::Nothing {
            self.teller.tally.stopped += 1;
            self.give_back(plan)?;
            return Ok(Ending::Cancelled);
        }
        match draft.carry_out(&mut self.floor.ledger, pass) {
            Err(ledger::Error::Stale(stale)) => {
                self.floor.ledger.record_refusal(Step::Write, &stale)?;
                self.refused(plan)
            }
            Err(ledger::Error::Late) => self.refused(plan),
            Err(error) => Err(error.into()),
            Ok(()) => {
                self.teller.tally.steps += 1;
                Ok(Ending::Completed)
            }
        }
    }

    fn refused(&mut self, plan: &Plan) -> Result<Ending, Error> {
        self.teller.tally.stale += 1;
        self.give_back(plan)?;
        Ok(Ending::Failed)
    }

    fn request(&mut self, plan: &Plan) -> Result<Request, Error> {
        self.asked += 1;
        let id = format!("{}.{}.{}", self.name, self.first, self.asked);
        let invalid = |invalid: fleet_types::Invalid| Lost(invalid.0);
        Ok(Request {
            request_id: RequestId::parse(&id).map_err(invalid)?,
            agent: self.name.clone(),
            // The session knows its instance and epoch.
            instance: None,
            action: ActionName::parse(plan.action).map_err(invalid)?,
            resources: plan.claims.clone(),
            reads: Vec::new(),
            parameters: plan.parameters.clone().map(Box::new),
            cost: self.role.cost,
            priority: None,
            wait_ms: Millis(self.options.wait_ms),
            ttl_ms: Some(Millis(self.options.lease_ms)),
            labels: fleet_types::Labels::default(),
            explain: false,
            approval: None,
            parent: None,
        })
    }

    /// Says how it ended and what it did cost: some part of what was reserved, as models go.
    async fn finish(&mut self, grant: &Grant, ending: Ending) {
        let share = self.floor.random.between(40, 100);
        let cost = match ending {
            Ending::Completed | Ending::Failed => Cost {
                money_micros: self.role.cost.money_micros * share / 100,
                tokens: self.role.cost.tokens * share / 100,
            },
            Ending::Cancelled => Cost::ZERO,
        };
        self.teller.tally.cost.money_micros += cost.money_micros;
        self.teller.tally.cost.tokens += cost.tokens;
        let finish = Finish {
            permit: grant.permit,
            agent: self.name.clone(),
            ending,
            cost: Some(cost),
            latency_ms: None,
        };
        if self.coordinator.finish(finish).await.is_err() {
            // What the server does not hear, the lease ends.
            self.teller.tally.lost += 1;
        }
    }

    async fn denied(&mut self, plan: &Plan, denial: &Denial) -> Result<(), Error> {
        *self.teller.tally.denied.entry(denial.code).or_insert(0) += 1;
        if denial.code == Code::ApprovalRejected {
            return Ok(plan.job.rejected(&mut self.floor.ledger)?);
        }
        self.give_back(plan)?;
        let pause = denial
            .retry_after_ms
            .map_or(AGAIN, |Millis(ms)| Duration::from_millis(ms));
        self.pause(pause.min(DENIED_PAUSE_MAX)).await;
        Ok(())
    }

    /// What is not done is delivered again.
    fn give_back(&mut self, plan: &Plan) -> Result<(), Error> {
        if let Some(delivery) = plan.job.delivery() {
            self.floor.ledger.give_back(delivery, AGAIN)?;
        }
        Ok(())
    }

    /// Rests, unless told to stop.
    async fn pause(&mut self, span: Duration) {
        if span.is_zero() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(span) => {}
            () = stopped(&mut self.orders.stop) => {}
        }
    }

    /// Waits until it may act again, is told to stop, or should say that it is alive.
    async fn wait_for_change(&mut self) {
        tokio::select! {
            () = self.coordinator.changed() => {}
            () = stopped(&mut self.orders.stop) => {}
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
        }
    }
}

/// Waits until it is told to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The sender lives as long as the process; were it gone, stopping would be right as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
