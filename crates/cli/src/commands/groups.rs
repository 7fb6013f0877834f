//! `fleet groups`: agents across scopes.
use super::tell_change;
use crate::context::Global;
use crate::failure::Outcome;
use crate::output::{self, Detail, Row};
use crate::{parse, show};
use clap::Subcommand;
use fleet_types::group::Group;
use fleet_types::{AgentId, GroupId, Text};
use serde::Serialize;

/// Groups
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet groups set quarter-end --member pay-1 --member recon-2
  fleet halt --group quarter-end --reason \"books are closed\"")]
pub enum Command {
    /// List groups
    List,
    /// Show one group
    Get {
        /// Which
        group: GroupId,
    },
    /// Set a group
    Set {
        /// Its name
        group: GroupId,
        /// An agent that belongs to it; may be given several times
        #[arg(short, long, value_name = "AGENT")]
        member: Vec<AgentId>,
        /// What it is
        #[arg(long, value_parser = parse::text, default_value = "")]
        description: Text,
    },
    /// Remove a group
    Remove {
        /// Which
        group: GroupId,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List => {
            let rows: Vec<_> = fleet.groups().await?.into_iter().map(Shown).collect();
            output::list(
                global.output,
                &rows,
                "no groups yet: fleet groups set NAME --member AGENT",
            )
        }
        Command::Get { group } => output::detail(global.output, &Shown(fleet.group(&group).await?)),
        Command::Set {
            group,
            member,
            description,
        } => {
            let group = Group {
                id: group,
                description,
                members: member.into_iter().collect(),
            };
            let changed = fleet.put_group(&group).await?.changed;
            tell_change(
                changed,
                &format!(
                    "group {} has {}",
                    group.id,
                    show::count(group.members.len() as u64, "member")
                ),
            );
            Ok(())
        }
        Command::Remove { group } => {
            fleet.remove_group(&group).await?;
            eprintln!("group {group} is removed");
            Ok(())
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Group);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &["GROUP", "MEMBERS", "DESCRIPTION"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.id.to_string(),
            self.0.members.len().to_string(),
            self.0.description.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let members: Vec<&str> = self.0.members.iter().map(AgentId::as_str).collect();
        vec![
            ("group", self.0.id.to_string()),
            ("description", self.0.description.to_string()),
            ("members", show::joined(&members, "\n", "-")),
        ]
    }
    fn name(&self) -> String {
        self.0.id.to_string()
    }
}
