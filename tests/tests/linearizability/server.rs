//! The real binary over sockets: half of the clients have a session, half ask over HTTP; and it is killed meanwhile.
use crate::runtime::granted;
use crate::{Seen, shape};
use fleet_client::{Ask, Error, Fleet, Options, Session};
use fleet_tests::Server;
use fleet_tests::history::{Client, Door, Hold, Op, Ret, record};
use fleet_types::permit::{Decision, Ending, View};
use fleet_types::session::FinishBody;
use fleet_types::view::Lock;
use fleet_types::{Code, Millis, PermitId, Seq, Token};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Most clients of a history.
const CLIENTS: usize = 6;
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);
const WAIT: Duration = Duration::from_secs(600);

/// Clients of one server.
struct Sockets {
    fleet: Fleet,
    /// Of the clients with an even number.
    sessions: Vec<Session>,
}

/// Who holds, of a list of locks.
pub fn holders(locks: Vec<Lock>) -> BTreeSet<Hold> {
    let of = |lock: Lock| {
        let path = lock.path.to_string();
        lock.holders.into_iter().map(move |holder| Hold {
            permit: holder.permit.0.0,
            path: path.clone(),
            mode: holder.mode,
            token: holder.token.0,
        })
    };
    locks.into_iter().flat_map(of).collect()
}

fn agent(client: Client) -> String {
    format!("agent-{client}")
}

impl Sockets {
    async fn connect(server: &Server) -> Sockets {
        let fleet = server.client();
        // However busy the machine is: nobody is taken for dead while it waits for its turn on a processor.
        let mut settings = fleet.settings().await.unwrap();
        settings.heartbeat_ms = Millis(60_000);
        fleet.put_settings(&settings).await.unwrap();
        let mut sessions = Vec::new();
        for client in (0..CLIENTS).step_by(2) {
            let options = Options::new(
                &server.url,
                "main".parse().unwrap(),
                agent(client).parse().unwrap(),
                "i".parse().unwrap(),
            );
            let options = options.patience(Duration::from_secs(60));
            sessions.push(Session::connect(options).await.unwrap());
        }
        Sockets { fleet, sessions }
    }

    fn session(&self, client: Client) -> Option<&Session> {
        client.is_multiple_of(2).then(|| &self.sessions[client / 2])
    }

    async fn take(&self, client: Client, ask: Ask) -> Ret {
        let decision = match self.session(client) {
            Some(session) => until_answered(|| session.request(ask.clone())).await,
            None => until_answered(|| self.fleet.request(ask.clone())).await,
        };
        match decision.unwrap() {
            Decision::Granted(grant) => granted(grant.permit, &grant.resources),
            Decision::Denied(denial) if denial.code == Code::LockHeld => Ret::Denied {
                at: denial.permit.0.0,
            },
            // Over HTTP a wait ends early: the same request hears how it stands.
            Decision::Queued(queued) => loop {
                let wait = Millis(5_000);
                let view = until_answered(|| self.fleet.permit(queued.permit, wait)).await;
                if let View {
                    permit,
                    state: fleet_types::permit::ViewState::Granted,
                    resources,
                    ..
                } = view.unwrap()
                {
                    break granted(permit, &resources);
                }
            },
            Decision::Denied(denial) => panic!("{denial:?}"),
        }
    }

    async fn give(&self, client: Client, permit: PermitId) -> Ret {
        let body = FinishBody {
            agent: Some(agent(client).parse().unwrap()),
            ..FinishBody::default()
        };
        let given = match self.session(client) {
            Some(session) => until_answered(|| session.complete(permit)).await.map(drop),
            None => {
                let finish = || self.fleet.finish(permit, Ending::Completed, &body);
                until_answered(finish).await.map(drop)
            }
        };
        match given {
            Ok(()) => Ret::Given,
            // A repeat, after the first one's answer was lost. Only its holder ends a permit, and only once.
            Err(error) if error.code() == Some(Code::PermitUnknown) => Ret::Given,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Asks again, under the same request id, until it is certain.
async fn until_answered<T, F: Future<Output = Result<T, Error>>>(
    ask: impl Fn() -> F,
) -> Result<T, Error> {
    loop {
        match ask().await {
            Err(error) if error.is_transient() => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answer => return answer,
        }
    }
}

impl Door for Sockets {
    async fn call(&self, client: Client, id: &str, op: &Op) -> Ret {
        match op {
            Op::Take { claims, waits } => {
                let mut ask = Ask::new("x".parse().unwrap())
                    .agent(agent(client).parse().unwrap())
                    .request_id(id.parse().unwrap())
                    .ttl(LONG);
                for (path, mode) in claims {
                    ask = ask.claim(path.parse().unwrap(), *mode);
                }
                if *waits {
                    ask = ask.wait(WAIT);
                }
                self.take(client, ask).await
            }
            Op::Give { permit } => self.give(client, PermitId(Seq(*permit))).await,
            Op::Look { under } => {
                let under = under.parse().unwrap();
                let locks = until_answered(|| self.fleet.locks(Some(&under))).await;
                Ret::Holders(holders(locks.unwrap()))
            }
            Op::Validate { path, token } => {
                let validate = || self.fleet.validate(path.parse().unwrap(), Token(*token));
                Ret::Valid(until_answered(validate).await.unwrap().valid)
            }
        }
    }
}

async fn histories(count: u64) {
    let server = Server::dev();
    let sockets = Arc::new(Sockets::connect(&server).await);
    let mut seen = Seen::default();
    for seed in 0..count {
        seen.check(&record(&sockets, shape(seed), seed).await);
    }
    seen.assert_busy();
}

/// In every history the server is killed once (SIGKILL), another moment each time, and started again.
async fn histories_with_kills(count: u64) {
    let mut server = Server::dev();
    let sockets = Arc::new(Sockets::connect(&server).await);
    let mut seen = Seen::default();
    for seed in 0..count {
        let recorded = tokio::spawn({
            let sockets = Arc::clone(&sockets);
            async move { record(&sockets, shape(seed), seed).await }
        });
        tokio::time::sleep(Duration::from_millis(1 + seed * 7 % 23)).await;
        server.kill();
        server.start_again();
        seen.check(&recorded.await.unwrap());
    }
    seen.assert_busy();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_of_the_real_binary() {
    histories(30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_of_a_binary_that_is_killed() {
    histories_with_kills(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn long_sockets_of_the_real_binary() {
    histories(1_500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn long_sockets_of_a_binary_that_is_killed() {
    histories_with_kills(200).await;
}
