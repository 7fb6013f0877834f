//! Whether a fleet's writes go through. After the journal refused one, commands are refused for a while and reads are
//! served; then one attempt is let through, and the pause is twice as long when that one fails too.
use fleet_types::Seq;
use std::time::{Duration, Instant};

/// First pause before writes are tried again after the journal refused one; doubles up to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_LAST: Duration = Duration::from_secs(10);

/// Whether writes go through.
#[derive(Default)]
pub struct Writes {
    standing: Standing,
}

#[derive(Default)]
enum Standing {
    /// As far as is known.
    #[default]
    Open,
    /// Refused until then.
    Refused {
        why: String,
        until: Instant,
        pause: Duration,
    },
    /// Tried again since this place in the journal, after this pause.
    Tried { since: Seq, pause: Duration },
}

impl Writes {
    /// Why a command is refused at `now`. When the pause is over, whoever asks is let through.
    pub fn refusal(&mut self, now: Instant, seq: Seq) -> Option<&str> {
        if let Standing::Refused { until, pause, .. } = self.standing
            && now >= until
        {
            let since = seq;
            self.standing = Standing::Tried { since, pause };
        }
        match &self.standing {
            Standing::Refused { why, .. } => Some(why),
            Standing::Open | Standing::Tried { .. } => None,
        }
    }

    /// How long nothing can be written.
    pub fn pause_left(&self, now: Instant) -> Duration {
        match &self.standing {
            Standing::Refused { until, .. } => until.saturating_duration_since(now),
            Standing::Open | Standing::Tried { .. } => Duration::ZERO,
        }
    }

    /// The journal is durable up to here: an attempt that lies before it went through.
    pub fn durable(&mut self, seq: Seq) {
        if let Standing::Tried { since, .. } = self.standing
            && seq > since
        {
            self.standing = Standing::Open;
        }
    }

    /// The journal refused a write.
    pub fn failed(&mut self, why: String, now: Instant) {
        let pause = match self.standing {
            Standing::Tried { pause, .. } => (pause * 2).min(PAUSE_LAST),
            Standing::Open | Standing::Refused { .. } => PAUSE_FIRST,
        };
        let until = now + pause;
        self.standing = Standing::Refused { why, until, pause };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_until_a_write_goes_through() {
        let mut now = Instant::now();
        let mut writes = Writes::default();
        assert_eq!(writes.refusal(now, Seq(7)), None);
        for pause in [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
            let pause = Duration::from_millis(pause);
            writes.failed("no space".into(), now);
            assert_eq!(writes.pause_left(now), pause);
            assert_eq!(writes.refusal(now, Seq(7)), Some("no space"));
            now += pause;
            assert_eq!(writes.pause_left(now), Duration::ZERO);
            assert_eq!(writes.refusal(now, Seq(7)), None);
            writes.durable(Seq(7)); // Nothing new is durable yet.
        }
        writes.durable(Seq(8));
        writes.failed("no space".into(), now);
        assert_eq!(writes.pause_left(now), PAUSE_FIRST);
    }
}
