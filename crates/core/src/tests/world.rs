//! A fleet in a test: a state, a clock that the test moves, and every record so far.
use crate::memory::{Evicted, Key, Remembered};
use crate::{State, apply_record, next_deadline, step_recalled};
use fleet_types::agent::Definition;
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{
    Actor, AgentId, Answer, Command, Envelope, Event, Millis, Record, RequestId, Time, permit,
};

/// 2026-11-02 08:00:00 UTC.
pub const MORNING: Time = Time(1_793_606_400_000_000);

pub struct World {
    pub state: State,
    /// The clock on the wall.
    pub wall: Time,
    pub records: Vec<Record>,
    /// What the machine's memory has let go.
    elsewhere: Vec<Remembered>,
}

/// What one command brought about.
pub struct Outcome {
    pub answer: Answer,
    /// Its records, the answer's own among them.
    pub records: Vec<Record>,
    /// What was found elsewhere of a request's id.
    pub recalled: Option<Remembered>,
    /// What the machine's memory has let go.
    pub evicted: Vec<Evicted>,
}

impl World {
    pub fn new() -> World {
        World {
            state: State::default(),
            wall: MORNING,
            records: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    /// A fleet that lets everything happen and knows these agents.
    pub fn open(agents: &[&str]) -> World {
        let mut world = World::new();
        let settings = Settings {
            default_decision: DefaultDecision::Allow,
            ..Settings::default()
        };
        world.local(Command::Configure(Box::new(settings)));
        for agent in agents {
            let definition = Definition::new(AgentId::parse(agent).unwrap());
            let command = fleet_types::agent::Command::Register(Box::new(definition));
            world.local(Command::Agent(command));
        }
        world
    }

    pub fn local(&mut self, command: Command) -> Outcome {
        self.run(Actor::Local, command)
    }

    /// As the runtime does it: time never goes back, and no two commands share an instant.
    pub fn run(&mut self, by: Actor, command: Command) -> Outcome {
        let now = self.wall.max(Time(self.state.now.0 + 1));
        let mut records = Vec::new();
        let recalled = self.recall(&command);
        let answer = step_recalled(
            &mut self.state,
            &Envelope { by, command },
            recalled.as_ref(),
            now,
            &mut records,
        );
        self.records.extend(records.iter().cloned());
        let evicted: Vec<Evicted> = self.state.drain_evicted().collect();
        let entries = evicted.iter().map(|evicted| evicted.entry.clone());
        self.elsewhere.extend(entries);
        Outcome {
            answer,
            records,
            recalled,
            evicted,
        }
    }

    /// The newest that is known elsewhere of a request's id.
    fn recall(&self, command: &Command) -> Option<Remembered> {
        let request = match command {
            Command::Permit(permit::Command::Request(request)) => request,
            Command::Permit(permit::Command::Judged(judged)) => &judged.request,
            _ => return None,
        };
        let mut known = self.elsewhere.iter().rev();
        known.find(|entry| entry.key() == Key::of(request)).cloned()
    }

    /// Moves the clock, ticking at every deadline on the way.
    pub fn sleep(&mut self, span: Millis) -> Vec<Record> {
        // From the last command on, which may be some microseconds ahead.
        let until = self.wall.max(self.state.now).after(span);
        let begin = self.records.len();
        while let Some(deadline) = next_deadline(&self.state).filter(|at| *at <= until) {
            self.wall = self.wall.max(deadline);
            self.run(Actor::System, Command::Tick).answer.unwrap();
        }
        self.wall = until;
        self.records[begin..].to_vec()
    }

    /// The permit that a request became, or was denied as.
    pub fn permit_of(&self, agent: &str, request: &str) -> Option<fleet_types::PermitId> {
        let id = RequestId::parse(request).ok()?;
        self.records.iter().rev().find_map(|record| {
            let (permit, asked) = match &record.event {
                Event::PermitGranted(event) => (event.permit, &event.request),
                Event::PermitQueued(event) => (event.permit, &event.request),
                Event::PermitDenied(event) => (event.denial.permit, &event.request),
                _ => return None,
            };
            (asked.request_id == id && asked.agent.as_str() == agent).then_some(permit)
        })
    }

    /// I2: the records alone lead to the same state.
    pub fn replayed(&self) -> State {
        let mut state = State::default();
        for record in &self.records {
            apply_record(&mut state, record);
        }
        state
    }
}

/// A request with every default.
pub fn request(id: &str, agent: &str, body: &str) -> permit::Request {
    let text = format!(r#"{{"request_id":"{id}","agent":"{agent}",{body}}}"#);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
