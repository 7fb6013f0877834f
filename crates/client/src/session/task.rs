//! The one task of a session: frames from callers to the socket, frames from the socket to callers, heartbeats, and the
//! way back after a cut.
//!
//! Many frames go with one system call: all that wait are handed to the socket before it is flushed, and all that have
//! been read are heard before anything else is done. Reading never waits for writing.
use super::Options;
use super::desk::{Desk, Order, Step, What, text};
use super::link::{Link, Socket, is_final};
use super::signal::{Signal, Standing};
use crate::error::{Error, Kind};
use fleet_types::session::{ClientFrame, ServerFrame, Welcome};
use fleet_types::{Code, Epoch};
use futures_util::{SinkExt, StreamExt};
use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// How long a server may take to answer good-bye.
const BYE_TIMEOUT: Duration = Duration::from_secs(2);
/// A server that was silent for so many heartbeats, though asked, is gone.
const SILENT_BEATS_MAX: u32 = 4;

pub(super) struct Task {
    pub options: Options,
    pub orders: mpsc::Receiver<Order>,
    pub desk: Desk,
    pub signals: broadcast::Sender<Signal>,
    pub standing: watch::Sender<Standing>,
    pub over: Arc<OnceLock<Error>>,
    pub epoch: Epoch,
    pub batch: Vec<Order>,
}

/// Why a connection is served no longer.
enum End {
    /// It is cut; come back.
    Cut,
    /// This life is over; whether to begin a new one.
    Ended { again: bool },
    /// We left.
    Left,
    /// The server told why it closes.
    Told(Error),
}

/// A connection while it is served.
struct Connection {
    socket: Socket,
    flushed: bool,
    beat: Interval,
    heartbeat: Duration,
    spoke_at: Instant,
    heard_at: Instant,
    /// When it was last noticed that this program had slept through its heartbeats.
    late_at: Option<Instant>,
    leaving: Option<Instant>,
    told: Option<Error>,
}

impl Task {
    pub async fn run(mut self, first: Link) {
        let mut link = first;
        let error = loop {
            let end = self.serve(link).await;
            self.standing
                .send_modify(|standing| standing.connected = false);
            match end {
                End::Left => break Error::new(Kind::Over, "the session was closed"),
                End::Told(error) if is_final(&error) => break error,
                End::Ended { again } => {
                    self.announce(Signal::Ended(self.epoch));
                    if !again {
                        break Error::new(
                            Kind::Over,
                            "another session of this instance took its place",
                        );
                    }
                    let why = Error::new(
                        Kind::Lost,
                        "too many heartbeats were missed, and everything held was released",
                    );
                    self.desk.end(&why, Code::HolderGone);
                    self.tell();
                }
                End::Cut | End::Told(_) => {}
            }
            self.announce(Signal::Cut);
            link = match self.reconnect().await {
                Ok(link) => link,
                Err(error) => break error,
            };
        };
        // Set before anyone is told, so that whoever asks next hears it too.
        let _ = self.over.set(error.clone());
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            let _ = order.reply.send(Err(error.clone()));
        }
        self.desk.end(&error, Code::HolderGone);
        self.tell();
        self.standing.send_modify(|standing| standing.over = true);
        self.announce(Signal::Over(error));
    }

    fn announce(&self, signal: Signal) {
        // Nobody may be listening.
        let _ = self.signals.send(signal);
    }

    /// Passes on what the desk has to tell.
    fn tell(&mut self) {
        if self.desk.signals.is_empty() {
            return;
        }
        let halts = self.desk.halts();
        if self.standing.borrow().halts != halts {
            let halts = halts.to_vec();
            self.standing.send_modify(|standing| standing.halts = halts);
        }
        for signal in std::mem::take(&mut self.desk.signals) {
            let _ = self.signals.send(signal);
        }
    }

    /// Takes up the life that the server tells.
    fn greet(&mut self, welcome: &Welcome) {
        let resumed = welcome.epoch == self.epoch;
        if resumed {
            self.desk.resume();
        } else if self.epoch != Epoch(0) {
            let why = Error::new(
                Kind::Lost,
                "the session began a new life, and everything held was released; ask again",
            );
            self.desk.end(&why, Code::HolderGone);
        }
        self.epoch = welcome.epoch;
        self.desk.welcome(welcome.halts.clone());
        if welcome.recovering && self.options.ready {
            self.desk.ready();
        }
        let halts = self.desk.halts().to_vec();
        let epoch = self.epoch;
        self.standing.send_modify(|standing| {
            standing.connected = true;
            standing.epoch = epoch;
            standing.halts = halts;
        });
        self.announce(Signal::Connected { epoch, resumed });
        self.tell();
    }

    async fn serve(&mut self, link: Link) -> End {
        self.greet(&link.welcome);
        let heartbeat = Duration::from_millis(link.welcome.heartbeat_ms.0.max(30));
        let mut beat = tokio::time::interval(heartbeat / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        let mut connection = Connection {
            socket: link.socket,
            flushed: true,
            beat,
            heartbeat,
            spoke_at: Instant::now(),
            heard_at: Instant::now(),
            late_at: None,
            leaving: None,
            told: None,
        };
        let end = poll_fn(|cx| self.poll(cx, &mut connection)).await;
        // It may be gone already.
        let _ =
            tokio::time::timeout(Duration::from_millis(100), connection.socket.close(None)).await;
        match (end, connection.told) {
            (End::Cut, Some(told)) => End::Told(told),
            (end, _) => end,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> Poll<End> {
        loop {
            let ordered = self.take_orders(cx, connection);
            if connection.write(cx, &mut self.desk).is_err() {
                return Poll::Ready(self.cut(connection));
            }
            let heard = match self.read(cx, connection) {
                Poll::Ready(Ok(heard)) => heard,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => false,
            };
            self.tell();
            let beaten = connection.beat.poll_tick(cx).is_ready();
            if beaten {
                match connection.on_beat(&mut self.desk) {
                    Ok(()) => {}
                    Err(()) => return Poll::Ready(self.cut(connection)),
                }
            }
            if !ordered && !heard && !beaten && self.desk.out.is_empty() {
                return Poll::Pending;
            }
            if !ordered && !heard && !beaten && !connection.flushed {
                // The socket takes no more now, and wakes us when it does.
                return Poll::Pending;
            }
        }
    }

    fn cut(&self, connection: &Connection) -> End {
        if connection.leaving.is_some() {
            End::Left
        } else {
            End::Cut
        }
    }

    /// Whether there were any.
    fn take_orders(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> bool {
        let room = self.desk.room();
        if connection.leaving.is_some() || room == 0 {
            return false;
        }
        match self.orders.poll_recv_many(cx, &mut self.batch, room) {
            Poll::Pending => false,
            Poll::Ready(0) => {
                // Nobody holds the session any more.
                self.leave(connection);
                true
            }
            Poll::Ready(_) => {
                for order in self.batch.drain(..) {
                    if order.what == What::Bye {
                        connection.leaving = Some(Instant::now());
                    }
                    self.desk.order(order);
                }
                true
            }
        }
    }

    fn leave(&mut self, connection: &mut Connection) {
        let id = self.options.next_id();
        let frame = ClientFrame::Bye(fleet_types::session::Bye {
            id,
            reason: fleet_types::Text::default(),
        });
        let (reply, _) = oneshot::channel();
        self.desk.order(Order {
            id,
            frame: text(&frame),
            what: What::Bye,
            reply,
        });
        connection.leaving = Some(Instant::now());
    }

    /// Hears everything that has come; whether there was anything.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
    ) -> Poll<Result<bool, End>> {
        let mut heard = false;
        // Others get their turn too: the loop comes back here after writing.
        for _ in 0..512 {
            let message = match connection.socket.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(self.cut(connection))),
                Poll::Pending => break,
            };
            if !heard {
                connection.heard_at = Instant::now();
            }
            heard = true;
            let Message::Text(frame) = message else {
                continue;
            };
            // A frame of a later version that we cannot read tells us nothing; its caller waits, or the session ends.
            let Ok(frame) = serde_json::from_str::<ServerFrame>(&frame) else {
                continue;
            };
            match self.desk.hear(frame) {
                Step::Go => {}
                Step::Left => return Poll::Ready(Err(End::Left)),
                Step::Ended => {
                    return Poll::Ready(Err(End::Ended {
                        again: connection.was_late(),
                    }));
                }
                Step::Told(error) => connection.told = Some(error),
            }
        }
        Poll::Ready(Ok(heard))
    }

    /// Tries until it stands again, is refused for good, or nobody holds the session any more.
    async fn reconnect(&mut self) -> Result<Link, Error> {
        let until = Instant::now().checked_add(self.options.patience);
        let options = self.options.clone();
        let resume = Some(self.epoch);
        let attempts = attempts(&options, resume);
        tokio::pin!(attempts);
        let mut impatient = false;
        loop {
            tokio::select! {
                opened = &mut attempts => return opened,
                () = wait_until(until), if !impatient => {
                    impatient = true;
                    self.desk.give_up(&lost(&options));
                    self.tell();
                }
                order = self.orders.recv(), if impatient => match order {
                    Some(order) if order.what == What::Bye => {
                        return Err(Error::new(Kind::Over, "the session was closed"));
                    }
                    Some(order) => {
                        let _ = order.reply.send(Err(lost(&options)));
                    }
                    None => return Err(Error::new(Kind::Over, "the session was closed")),
                },
                () = tokio::time::sleep(Duration::from_secs(1)), if !impatient => {
                    if self.orders.is_closed() {
                        return Err(Error::new(Kind::Over, "the session was closed"));
                    }
                }
            }
        }
    }
}

fn lost(options: &Options) -> Error {
    Error::new(
        Kind::Lost,
        format!(
            "the connection to {} is cut, and it has not come back for {:?}",
            options.url, options.patience
        ),
    )
}

async fn wait_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Tries with growing pauses.
pub(super) async fn attempts(options: &Options, resume: Option<Epoch>) -> Result<Link, Error> {
    let mut pause = options.pause_min;
    loop {
        match Link::open(options, resume).await {
            Ok(link) => return Ok(link),
            Err(error) if is_final(&error) => return Err(error),
            Err(_) => {}
        }
        // A part of the pause is by chance, so that a whole fleet does not come back at once.
        let chance = getrandom::u32().unwrap_or(0) % 1_000;
        tokio::time::sleep(pause / 2 + pause / 2 * chance / 1_000).await;
        pause = (pause * 2).min(options.pause_max);
    }
}

impl Connection {
    /// Hands over all that is to be sent, then flushes.
    fn write(&mut self, cx: &mut Context<'_>, desk: &mut Desk) -> Result<(), ()> {
        if !desk.out.is_empty() {
            self.speaks();
        }
        while !desk.out.is_empty() {
            match self.socket.poll_ready_unpin(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(()),
                Poll::Pending => break,
            }
            let Some(frame) = desk.out.pop_front() else {
                break;
            };
            self.socket
                .start_send_unpin(Message::Text(frame))
                .map_err(drop)?;
            self.flushed = false;
        }
        if !self.flushed {
            match self.socket.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(_)) => return Err(()),
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    fn speaks(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.spoke_at) > self.heartbeat * 2 {
            self.late_at = Some(now);
        }
        self.spoke_at = now;
    }

    /// Whether this program slept through its heartbeats lately: then an end is no surprise.
    fn was_late(&self) -> bool {
        let lately = |at: Instant| at.elapsed() < Duration::from_secs(10);
        self.spoke_at.elapsed() > self.heartbeat * 2 || self.late_at.is_some_and(lately)
    }

    /// Says that we are there, where nothing else did, and asks whether the server is.
    fn on_beat(&mut self, desk: &mut Desk) -> Result<(), ()> {
        let now = Instant::now();
        if self
            .leaving
            .is_some_and(|since| now.duration_since(since) > BYE_TIMEOUT)
            || now.duration_since(self.heard_at) > self.heartbeat * SILENT_BEATS_MAX
                && now.duration_since(self.spoke_at) < self.heartbeat * 2
        {
            return Err(());
        }
        if now.duration_since(self.spoke_at) >= self.heartbeat / 4 {
            desk.out.push_back(text(&ClientFrame::Heartbeat {}));
            // Heartbeats are not answered; a ping is.
            if self.flushed {
                self.socket
                    .start_send_unpin(Message::Ping(Bytes::new()))
                    .map_err(drop)?;
                self.flushed = false;
            }
        }
        Ok(())
    }
}
