//! `fleet permits request`: ask, and wait for the turn.
use super::shown;
use super::wanted::Wanted;
use super::withdraw;
use crate::context::Global;
use crate::exit;
use crate::failure::{Failure, Outcome, exit_of};
use crate::output::{self, Format};
use crate::{paint, show};
use fleet_client::ask::Asking;
use fleet_client::{Error, Fleet};
use fleet_types::Millis;
use fleet_types::permit::{Decision, Denial, Grant, Queued, ViewState};
use fleet_types::session::PermitRequest;
use std::time::{Duration, Instant};

pub async fn run(global: &Global, fleet: &Fleet, wanted: Wanted) -> Outcome {
    let (wait, explain) = (wanted.wait, wanted.explain);
    let mut request = wanted.ask()?.into_request();
    let decision = if wait.0 == 0 {
        fleet.request(request).await?
    } else {
        let id = withdraw::Id::of(&mut request)?;
        let turn = turn(global, fleet, &request);
        withdraw::when_stopped(fleet, &request, id, turn).await?
    };
    tell(global, decision, explain)
}

/// Asks, and hears the first answer at once: a batch is not waited for.
pub(super) async fn first_answer(
    fleet: &Fleet,
    request: &PermitRequest,
) -> Result<Option<Decision>, Error> {
    let answers = fleet.request_all(std::slice::from_ref(request)).await?;
    match answers.into_iter().next() {
        Some(answer) => match answer.problem {
            Some(problem) => Err(Error::refused(problem)),
            None => Ok(answer.decision),
        },
        None => Ok(None),
    }
}

/// Asks, says what it waits for, and waits for its turn.
async fn turn(global: &Global, fleet: &Fleet, request: &PermitRequest) -> Outcome<Decision> {
    let until = Instant::now() + Duration::from_millis(request.wait_ms.0);
    let mut queued = match first_answer(fleet, request).await? {
        Some(Decision::Queued(queued)) => queued,
        Some(decided) => return Ok(decided),
        None => return Err(Failure::new(exit::FAILED, "the server gave no decision")),
    };
    tell_waits(global, &queued);
    loop {
        // Not given up when the wait is over: the server's last word comes a moment later, and only that ends it.
        let left = until.saturating_duration_since(Instant::now());
        let wait = Millis(
            u64::try_from(left.as_millis())
                .unwrap_or(u64::MAX)
                .clamp(1_000, 25_000),
        );
        match fleet.permit(queued.permit, wait).await {
            Ok(view) if matches!(view.state, ViewState::Queued | ViewState::AwaitingApproval) => {
                if let Some(waits_for) = view.waits_for
                    && waits_for != queued.waits_for
                {
                    queued.waits_for = waits_for;
                    tell_waits(global, &queued);
                }
            }
            Ok(view) => {
                return Ok(Decision::Granted(Grant {
                    permit: view.permit,
                    resources: view.resources,
                    versions: view.versions,
                    expires_at: view.until,
                    explain: Vec::new(),
                    changed: view.asked.map(|_| view.request.into()),
                }));
            }
            Err(error) => {
                return match error.denial() {
                    Some(denial) => Ok(Decision::Denied(denial.clone())),
                    None => Err(error.into()),
                };
            }
        }
    }
}

fn tell_waits(global: &Global, queued: &Queued) {
    if global.is_for_people() {
        eprintln!(
            "{} waits for {}",
            queued.permit,
            show::blocker(&queued.waits_for)
        );
    }
}

fn tell(global: &Global, decision: Decision, explain: bool) -> Outcome {
    let denied = match &decision {
        Decision::Denied(denial) => Some(exit_of(denial.code)),
        Decision::Granted(_) | Decision::Queued(_) => None,
    };
    match (global.output, &decision) {
        (Format::Json | Format::Yaml, _) => output::raw(global.output, &decision)?,
        (Format::Name, Decision::Granted(grant)) => output::write(&format!("{}\n", grant.permit))?,
        (Format::Name, Decision::Queued(queued)) => output::write(&format!("{}\n", queued.permit))?,
        // There is no name to print; why is for whoever looks on.
        (Format::Name, Decision::Denied(denial)) => {
            eprintln!("{}", refusal(denial));
            if let Some(blocker) = &denial.blocker {
                eprintln!("in the way: {}", show::blocker(blocker));
            }
        }
        (Format::Table, Decision::Granted(grant)) => {
            output::detail(Format::Table, &shown::Granted(grant.clone()))?;
            if explain {
                shown::gates(&grant.explain)?;
            }
        }
        (Format::Table, Decision::Queued(queued)) => {
            output::write(&format!(
                "{} {}: {} before it, waits for {}; denied {} if its turn has not come\n",
                queued.permit,
                paint::waiting("queued"),
                queued.position,
                show::blocker(&queued.waits_for),
                show::relative(queued.until),
            ))?;
            eprintln!(
                "ask again with: fleet permits get {} --wait 25s",
                queued.permit
            );
            if explain {
                shown::gates(&queued.explain)?;
            }
        }
        (Format::Table, Decision::Denied(denial)) => {
            output::write(&format!("{}\n", refusal(denial)))?;
            if let Some(blocker) = &denial.blocker {
                output::write(&format!("in the way: {}\n", show::blocker(blocker)))?;
            }
            if let Some(after) = denial.retry_after_ms {
                eprintln!("try again in {}", show::span_ms(after.0));
            }
            eprintln!("more: https://fleetcommand.dev/errors/{}", denial.code);
            if explain {
                shown::gates(&denial.explain)?;
            }
        }
    }
    match denied {
        Some(code) => Err(Failure::told(if code == exit::FAILED {
            exit::DENIED
        } else {
            code
        })),
        None => Ok(()),
    }
}

/// `denied by the locks gate: lock_held: …`.
fn refusal(denial: &Denial) -> String {
    format!(
        "{} by the {} gate: {}: {}",
        paint::bad("denied"),
        show::word(&denial.gate),
        denial.code,
        denial.reason
    )
}
