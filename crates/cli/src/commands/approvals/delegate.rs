//! Letting another answer in one's place.
use super::{Speaker, Why};
use crate::commands::tell_change;
use crate::failure::Outcome;
use crate::{parse, show};
use clap::Args;
use fleet_client::Fleet;
use fleet_types::Millis;
use fleet_types::approval::{DelegateBody, EndDelegationBody, Person};

/// Another answers in one's place.
#[derive(Args)]
pub struct Delegate {
    /// Who answers: user:KEY or agent:AGENT
    to: Person,
    /// For how long: 8h, 14d
    #[arg(long = "for", value_name = "TIME", value_parser = parse::millis)]
    span: Millis,
    /// In whose place; absent: one's own. Another's only for admins
    #[arg(long, value_name = "PERSON")]
    from: Option<Person>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    speaker: Speaker,
}

/// It is over before its time.
#[derive(Args)]
pub struct Undelegate {
    /// Whose; absent: one's own. Another's only for admins
    #[arg(long, value_name = "PERSON")]
    from: Option<Person>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    speaker: Speaker,
}

pub async fn delegate(fleet: &Fleet, other: Delegate) -> Outcome {
    let told = format!(
        "{} answers in that place for {}",
        other.to,
        show::span_ms(other.span.0)
    );
    let body = DelegateBody {
        from: other.from,
        to: other.to,
        for_ms: other.span,
        reason: other.why.reason,
        speaks_as: other.speaker.speaks_as,
    };
    fleet.delegate(&body).await?;
    eprintln!("{told}");
    Ok(())
}

pub async fn end(fleet: &Fleet, own: Undelegate) -> Outcome {
    let body = EndDelegationBody {
        from: own.from,
        reason: own.why.reason,
        speaks_as: own.speaker.speaks_as,
    };
    let changed = fleet.end_delegation(&body).await?.changed;
    tell_change(changed, "the delegation is over");
    Ok(())
}
