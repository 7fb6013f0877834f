//! The crew: one process for each seat, started again when it dies.
//!
//! Each seat has a task of its own that owns the child, its pipes and its fate, so a signal is only ever sent to a
//! child that has not been waited for.
use crate::error::Error;
use crate::options::{AGENT_VARIABLE, AgentOptions, Launch};
use crate::process::{EXIT_STOPPED, EXIT_UNUSABLE, Tally};
use crate::roles::Seat;
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Orders that wait at a seat. Few are ever given; a seat that has not taken these yet gets no more.
const ORDERS_MAX: usize = 8;
/// Tallies and deaths that wait for the orchestrator: some seconds of all seats. Full, the seats wait.
const NEWS_MAX: usize = 1_024;
/// A pause before an agent is started again.
const RESTART_AFTER: Duration = Duration::from_millis(100);
/// How long an agent may take to finish its step when told to stop; it may be waiting out a busy ledger.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// What happens at a seat.
#[derive(Debug)]
pub(super) enum News {
    /// An agent told what it did.
    Tally(Tally),
    /// It was killed as ordered, and is started again.
    Killed,
    /// It was stopped as ordered.
    Paused,
    /// It was told to think for long.
    Stalled,
    /// It ended by itself and is started again.
    Failed(String),
    /// It cannot work; it is not started again.
    Unusable(Seat, String),
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Kill,
    Pause(Duration),
    Stall(Duration),
    Stop,
}

/// All seats.
#[derive(Debug)]
pub(super) struct Crew {
    seats: Vec<(mpsc::Sender<Order>, JoinHandle<()>)>,
    pub news: mpsc::Receiver<News>,
}

impl Crew {
    /// Starts an agent for each of these.
    pub fn start(launch: &Launch, agents: Vec<AgentOptions>) -> Self {
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let seats = agents.into_iter().map(|options| {
            let (order, orders) = mpsc::channel(ORDERS_MAX);
            let seat = SeatTask {
                launch: launch.clone(),
                options,
                orders,
                tell: tell.clone(),
            };
            (order, tokio::spawn(seat.run()))
        });
        Crew {
            seats: seats.collect(),
            news,
        }
    }

    pub fn count(&self) -> usize {
        self.seats.len()
    }

    /// Kills the agent of a seat; it is started again.
    pub fn kill(&self, seat: usize) {
        self.order(seat, Order::Kill);
    }

    /// Stops the agent of a seat for a while.
    pub fn pause(&self, seat: usize, span: Duration) {
        self.order(seat, Order::Pause(span));
    }

    /// Lets the agent of a seat think for this long, once.
    pub fn stall(&self, seat: usize, span: Duration) {
        self.order(seat, Order::Stall(span));
    }

    fn order(&self, seat: usize, order: Order) {
        if let Some((orders, _)) = self.seats.get(seat) {
            // A seat that is busy dying has no use for a further order.
            let _ = orders.try_send(order);
        }
    }

    /// Tells every agent to stop, and hands over what they tell until the last one has.
    pub async fn stop(mut self, mut hear: impl FnMut(News)) {
        for (orders, _) in &self.seats {
            let orders = orders.clone();
            tokio::spawn(async move { orders.send(Order::Stop).await });
        }
        // The channel closes when the last seat is empty.
        while let Some(news) = self.news.recv().await {
            hear(news);
        }
        for (_, seat) in self.seats {
            // A seat's panic has been printed; there is nothing left to stop.
            let _ = seat.await;
        }
    }
}

struct SeatTask {
    launch: Launch,
    options: AgentOptions,
    orders: mpsc::Receiver<Order>,
    tell: mpsc::Sender<News>,
}

/// How a life of an agent ended.
enum End {
    Stopped,
    Killed,
    Failed(String),
    Unusable(String),
}

impl SeatTask {
    async fn run(mut self) {
        loop {
            let end = match self.spawn() {
                Ok((child, input)) => self.live(child, input).await,
                Err(error) => End::Unusable(error.to_string()),
            };
            let news = match end {
                End::Stopped => return,
                End::Killed => News::Killed,
                End::Failed(why) => News::Failed(why),
                End::Unusable(why) => {
                    let _ = self.tell.send(News::Unusable(self.options.seat, why)).await;
                    return;
                }
            };
            if self.tell.send(news).await.is_err() {
                return;
            }
            self.options.life += 1;
            let restart_at = Instant::now() + RESTART_AFTER;
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(restart_at) => break,
                    order = self.orders.recv() => match order {
                        Some(Order::Kill | Order::Pause(_) | Order::Stall(_)) => {}
                        Some(Order::Stop) | None => return,
                    },
                }
            }
        }
    }

    fn spawn(&self) -> Result<(Child, Option<ChildStdin>), Error> {
        let failed = || format!("starting {}", self.launch.program.display());
        let options = serde_json::to_string(&self.options)
            .map_err(std::io::Error::other)
            .map_err(Error::io(failed()))?;
        let mut child = Command::new(&self.launch.program)
            .args(&self.launch.arguments)
            .arg(self.options.seat.name())
            .env(AGENT_VARIABLE, options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C reaches the orchestrator, which then stops the agents in good order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io(failed()))?;
        let input = child.stdin.take();
        Ok((child, input))
    }

    /// One life: hands on what the agent tells, does as ordered, until it ends.
    async fn live(&mut self, mut child: Child, mut input: Option<ChildStdin>) -> End {
        let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            return End::Unusable("its output cannot be read".into());
        };
        let mut output = BufReader::new(output).lines();
        let mut errors = BufReader::new(errors).lines();
        let (mut killed, mut stopping) = (false, false);
        let mut last_words = String::new();
        let far = Instant::now() + Duration::from_secs(86_400 * 365);
        let (mut resume_at, mut kill_at) = (far, far);
        let (mut told, mut complained) = (true, true);
        let status = loop {
            tokio::select! {
                line = output.next_line(), if told => match line {
                    Ok(Some(line)) => self.hand_on(&line).await,
                    Ok(None) | Err(_) => told = false,
                },
                line = errors.next_line(), if complained => match line {
                    Ok(Some(line)) if line.is_empty() => {}
                    Ok(Some(line)) => last_words = line,
                    Ok(None) | Err(_) => complained = false,
                },
                // Only when all was read: nothing an agent told is lost.
                status = child.wait(), if !told && !complained => break status,
                order = self.orders.recv() => match order {
                    Some(Order::Kill) => {
                        killed = true;
                        // It may have ended by itself just now.
                        let _ = child.start_kill();
                    }
                    Some(Order::Pause(span)) => {
                        if signal(&child, Signal::STOP) {
                            resume_at = Instant::now() + span;
                            let _ = self.tell.send(News::Paused).await;
                        }
                    }
                    Some(Order::Stall(span)) => {
                        let line = format!("stall {}\n", span.as_millis());
                        // A line fits the pipe of an agent that reads; one that is gone needs no order.
                        if let Some(input) = &mut input
                            && input.write_all(line.as_bytes()).await.is_ok()
                        {
                            let _ = self.tell.send(News::Stalled).await;
                        }
                    }
                    Some(Order::Stop) | None => {
                        stopping = true;
                        signal(&child, Signal::CONT);
                        input = None;
                        kill_at = Instant::now() + STOP_WITHIN;
                    }
                },
                () = tokio::time::sleep_until(resume_at) => {
                    resume_at = far;
                    signal(&child, Signal::CONT);
                }
                () = tokio::time::sleep_until(kill_at) => {
                    kill_at = far;
                    let _ = child.start_kill();
                }
            }
        };
        drop(input);
        let code = status
            .as_ref()
            .ok()
            .and_then(std::process::ExitStatus::code);
        match code {
            _ if stopping => End::Stopped,
            _ if killed => End::Killed,
            Some(code) if code == i32::from(EXIT_STOPPED) => {
                End::Failed("it stopped unasked".into())
            }
            Some(code) if code == i32::from(EXIT_UNUSABLE) => {
                // The error will name the agent itself.
                let name = format!("{}: ", self.options.seat.name());
                End::Unusable(last_words.trim_start_matches(&name).to_owned())
            }
            Some(_) | None if last_words.is_empty() => End::Failed(format!(
                "{}: {}",
                self.options.seat.name(),
                status.map_or_else(|error| error.to_string(), |status| status.to_string())
            )),
            Some(_) | None => End::Failed(last_words),
        }
    }

    async fn hand_on(&self, line: &str) {
        // Anything else on its output (a test harness's greeting) is not for us.
        if let Ok(tally) = serde_json::from_str(line) {
            let _ = self.tell.send(News::Tally(tally)).await;
        }
    }
}

/// Sends a signal to a child that has not been waited for, so that its number is still its own.
fn signal(child: &Child, signal: Signal) -> bool {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    pid.and_then(Pid::from_raw)
        .is_some_and(|pid| kill_process(pid, signal).is_ok())
}
