//! Who is asked: the next ones, or others instead; and what is said besides.
use super::{Speaker, Why};
use crate::failure::Outcome;
use crate::{parse, show};
use clap::Args;
use fleet_client::Fleet;
use fleet_types::approval::{Assignee, CommentBody, EscalateBody, ReassignBody};
use fleet_types::{ApprovalId, Text};

/// The next ones are asked.
#[derive(Args)]
pub struct Escalate {
    /// Which
    approval: ApprovalId,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    speaker: Speaker,
}

/// Others are asked instead.
#[derive(Args)]
pub struct Reassign {
    /// Which
    approval: ApprovalId,
    /// Who is asked from now on: user:KEY, role:operator, role:admin, group:GROUP or agent:AGENT
    #[arg(required = true, value_name = "ASSIGNEE")]
    assignees: Vec<Assignee>,
    /// How many of them must approve; absent: as before
    #[arg(long, value_name = "N")]
    needed: Option<u32>,
    #[command(flatten)]
    why: Why,
}

/// Something said.
#[derive(Args)]
pub struct Words {
    /// Which
    approval: ApprovalId,
    /// What
    #[arg(value_parser = parse::text)]
    comment: Text,
    #[command(flatten)]
    speaker: Speaker,
}

pub async fn escalate(fleet: &Fleet, steps: Escalate) -> Outcome {
    let body = EscalateBody {
        reason: steps.why.reason,
        speaks_as: steps.speaker.speaks_as,
    };
    fleet.escalate(steps.approval, &body).await?;
    tell_asked(fleet, steps.approval).await
}

pub async fn reassign(fleet: &Fleet, others: Reassign) -> Outcome {
    let body = ReassignBody {
        assignees: others.assignees,
        needed: others.needed,
        reason: others.why.reason,
    };
    fleet.reassign(others.approval, &body).await?;
    tell_asked(fleet, others.approval).await
}

async fn tell_asked(fleet: &Fleet, approval: ApprovalId) -> Outcome {
    let now = fleet.approval(approval).await?;
    let asked = show::asked_of(&now.assignees, now.needed);
    eprintln!("approval {approval} is asked of {asked} now");
    Ok(())
}

pub async fn comment(fleet: &Fleet, words: Words) -> Outcome {
    let body = CommentBody {
        comment: words.comment,
        speaks_as: words.speaker.speaks_as,
    };
    fleet.comment(words.approval, &body).await?;
    eprintln!("said of approval {}", words.approval);
    Ok(())
}
