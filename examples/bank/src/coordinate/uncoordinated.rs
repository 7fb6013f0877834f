//! No coordination: everything is granted at once, nothing is held, nobody can stop anybody.
use super::{Control, Coordinator, Look, Lost, Standing, Turn};
use fleet_types::permit::{Decision, Finish, Grant, Request};
use fleet_types::{HaltId, PermitId, Seq, Time, halt};

/// The coordinator of a bank without one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uncoordinated;

impl Coordinator for Uncoordinated {
    async fn permit(&mut self, _: Request) -> Result<Turn, Lost> {
        Ok(Turn {
            decision: Decision::Granted(Grant {
                permit: PermitId(Seq(0)),
                resources: Vec::new(),
                versions: Vec::new(),
                expires_at: Time::MAX,
                explain: Vec::new(),
                changed: None,
            }),
            queued: false,
        })
    }

    async fn finish(&mut self, _: Finish) -> Result<(), Lost> {
        Ok(())
    }

    fn standing(&self) -> Standing {
        Standing::FREE
    }

    async fn changed(&mut self) {
        std::future::pending().await
    }

    async fn close(&mut self) {}
}

/// Control over a bank without coordination: there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoControl;

impl Control for NoControl {
    async fn halt(&self, _: halt::Order) -> Result<HaltId, Lost> {
        Err(Lost(
            "nobody can halt agents that nobody coordinates".into(),
        ))
    }

    async fn release(&self, _: HaltId) -> Result<(), Lost> {
        Ok(())
    }

    async fn look(&self) -> Result<Look, Lost> {
        Ok(Look::default())
    }
}
