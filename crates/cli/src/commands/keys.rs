//! `fleet keys`: who may come in.
use crate::context::{DataDir, Global};
use crate::failure::Outcome;
use crate::output::{self, Format, Row};
use crate::{parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_client::http::bodies::{Key, NewKey};
use fleet_types::{AgentId, FleetId, KeyId, Role, ScopePath, TenantId, Text, Time};
use serde::Serialize;
use std::time::Duration;

/// Keys
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet keys bootstrap --data-dir fleet-data            the first admin key, while the server is stopped
  fleet keys issue --role agent --agent pay-1 --description \"payments, production\"
  fleet keys issue --role operator --scope emea --expires-in 90d
  fleet keys revoke k-3f9a12")]
pub enum Command {
    /// Issue a key; its token is shown this once
    Issue(Box<Issue>),
    /// List keys, without their secrets
    List {
        /// Of this tenant; absent: the key's own
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Take a key out of use at once
    Revoke {
        /// Which
        id: KeyId,
        /// Of this tenant; absent: the key's own
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Make the first admin key of a server that is stopped
    ///
    /// Whoever can write the data directory can do this: guard it.
    Bootstrap {
        #[command(flatten)]
        data_dir: DataDir,
        /// Make one although there is an admin key already, as when its token is lost; the old one stays valid
        #[arg(long)]
        another: bool,
    },
}

/// What a key may do.
#[derive(Clone, Copy, ValueEnum)]
pub enum As {
    /// Reads
    Viewer,
    /// Connects instances and asks for permits
    Agent,
    /// Halts, releases, controls agents, changes limits and budgets
    Operator,
    /// Everything in its tenant
    Admin,
}

/// What the key opens.
#[derive(Args)]
pub struct Issue {
    /// What it may do
    #[arg(long, value_enum)]
    role: As,
    /// Whose; absent: the key's own tenant
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Only this fleet
    #[arg(long, value_name = "NAME")]
    only_fleet: Option<FleetId>,
    /// Only this scope and below
    #[arg(long)]
    scope: Option<ScopePath>,
    /// Bound to this agent: it may act as this agent only
    #[arg(long)]
    agent: Option<AgentId>,
    /// What it is for
    #[arg(long, value_parser = parse::text, default_value = "")]
    description: Text,
    /// No longer valid after this span
    #[arg(long, value_parser = parse::duration, value_name = "TIME")]
    expires_in: Option<Duration>,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::Issue(issue) => {
            let expires_at = issue.expires_in.map(|span| {
                let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
                Time(show::now().0.saturating_add(micros))
            });
            let wanted = NewKey {
                role: match issue.role {
                    As::Viewer => Role::Viewer,
                    As::Agent => Role::Agent,
                    As::Operator => Role::Operator,
                    As::Admin => Role::Admin,
                },
                tenant: issue.tenant,
                fleet: issue.only_fleet,
                scope: issue.scope,
                agent: issue.agent,
                description: issue.description,
                expires_at,
            };
            let issued = global.http()?.issue_key(&wanted).await?;
            match global.output {
                Format::Table | Format::Name => {
                    output::write(&format!("{}\n", issued.token))?;
                    eprintln!(
                        "key {}: keep the line above, it is not shown again; use it as FLEET_KEY",
                        issued.key.id
                    );
                    Ok(())
                }
                Format::Json | Format::Yaml => output::raw(global.output, &issued),
            }
        }
        Command::List { tenant } => {
            let keys = global.http()?.keys(tenant.as_ref()).await?;
            let rows: Vec<_> = keys.into_iter().map(Shown).collect();
            output::list(
                global.output,
                &rows,
                "no keys yet: fleet keys issue --role viewer",
            )
        }
        Command::Revoke { id, tenant } => {
            global.http()?.revoke_key(&id, tenant.as_ref()).await?;
            eprintln!("key {id} opens nothing any more");
            Ok(())
        }
        Command::Bootstrap { data_dir, another } => {
            let token = fleet_server::bootstrap_key(&data_dir.path, another).await?;
            output::write(&format!("{token}\n"))?;
            let which = if another {
                "another"
            } else {
                "the server's first"
            };
            eprintln!(
                "this is {which} admin key: keep the line above, it is not shown again.\n\
                 fleet serve --data-dir {}\n\
                 export FLEET_KEY=…",
                data_dir.path.display()
            );
            Ok(())
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Key);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "KEY",
        "ROLE",
        "AGENT",
        "FLEET",
        "SCOPE",
        "EXPIRES",
        "DESCRIPTION",
    ];
    fn cells(&self) -> Vec<String> {
        let or_any = |value: Option<String>| value.unwrap_or_else(|| "any".to_owned());
        vec![
            self.0.id.to_string(),
            show::word(&self.0.role),
            or_any(self.0.agent.as_ref().map(ToString::to_string)),
            or_any(self.0.fleet.as_ref().map(ToString::to_string)),
            or_any(self.0.scope.as_ref().map(ToString::to_string)),
            self.0.expires_at.map_or("never".to_owned(), show::relative),
            self.0.description.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.id.to_string()
    }
}
