//! What permits of one watch did to one thing before they did it last, oldest first.
//!
//! What nobody needs is looked for when there are many, so that most are only put behind the others.
use super::agents::AgentNumber;
use super::tally::{Done, How};
use super::watch::{Fit, Keep};
use fleet_types::{Seq, Time};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Entries past which two are put together, under the later time: such a sum falls later than it could, never earlier.
pub const DONE_MAX: usize = if cfg!(test) { 8 } else { 4_096 };

/// Entries at which those that nobody needs are looked for, and then when there are twice as many as were left. To tell
/// agents from each other costs more than to see what is old.
fn look_at(keep: Keep) -> usize {
    match keep {
        _ if cfg!(test) => 2,
        Keep::Last | Keep::All => 8,
        Keep::LastOfEach => 32,
    }
}

/// What was done before the last.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Past {
    #[serde(rename = "before")]
    done: Vec<Done>,
    /// How many there may be before those that nobody needs are looked for.
    #[serde(default)]
    room: u32,
}

impl Past {
    pub fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Done> {
        self.done.iter()
    }

    pub fn clear(&mut self) {
        *self = Past::default();
    }

    /// One that was the last until `next` came; how much is not kept.
    pub fn push(&mut self, done: Done, next: &Done, fit: &Fit) -> u128 {
        let mut dropped = 0;
        if fit.keep == Keep::Last && !self.is_empty() {
            dropped += self.keep(|done| !hides(next, done, fit));
        }
        if hides(next, &done, fit) {
            return dropped + u128::from(done.micros);
        }
        // To look at all of them costs more than to keep some a little longer.
        let room = look_at(fit.keep).max(self.room as usize);
        if self.done.len() >= room.min(DONE_MAX) {
            dropped += self.forget(next.at, fit.window);
            if fit.keep == Keep::LastOfEach {
                dropped += self.drop_hidden(&[done, *next], fit);
            }
            self.room = 2 * self.done.len() as u32;
        }
        if self.done.len() >= DONE_MAX {
            dropped += put_together(&mut self.done, fit.since);
        }
        self.done.push(done);
        dropped
    }

    /// Drops what is older than the window; how much it was.
    pub fn forget(&mut self, now: Time, window: u64) -> u128 {
        let old = self
            .done
            .partition_point(|done| !done.is_within(now, window));
        let micros = sum(self.done.drain(..old).as_slice());
        self.fit_room();
        micros
    }

    /// Drops what these, which are later, and the later ones of its own hide; how much it was.
    pub fn drop_hidden(&mut self, later: &[Done], fit: &Fit) -> u128 {
        let all: Vec<&Done> = self.done.iter().chain(later).collect();
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_unstable_by_key(|nth| (all[*nth].agent, Reverse(*nth)));
        let mut is_hidden = vec![false; all.len()];
        for of_one in order.chunk_by(|one, next| all[*one].agent == all[*next].agent) {
            // The latest, and the latest that was completed, hide what all others do.
            let mut hiding: [Option<&Done>; 2] = [None; 2];
            for nth in of_one {
                let done = all[*nth];
                let mut later = hiding.iter().flatten();
                is_hidden[*nth] = later.any(|later| hides(later, done, fit));
                if done.seq > fit.since && done.how != How::Failed {
                    hiding[usize::from(done.how == How::Completed)].get_or_insert(done);
                }
            }
        }
        let mut is_hidden = is_hidden.into_iter();
        self.keep(|_| !is_hidden.next().unwrap_or_default())
    }

    fn keep(&mut self, mut is_kept: impl FnMut(&Done) -> bool) -> u128 {
        let mut dropped = 0;
        self.done.retain(|done| {
            let is_kept = is_kept(done);
            dropped += u128::from(if is_kept { 0 } else { done.micros });
            is_kept
        });
        self.fit_room();
        dropped
    }

    /// None of it is kept where nothing was done, so that a snapshot need not tell.
    fn fit_room(&mut self) {
        if self.is_empty() {
            self.room = 0;
        }
    }
}

/// Whether what is later says all that is earlier does. What some rule does not count hides nothing from it.
fn hides(later: &Done, earlier: &Done, fit: &Fit) -> bool {
    let is_alike = match fit.keep {
        Keep::All => false,
        Keep::LastOfEach => later.agent == earlier.agent,
        Keep::Last => true,
    };
    is_alike && later.seq > fit.since && says_all(later.how, earlier.how, fit)
}

fn says_all(later: How, earlier: How, fit: &Fit) -> bool {
    match (later, earlier) {
        (How::Completed, _) | (How::Unknown, How::Unknown | How::Failed) => true,
        (How::Unknown, How::Completed) => !fit.completes,
        (How::Failed, _) => false,
    }
}

pub fn sum<'d>(done: impl IntoIterator<Item = &'d Done>) -> u128 {
    done.into_iter().map(|done| u128::from(done.micros)).sum()
}

/// Puts two of one agent together, and neighbours whoever they are of where that does not help; how much was past the end of
/// a number. Nothing is allowed beside the largest number, so that is not missed.
fn put_together(done: &mut Vec<Done>, since: Seq) -> u128 {
    let was = sum(done.iter());
    let all = std::mem::take(done);
    let mut is_first = vec![false; all.len()];
    let mut alone: BTreeMap<Option<AgentNumber>, usize> = BTreeMap::new();
    let mut partner: Vec<Option<usize>> = vec![None; all.len()];
    for (nth, one) in all.iter().enumerate() {
        match alone.remove(&one.agent) {
            Some(first) => (is_first[first], partner[nth]) = (true, Some(first)),
            None => drop(alone.insert(one.agent, nth)),
        }
    }
    let kept = (0..all.len()).filter(|nth| !is_first[*nth]);
    done.extend(kept.map(|nth| match partner[nth] {
        Some(first) => both(&all[first], &all[nth], since),
        None => all[nth],
    }));
    if done.len() > DONE_MAX / 4 * 3 {
        *done = done
            .chunks(2)
            .map(|pair| match pair {
                [first, second] => both(first, second, since),
                _ => pair[0],
            })
            .collect();
    }
    was - sum(done.iter())
}

/// Two as one, under the later time. Of two that some rule tells apart nobody knows how they ended, and of two agents' nobody
/// knows whose they were: that denies, never allows.
fn both(first: &Done, second: &Done, since: Seq) -> Done {
    let are_alike = first.how == second.how && (first.seq > since) == (second.seq > since);
    Done {
        at: second.at,
        seq: first.seq.max(second.seq),
        micros: first.micros.saturating_add(second.micros),
        agent: second.agent.filter(|_| first.agent == second.agent),
        how: if are_alike { second.how } else { How::Unknown },
    }
}
