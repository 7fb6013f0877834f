//! What do the policies say? They were asked in front of the queue; here their verdict counts, if it is about what
//! stands now.
use super::{Ask, Needs, Report, Stop};
use crate::approval::check;
use crate::policy::judge::{Met, is_current, met, names};
use crate::tool;
use fleet_types::approval::{Need, Source};
use fleet_types::explain::Gate;
use fleet_types::lock::Claim;
use fleet_types::permit::{Blocker, Request};
use fleet_types::policy::{Judgement, Opinion, Verdict};
use fleet_types::{Code, PolicyId, Text};

/// What they want approved goes to `needs`, which the gate of approvals looks up.
pub fn pass(ask: &Ask<'_>, needs: &mut Needs, report: &mut Report) -> Result<(), Box<Stop>> {
    if is_silent(ask) && !ask.state.asks_policies() {
        return Ok(());
    }
    let asked = tool::judge::asked(ask.state, asked(ask));
    let met = met(ask.state, ask.agent, &asked, ask.now);
    let verdict = current(ask, &met)?;
    if verdict.is_none()
        && let Some(said) = report.policies.take()
    {
        // What there was to say is not asked any more; what its tool says was looked at before.
        report.policies = Verdict {
            judged: Vec::new(),
            ..*said
        }
        .filled();
    }
    for judgement in verdict.map_or(&[][..], |verdict| &verdict.judged) {
        let passes = matches!(judgement.opinion, Opinion::Allow | Opinion::Transform);
        report.saw(|| judgement.policy.to_string(), passes.into());
    }
    enforce(verdict, needs)
}

/// What a permit claims anew, while it holds; whether what policies said counts. A verdict that is out of date is not waited
/// for here.
pub fn pass_extension(
    ask: &Ask<'_>,
    needs: &mut Needs,
    claims: &[Claim],
) -> Result<bool, Box<Stop>> {
    if is_silent(ask) && !ask.state.asks_policies() {
        return Ok(false);
    }
    let request = Request {
        resources: claims.to_vec(),
        ..ask.request.clone()
    };
    let met = met(ask.state, ask.agent, &request, ask.now);
    let verdict = current(ask, &met).map_err(|stop| {
        Box::new(Stop {
            can_wait: false,
            ..*stop
        })
    })?;
    enforce(verdict, needs)?;
    Ok(verdict.is_some())
}

/// Whether no policy has said anything.
fn is_silent(ask: &Ask<'_>) -> bool {
    ask.verdict.is_none_or(|verdict| verdict.judged.is_empty())
}

/// The request as it was asked, before policies or its tool changed it.
fn asked<'s>(ask: &Ask<'s>) -> &'s Request {
    let original = ask.verdict.and_then(|verdict| verdict.original.as_deref());
    original.unwrap_or(ask.request)
}

fn current<'s>(ask: &Ask<'s>, met: &Met) -> Result<Option<&'s Verdict>, Box<Stop>> {
    let is_unchanged = ask.verdict.is_none_or(|verdict| verdict.original.is_none());
    if met.is_empty() && (is_unchanged || is_silent(ask)) {
        return Ok(None);
    }
    if is_current(ask.state, met, ask.verdict) {
        return Ok(ask.verdict);
    }
    let blocker = Blocker::Policy {
        policies: names(ask.state, met),
        reasons: Vec::new(),
    };
    let words = "policies have changed since the request was judged; it is judged anew";
    Err(Stop::wait(Gate::Policy, Code::PolicyStale, words, blocker))
}

fn enforce(verdict: Option<&Verdict>, needs: &mut Needs) -> Result<(), Box<Stop>> {
    let judged = verdict.map_or(&[][..], |verdict| &verdict.judged);
    let enforced = || judged.iter().filter(|judgement| !judgement.observed);
    let any = |wanted: Opinion| enforced().any(|judgement| judgement.opinion == wanted);
    if any(Opinion::Deny) || any(Opinion::Failed) {
        let code = match any(Opinion::Deny) {
            true => Code::PolicyDenied,
            false => Code::PolicyFailed,
        };
        let no = enforced()
            .filter(|judgement| matches!(judgement.opinion, Opinion::Deny | Opinion::Failed));
        return Err(stop(code, no));
    }
    let asks = || enforced().filter(|judgement| judgement.opinion == Opinion::Approve);
    // One that does not say whom to ask leaves nobody who could approve.
    if asks().any(|judgement| judgement.terms.is_empty()) {
        let asks = asks().filter(|judgement| judgement.terms.is_empty());
        return Err(stop(Code::ApprovalRequired, asks));
    }
    for judgement in asks() {
        for terms in &judgement.terms {
            if let Err(rejection) = check::terms("approve", terms) {
                let mut stop = stop(Code::PolicyFailed, std::iter::once(judgement));
                stop.reason = format!("policy {}: {}", judgement.policy, rejection.message);
                return Err(stop);
            }
            needs.push(Need {
                source: Source::Policy(judgement.policy.text().clone()),
                terms: terms.clone(),
            });
        }
    }
    Ok(())
}

fn stop<'v>(code: Code, judged: impl Iterator<Item = &'v Judgement>) -> Box<Stop> {
    let mut policies: Vec<PolicyId> = Vec::new();
    let mut reasons: Vec<Text> = Vec::new();
    let mut words = Vec::new();
    for judgement in judged {
        let said: Vec<&str> = judgement.reasons.iter().map(Text::as_str).collect();
        words.push(match said.is_empty() {
            true => format!("policy {}", judgement.policy),
            false => format!("policy {}: {}", judgement.policy, said.join("; ")),
        });
        policies.push(judgement.policy.clone());
        reasons.extend(judgement.reasons.iter().cloned());
    }
    let mut stop = Stop::deny(Gate::Policy, code, words.join("; "));
    stop.blocker = Some(Blocker::Policy { policies, reasons });
    stop
}
