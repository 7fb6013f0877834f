//! Agents as they are shown.
use crate::output::{Detail, Row};
use crate::{paint, show};
use fleet_types::agent::Status;
use fleet_types::view::Agent;
use serde::Serialize;

/// An agent.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Shown(pub Agent);

impl Shown {
    fn status(&self) -> String {
        let word = show::word(&self.0.definition.status);
        match self.0.definition.status {
            _ if !self.0.halts.is_empty() => paint::bad(&format!("{word}, halted")),
            Status::Active => paint::good(&word),
            Status::Beta | Status::Deprecated => paint::waiting(&word),
            Status::Offline => paint::bad(&word),
        }
    }
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "AGENT",
        "STATUS",
        "SCOPE",
        "VERSION",
        "INSTANCES",
        "HOLDS",
        "WAITS",
        "GRANTED",
        "DENIED",
        "ACTIVE",
    ];
    fn cells(&self) -> Vec<String> {
        let agent = &self.0;
        vec![
            agent.definition.id.to_string(),
            self.status(),
            agent
                .definition
                .scope
                .as_ref()
                .map_or("-".to_owned(), ToString::to_string),
            agent.definition.version.to_string(),
            agent.instances.len().to_string(),
            show::number(agent.permits_granted),
            show::number(agent.permits_waiting),
            show::number(agent.usage.granted),
            show::number(agent.usage.denied),
            show::relative(agent.usage.last_active_at),
        ]
    }
    fn name(&self) -> String {
        self.0.definition.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let agent = &self.0;
        let definition = &agent.definition;
        let versions = agent
            .versions
            .iter()
            .map(|(version, status)| format!("{version} ({})", show::word(status)));
        let instances: Vec<String> = agent
            .instances
            .iter()
            .map(|instance| {
                format!(
                    "{} {}, {}, since {}",
                    instance.id,
                    show::word(&instance.state),
                    show::count(instance.permits, "permit"),
                    show::relative(instance.connected_at)
                )
            })
            .collect();
        let usage = &agent.usage;
        let mut lines = vec![
            ("agent", definition.id.to_string()),
            ("status", self.status()),
        ];
        let mut some = |name: &'static str, value: String| {
            if !value.is_empty() && value != "-" {
                lines.push((name, value));
            }
        };
        some("name", definition.name.to_string());
        some("description", definition.description.to_string());
        some(
            "scope",
            definition
                .scope
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        );
        some("versions", show::list(versions));
        some(
            "replaced by",
            agent
                .replaced_by
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        );
        some("groups", show::list(&agent.groups));
        some("may do", show::list(&definition.allow.actions));
        some("may touch", show::list(&definition.allow.resources));
        some(
            "skills",
            show::list(
                definition
                    .capabilities
                    .skills
                    .iter()
                    .map(|word| word.as_str()),
            ),
        );
        some(
            "pool",
            definition
                .pool
                .as_ref()
                .map(|pool| pool.as_str().to_owned())
                .unwrap_or_default(),
        );
        some("owner", definition.owner.to_string());
        some("labels", show::labels(&definition.labels));
        some(
            "at once",
            definition
                .config
                .concurrency_max
                .map(|max| format!("at most {max}"))
                .unwrap_or_default(),
        );
        some(
            "priority",
            format!(
                "{}, weight {}",
                definition.priority.get(),
                definition.weight.get()
            ),
        );
        some("halts", show::list(&agent.halts));
        some(
            "instances",
            show::joined(&instances, "\n", "none connected"),
        );
        some(
            "permits",
            format!(
                "{} held, {} waiting",
                agent.permits_granted, agent.permits_waiting
            ),
        );
        some(
            "so far",
            format!(
                "{} granted, {} denied, {} completed, {} failed, {} expired",
                show::number(usage.granted),
                show::number(usage.denied),
                show::number(usage.completed),
                show::number(usage.failed),
                show::number(usage.expired)
            ),
        );
        some(
            "spent",
            format!(
                "{} and {} tokens",
                show::money(usage.money_micros),
                show::number(usage.tokens)
            ),
        );
        some("active", show::relative(usage.last_active_at));
        some("registered", show::absolute(agent.registered_at));
        lines
    }
    fn name(&self) -> String {
        self.0.definition.id.to_string()
    }
}
