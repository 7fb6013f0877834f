//! The orchestrator: makes a ledger, starts the agents, keeps them in work, stops them, and has the ledger audited.
mod books;
mod chaos;
mod crew;
mod feed;
mod progress;

use crate::coordinate::{Control, Look, NoControl, ServerControl};
use crate::desks::{DeskReport, Desks};
use crate::error::Error;
use crate::ledger::audit::{self, Auditor};
use crate::ledger::{Ledger, now_micros};
use crate::options::{AgentOptions, Launch, Mode, Options};
use crate::process::terminated;
use crate::report::{Events, HaltSeen, Permits, Report, Run};
use crate::roles::seats;
use books::Books;
use chaos::{Mischief, Timetable};
use crew::Crew;
use feed::Feed;
use fleet_types::{HaltId, Text, halt};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the queue is filled up and mischief looked for.
const TICK: Duration = Duration::from_millis(50);
/// How often the log is read and progress shown: every so many ticks.
const SHOW_EVERY: u32 = 10;
/// How long the server may take to answer the orchestrator.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Runs the bank until its time is over, its input done, or SIGINT or SIGTERM comes; then reports.
///
/// # Errors
/// When it cannot begin (no server, no usable input, no place to write), or an agent cannot work at all.
pub async fn run(options: Options) -> Result<Report, Error> {
    match (options.mode, options.server.clone()) {
        (Mode::Uncoordinated, _) => run_all(options, NoControl, terminated(), true).await,
        (Mode::Coordinated, Some(mut server)) => {
            server.key.clone_from(&options.desks.admin_key);
            run_all(options, ServerControl::new(server), terminated(), true).await
        }
        (Mode::Coordinated, None) => Err(Error::NoServer),
    }
}

/// Runs the agents alone with this control, without the desks beside them, until `stop` at the latest.
///
/// # Errors
/// As [`run`].
pub async fn run_with<C: Control>(
    options: Options,
    control: C,
    stop: impl Future<Output = ()>,
) -> Result<Report, Error> {
    run_all(options, control, stop, false).await
}

async fn run_all<C: Control>(
    options: Options,
    control: C,
    stop: impl Future<Output = ()>,
    with_desks: bool,
) -> Result<Report, Error> {
    let folder = options.folder();
    std::fs::create_dir_all(&folder)
        .map_err(Error::io(format!("creating {}", folder.display())))?;
    let launch = match &options.launch {
        Some(launch) => launch.clone(),
        None => Launch::this_program().map_err(Error::io("finding this program"))?,
    };
    let mut ledger = Ledger::create(&options.ledger_path(), "orchestrator")?;
    let mut feed = Feed::open(&options, &mut ledger)?;
    feed.top_up(&mut ledger)?;
    let accounts = ledger.directory()?.customers.len() as u64;
    let desks = match with_desks {
        true => Some(Desks::start(&options).await?),
        false => None,
    };
    let crew = Crew::start(&launch, agents(&options));
    let start = Instant::now();
    let mut shift = Shift {
        timetable: Timetable::new(&options.chaos, options.seed, crew.count(), start),
        control: Arc::new(control),
        books: Books::new(),
        halted: None,
        feed,
        ledger,
        start,
        options,
    };
    let agents = crew.count() as u64;
    let worked = shift.work(crew, stop).await;
    let millis = shift.start.elapsed().as_millis() as u64;
    // What is under way between databases and banks comes to its end; the report waits for it.
    let desks = match desks {
        Some(desks) => desks.stop().await,
        None => Ok(DeskReport::default()),
    };
    worked?;
    let desks = desks?;
    let run = shift.conclude(millis, accounts, agents, desks)?;
    Report::keep(&shift.options, run)
}

fn agents(options: &Options) -> Vec<AgentOptions> {
    let agent = |seat| AgentOptions {
        seat,
        mode: options.mode,
        ledger: options.ledger_path(),
        seed: options.seed,
        life: 0,
        skew: options.skew,
        think_us: options.think_us,
        lease_ms: options.lease.as_millis() as u64,
        wait_ms: options.wait.as_millis() as u64,
        server: options.server.clone(),
    };
    seats().map(agent).collect()
}

/// A run under way.
struct Shift<C> {
    options: Options,
    control: Arc<C>,
    ledger: Ledger,
    feed: Feed,
    books: Books,
    timetable: Timetable,
    start: Instant,
    /// The halt in force, and since when: after the start, and by the log's clock.
    halted: Option<(HaltId, Duration, i64)>,
}

impl<C: Control> Shift<C> {
    /// Keeps the crew at work, then stops it.
    async fn work(&mut self, mut crew: Crew, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let (show_look, look) = watch::channel(Look::default());
        let looker = tokio::spawn(keep_looking(self.control.clone(), show_look));
        let result = self.keep_going(&mut crew, stop, &look).await;
        looker.abort();
        if self.halted.is_some() {
            self.release().await;
        }
        let books = &mut self.books;
        crew.stop(|news| {
            // Too late to matter: the run is over.
            let _ = books.hear(news);
        })
        .await;
        result
    }

    async fn keep_going(
        &mut self,
        crew: &mut Crew,
        stop: impl Future<Output = ()>,
        look: &watch::Receiver<Look>,
    ) -> Result<(), Error> {
        let mut stop = std::pin::pin!(stop);
        let end = self.options.duration.map(|span| self.start + span);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut display = progress::Display::new(self.options.progress);
        let mut auditor = Auditor::default();
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                () = &mut stop => break,
                news = crew.news.recv() => match news {
                    Some(news) => if let Some(error) = self.books.hear(news) {
                        display.end();
                        return Err(error);
                    },
                    None => break,
                },
                now = tick.tick() => {
                    if end.is_some_and(|end| end <= now) {
                        break;
                    }
                    if self.feed.top_up(&mut self.ledger)? {
                        break;
                    }
                    while let Some(mischief) = self.timetable.due(now) {
                        self.make(mischief, crew).await;
                    }
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(SHOW_EVERY) {
                        auditor.catch_up(&self.ledger)?;
                        display.show(&progress::Standing {
                            mode: self.options.mode,
                            elapsed: self.start.elapsed(),
                            totals: &self.books.totals,
                            findings: auditor.findings(),
                            look: &look.borrow(),
                        });
                    }
                }
            }
        }
        display.end();
        Ok(())
    }

    async fn make(&mut self, mischief: Mischief, crew: &Crew) {
        match mischief {
            Mischief::Kill(seat) => crew.kill(seat),
            Mischief::Pause(seat) => crew.pause(seat, self.options.chaos.pause_for),
            Mischief::Stall(seat) => crew.stall(seat, self.options.chaos.pause_for),
            Mischief::Halt => {
                let order = halt::Order {
                    target: halt::Target::All,
                    mode: halt::Mode::Immediate,
                    reason: Text::clip("the bank's own drill"),
                    release_by_two: Some(false),
                };
                match timed(self.control.halt(order)).await {
                    Ok(halt) => self.halted = Some((halt, self.start.elapsed(), now_micros())),
                    // The server may have been killed just now: it is thrown when it is back.
                    Err(why) => {
                        if !self.timetable.halt_again() {
                            self.books.complain(format!("halt: {why}"));
                        }
                    }
                }
            }
            Mischief::Release => self.release().await,
        }
    }

    /// Releases the halt, trying again while the server is not there.
    async fn release(&mut self) {
        let Some((halt, at, since)) = self.halted.take() else {
            return;
        };
        let until = now_micros();
        let lasted = self.start.elapsed().saturating_sub(at);
        let mut tries = 0;
        while let Err(why) = timed(self.control.release(halt)).await {
            tries += 1;
            if tries == 20 {
                self.books.complain(format!("release of {halt}: {why}"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.books.events.halts.push(HaltSeen {
            at_ms: at.as_millis() as u64,
            lasted_ms: lasted.as_millis() as u64,
            entries: self.ledger.entries_between(since, until).unwrap_or(0),
        });
    }

    /// Audits the ledger and writes down what came of the run.
    fn conclude(
        &mut self,
        millis: u64,
        accounts: u64,
        agents: u64,
        desks: DeskReport,
    ) -> Result<Run, Error> {
        let findings = audit::audit(&mut self.ledger)?;
        let Books {
            totals,
            waits,
            events,
        } = &self.books;
        Ok(Run {
            mode: self.options.mode,
            seed: self.options.seed,
            millis,
            accounts,
            agents,
            input: self.feed.summary.clone(),
            steps: totals.steps,
            entries: self.ledger.entries_by_kind()?,
            instructions: self.ledger.instruction_states()?,
            clean: findings.is_clean() && desks.is_clean(),
            findings,
            desks,
            permits: Permits {
                granted: totals.granted,
                queued: totals.queued,
                denied: totals.denied.clone(),
                lost: totals.lost,
                wait_p50_us: waits.value_at_quantile(0.50),
                wait_p99_us: waits.value_at_quantile(0.99),
                wait_max_us: waits.max(),
                cost: totals.cost,
            },
            events: Events {
                steps_stopped: totals.stopped,
                ..events.clone()
            },
        })
    }
}

/// The answer, or that it did not come in time.
async fn timed<T>(
    answer: impl Future<Output = Result<T, crate::coordinate::Lost>>,
) -> Result<T, crate::coordinate::Lost> {
    tokio::time::timeout(ANSWER_WITHIN, answer)
        .await
        .unwrap_or_else(|_| Err(crate::coordinate::Lost("no answer in time".into())))
}

/// Looks at the server once a second, beside the run: a server that is gone must not slow the feed.
async fn keep_looking<C: Control>(control: Arc<C>, show: watch::Sender<Look>) {
    loop {
        if let Ok(look) = timed(control.look()).await {
            show.send_replace(look);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
