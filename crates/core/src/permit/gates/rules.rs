//! Does every coordination rule let it pass?
use super::{Ask, Needs, Report, Stop};
use crate::permit::Phase;
use crate::rule::judge::{Marks, judge, one_by_one};
use fleet_types::Millis;
use fleet_types::explain::Gate;
use fleet_types::lock::Claim;
use fleet_types::permit::{Blocker, Request};
use fleet_types::rule::Notes;

pub fn pass(ask: &Ask<'_>, needs: &mut Needs, report: &mut Report) -> Result<Marks, Box<Stop>> {
    let judged = match report.wanted {
        true => one_by_one(ask, |rule, passes| {
            report.saw(|| rule.id.to_string(), passes.into());
        }),
        false => judge(ask),
    };
    report.observed = judged.observed;
    needs.extend(judged.needs);
    let Some(broken) = judged.broken else {
        return Ok(judged.marks);
    };
    let entry = ask.state.rules.get(broken.rule);
    let entry = entry.expect("it was just looked at");
    let blocker = Blocker::Rule {
        rule: entry.rule.id.clone(),
        key: broken.key,
        free_at: broken.until,
    };
    let mut stop = Stop::wait(Gate::Rules, broken.code, broken.words, blocker);
    stop.can_wait = broken.can_wait;
    stop.retry_after = broken.until.map(|at| Millis(ask.now.millis_until(at)));
    Err(stop)
}

/// What a permit claims anew, while it holds: a rule that it breaks there refuses it, and is not waited for.
pub fn pass_extension(
    ask: &Ask<'_>,
    needs: &mut Needs,
    claims: &[Claim],
) -> Result<Option<Box<Notes>>, Box<Stop>> {
    if ask.state.rules.by_id.is_empty() {
        return Ok(None);
    }
    let holds = |claim: &Claim| {
        let permit = ask.asker.permit.and_then(|key| ask.state.permits.get(key));
        permit.is_some_and(|permit| match &permit.phase {
            Phase::Granted(granted) => granted.held.iter().any(|held| held.path == claim.path),
            Phase::Waiting(_) => false,
        })
    };
    let request = Request {
        resources: claims
            .iter()
            .filter(|claim| !holds(claim))
            .cloned()
            .collect(),
        ..ask.request.clone()
    };
    let ask = Ask {
        request: &request,
        ..*ask
    };
    let mut report = Report::default();
    let marks = pass(&ask, needs, &mut report).map_err(|stop| {
        Box::new(Stop {
            can_wait: false,
            ..*stop
        })
    })?;
    Ok(Notes {
        marks: marks.marks,
        observed: report.observed.to_vec(),
    }
    .filled())
}
