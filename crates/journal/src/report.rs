//! What a verification found.

use std::fmt;

use serde::Serialize;

use crate::{Damage, FleetKey, Hash, Hex, hash};

/// What a verification found, fleet by fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One entry per fleet, in order of their keys.
    pub fleets: Vec<FleetReport>,
}

/// What a verification found in one fleet's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetReport {
    /// Whose journal.
    pub fleet: FleetKey,
    /// Sound batches seen, up to the first damage.
    pub batches: u64,
    /// Events in them.
    pub events: u64,
    /// The first event's number; 0 when no batch was seen.
    pub first_seq: u64,
    /// The last event's number; 0 when no batch was seen.
    pub last_seq: u64,
    /// The hash of the last sound row. Kept elsewhere, it proves later that nothing was rewritten.
    #[serde(with = "hash::hex")]
    pub head_hash: Hash,
    /// The sound snapshots.
    pub snapshots: Vec<u64>,
    /// The first damage, if any.
    #[serde(
        serialize_with = "damage_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub damage: Option<Damage>,
}

fn damage_text<S: serde::Serializer>(
    damage: &Option<Damage>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match damage {
        Some(damage) => serializer.collect_str(damage),
        None => serializer.serialize_none(),
    }
}

impl Report {
    /// The first damage of the first damaged fleet.
    pub fn damage(&self) -> Option<&Damage> {
        self.fleets.iter().find_map(|fleet| fleet.damage.as_ref())
    }

    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damage().is_none()
    }

    /// Events in sound batches of all fleets.
    pub fn events(&self) -> u64 {
        self.fleets.iter().map(|fleet| fleet.events).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fleets
            .iter()
            .try_for_each(|fleet| writeln!(f, "{fleet}"))
    }
}

impl fmt::Display for FleetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FleetReport {
            fleet,
            batches,
            events,
            first_seq,
            last_seq,
            head_hash,
            snapshots,
            damage,
        } = self;
        write!(
            f,
            "{fleet}: {batches} batches, {events} events, {first_seq}..={last_seq}"
        )?;
        if !snapshots.is_empty() {
            let seqs: Vec<String> = snapshots.iter().map(u64::to_string).collect();
            write!(f, ", snapshots {}", seqs.join(" "))?;
        }
        write!(f, ", head {:#}", Hex(head_hash))?;
        match damage {
            None => f.write_str(", sound"),
            Some(damage) => write!(f, ", DAMAGED: {damage}"),
        }
    }
}
