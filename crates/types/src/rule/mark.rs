//! What a grant is to rules: kept with it, and counted by them.
use crate::id::RuleId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// What rules had to do with an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = RuleNotes)]
pub struct Notes {
    /// What the grant is to the rules whose cases it belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "marks")]
    pub marks: Vec<Mark>,
    /// Rules that are observed and would have stopped it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<RuleId>,
}

impl Notes {
    /// Themselves, if they say anything.
    #[must_use]
    pub fn filled(self) -> Option<Box<Notes>> {
        let says_something = !self.marks.is_empty() || !self.observed.is_empty();
        says_something.then(|| Box::new(self))
    }
}

/// What a grant is to rules about one thing: remembered with the permit while it is in flight, and afterwards for as long as
/// each rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RuleMark)]
pub struct Mark {
    /// About which thing.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    #[schema(value_type = String)]
    pub key: SmolStr,
    /// To which rules.
    #[schema(value_type = Vec<Marked>)]
    pub rules: Alike,
}

/// Rules that a grant is the same to: one list of their names, however many grants there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// Which, and of which of their cases.
    pub sides: Arc<[(RuleId, Side)]>,
    /// How much, in millionths, where they sum.
    pub micros: Option<u64>,
}

/// What a grant is to one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleMarked)]
pub struct Marked {
    /// Which.
    pub rule: RuleId,
    /// Of which of its cases: its own, or the other one.
    #[serde(default, skip_serializing_if = "Side::is_own")]
    pub side: Side,
    /// How much, in millionths, where a rule sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
}

impl Serialize for Alike {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.sides.iter().map(|(rule, side)| Marked {
            rule: rule.clone(),
            side: *side,
            micros: self.micros,
        }))
    }
}

/// Marks as they are written: rules of one thing stand together, whatever the grant is to each.
fn marks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Mark>, D::Error> {
    #[derive(Deserialize)]
    struct Written {
        #[serde(default)]
        key: SmolStr,
        rules: Vec<Marked>,
    }
    let mut marks = Vec::new();
    for Written { key, rules } in Vec::deserialize(deserializer)? {
        for alike in rules.chunk_by(|one, next| one.micros == next.micros) {
            let sides = alike.iter().map(|one| (one.rule.clone(), one.side));
            let (sides, micros) = (sides.collect(), alike[0].micros);
            marks.push(Mark {
                key: key.clone(),
                rules: Alike { sides, micros },
            });
        }
    }
    Ok(marks)
}

/// One of the two cases of a rule.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleSide)]
pub enum Side {
    /// The rule's own case.
    #[default]
    Own,
    /// The case that its form names.
    Other,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Own => Side::Other,
            Side::Other => Side::Own,
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_own(&self) -> bool {
        *self == Side::Own
    }
}
