//! `fleet agents drain`, `pause` and `resume`: an agent's brakes are halts over it alone.
use crate::failure::{Failure, Outcome};
use crate::{exit, parse, show};
use clap::Args;
use fleet_client::Fleet;
use fleet_types::halt::{Mode, Order, Target};
use fleet_types::{AgentId, Text};

/// Which agent, and why.
#[derive(Args)]
pub struct Brake {
    /// Which
    agent: AgentId,
    /// Why; people will read it
    #[arg(long, value_parser = parse::text, default_value = "by the command line")]
    reason: Text,
}

/// Halts it in this mode.
pub async fn stop(fleet: &Fleet, brake: Brake, mode: Mode) -> Outcome {
    let order = Order {
        target: Target::Agent(brake.agent.clone()),
        mode,
        reason: brake.reason,
        release_by_two: None,
    };
    let halted = fleet.halt(&order).await?;
    eprintln!(
        "agent {}: {} (halt {}); `fleet agents resume {}` lets go",
        brake.agent,
        show::effect(mode),
        halted.halt,
        brake.agent
    );
    Ok(())
}

/// Releases the halts that pause or drain this agent alone; wider ones, and immediate ones, are left to `fleet release`.
pub async fn resume(fleet: &Fleet, brake: Brake) -> Outcome {
    let own = Target::Agent(brake.agent.clone());
    let mut released = 0;
    let mut others = Vec::new();
    for halt in fleet.agent(&brake.agent).await?.halts {
        let halt = fleet.halt_of(halt).await?;
        if halt.order.target == own && matches!(halt.mode, Mode::Pause | Mode::Graceful) {
            if fleet.release(halt.id, brake.reason.clone()).await?.released {
                released += 1;
            } else {
                eprintln!("halt {} waits for a second person to release it", halt.id);
            }
        } else {
            others.push(halt.id);
        }
    }
    if released > 0 {
        eprintln!(
            "agent {} goes on; released: {}",
            brake.agent,
            show::count(released, "halt")
        );
    }
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(ToString::to_string).collect();
        return Err(Failure::new(
            exit::CONFLICT,
            format!("agent {} stays under {}", brake.agent, names.join(", ")),
        )
        .advise("look with `fleet halts list`, release with `fleet release HALT`"));
    }
    if released == 0 {
        eprintln!("nothing to do: no halt is over agent {}", brake.agent);
    }
    Ok(())
}
