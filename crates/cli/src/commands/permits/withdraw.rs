//! Who is told to end while a request waits withdraws it first: nothing waits, or holds, for nobody. SIGKILL cannot be
//! heard: then it waits on.
//!
//! Assumptions
//! - Asked again under its id, a request tells what became of it (I5), at whatever moment the word came: also before the
//!   first answer, when its permit has no number here yet.
//! - An id that the caller chose may be repeated by others: what was granted under it is left to them. One made here is
//!   known to nobody: what was granted under it is given back.
use super::request::first_answer;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::stop::Stop;
use fleet_client::{Error, Fleet};
use fleet_types::permit::{Decision, Ending};
use fleet_types::session::{FinishBody, PermitRequest};
use fleet_types::{AgentId, Code, PermitId, RequestId};
use std::time::Duration;

/// How long the server may take; the person at the keyboard waits.
const WITHIN: Duration = Duration::from_secs(5);

/// Whose the request's id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// The caller's.
    Chosen,
    /// Made here, for this one run.
    Made,
}

impl Id {
    /// Sees to it that the request has an id.
    pub fn of(request: &mut PermitRequest) -> Outcome<Id> {
        if request.request_id.is_some() {
            return Ok(Id::Chosen);
        }
        let chance = getrandom::u64().map_err(|error| {
            Failure::new(
                exit::FAILED,
                format!("the system gives no randomness for a request id: {error}"),
            )
        })?;
        request.request_id = Some(RequestId::parse(&format!("cli-{chance:016x}"))?);
        Ok(Id::Made)
    }
}

/// Waits for the turn; told to end meanwhile, withdraws the request and fails.
pub async fn when_stopped(
    fleet: &Fleet,
    request: &PermitRequest,
    id: Id,
    turn: impl Future<Output = Outcome<Decision>>,
) -> Outcome<Decision> {
    let mut stop = Stop::listen()?;
    let code = tokio::select! {
        decision = turn => return decision,
        code = stop.asked() => code,
    };
    let told = tokio::select! {
        told = tokio::time::timeout(WITHIN, withdraw(fleet, request, id)) => told,
        // Told again: at once, then.
        _ = stop.asked() => return Err(Failure::told(code)),
    };
    match told {
        Ok(Ok(words)) => eprintln!("told to end: {words}"),
        Ok(Err(error)) => eprintln!("told to end, and not withdrawn: {error}"),
        Err(_) => eprintln!("told to end, and not withdrawn: the server did not answer in time"),
    }
    Err(Failure::told(code))
}

/// Withdraws it, whatever became of it; in words.
async fn withdraw(fleet: &Fleet, request: &PermitRequest, id: Id) -> Result<String, Error> {
    match first_answer(fleet, request).await? {
        Some(Decision::Queued(queued)) => cancel(fleet, queued.permit, &request.agent).await,
        Some(Decision::Granted(grant)) if id == Id::Made => {
            cancel(fleet, grant.permit, &request.agent).await
        }
        Some(Decision::Granted(grant)) => Ok(format!(
            "{} is granted under your request id, and was left as it is",
            grant.permit
        )),
        Some(Decision::Denied(denial)) => Ok(format!("{} was denied", denial.permit)),
        None => Ok("nothing is known of it".to_owned()),
    }
}

async fn cancel(fleet: &Fleet, permit: PermitId, agent: &Option<AgentId>) -> Result<String, Error> {
    let body = FinishBody {
        agent: agent.clone(),
        cost: None,
        latency_ms: None,
    };
    match fleet.finish(permit, Ending::Cancelled, &body).await {
        Ok(_) => Ok(format!("{permit} was granted, and is given back")),
        Err(error) if error.code() == Some(Code::Cancelled) => Ok(format!("{permit} is withdrawn")),
        Err(error) if error.code() == Some(Code::PermitUnknown) => {
            Ok(format!("{permit} has ended already"))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_client::ask::Asking;
    use fleet_client::http::PermitFilter;
    use fleet_client::{Ask, Http};
    use fleet_server::config::{Config, Mode, Store};
    use fleet_types::FleetId;

    fn ask(agent: &str) -> PermitRequest {
        let ask = Ask::new("x".parse().unwrap()).agent(agent.parse().unwrap());
        let ask = ask.exclusive("r/1".parse().unwrap());
        ask.wait(Duration::from_secs(60)).into_request()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_became_of_it_nothing_waits_or_holds_for_nobody() {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            mode: Mode::Dev,
            store: Store::Memory,
            ..Config::default()
        };
        let server = fleet_server::start(config).await.unwrap();
        let http = Http::new(&format!("http://{}", server.addr), None).unwrap();
        let fleet = http.fleet(FleetId::parse("main").unwrap());

        // It waits, and its first answer has not come.
        let held = fleet.request(ask("one")).await.unwrap();
        let Decision::Granted(held) = held else {
            panic!("{held:?}")
        };
        let mut waits = ask("two");
        assert_eq!(Id::of(&mut waits).unwrap(), Id::Made);
        assert_eq!(Id::of(&mut waits).unwrap(), Id::Chosen);
        fleet.request_all(&[waits.clone()]).await.unwrap();
        let told = withdraw(&fleet, &waits, Id::Made).await.unwrap();
        assert!(told.ends_with("is withdrawn"), "{told}");
        // Again: its denial is remembered.
        let told = withdraw(&fleet, &waits, Id::Made).await.unwrap();
        assert!(told.ends_with("was denied"), "{told}");

        // It is granted while the word comes.
        let mut next = ask("two");
        Id::of(&mut next).unwrap();
        fleet.request_all(&[next.clone()]).await.unwrap();
        let nothing = FinishBody {
            agent: Some("one".parse().unwrap()),
            cost: None,
            latency_ms: None,
        };
        let ended = fleet.finish(held.permit, Ending::Completed, &nothing);
        ended.await.unwrap();
        let told = withdraw(&fleet, &next, Id::Chosen).await.unwrap();
        assert!(told.ends_with("was left as it is"), "{told}");
        let told = withdraw(&fleet, &next, Id::Made).await.unwrap();
        assert!(told.ends_with("is given back"), "{told}");
        let told = withdraw(&fleet, &next, Id::Made).await.unwrap();
        assert!(told.ends_with("has ended already"), "{told}");
        let left = fleet.permits(&PermitFilter::default()).await.unwrap();
        assert_eq!(left, []);
        server.stop().await;
    }
}
