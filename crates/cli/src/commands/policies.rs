//! `fleet policies`: what the forms of rules cannot say, in Rego.
mod cases;
mod declared;

use super::permits::Wanted;
use super::rules::{Why, case, stage};
use super::{apply, limits, tell_change};
use crate::context::{Global, Watch};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Detail, Row};
use crate::{exit, paint, parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_client::Fleet;
use fleet_client::ask::Asking;
use fleet_client::http::bodies::{PolicySaid, PolicyTest, RollBack};
use fleet_types::policy::{Data, Module, Opinion, Policy};
use fleet_types::rule::{Case, Stage};
use fleet_types::selector::Selector;
use fleet_types::{Code, PolicyId, Text, view};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Policies
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet policies test pay.rego
  fleet policies set pay.rego --action 'payment.*' --stage observe --reason \"ticket 4711\"
  fleet policies try payment.send --agent ann --parameters '{\"amount\": 900}'
  fleet policies list
  fleet policies get pay
  fleet policies data set -f lists.yaml
  fleet policies data get -o yaml
  fleet policies remove pay --reason \"a rule does it now\"
  fleet policies rollback pay --to 2 --reason \"version 3 denied too much\"")]
pub enum Command {
    /// List policies and what they do
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one policy, with its earlier versions
    Get {
        /// Which
        policy: PolicyId,
        /// Only the text of its module
        #[arg(long)]
        module: bool,
    },
    /// Set a policy, or its next version, from a module; what is not said stays as it is
    Set(Box<Set>),
    /// Remove a policy with all its versions
    Remove {
        /// Which
        policy: PolicyId,
        #[command(flatten)]
        why: Why,
    },
    /// Make an earlier version of a policy the next one
    Rollback {
        /// Which
        policy: PolicyId,
        /// To which version; absent: the one before
        #[arg(long, value_name = "VERSION")]
        to: Option<u32>,
        #[command(flatten)]
        why: Why,
    },
    /// Compile a module as a server would, and run the test cases beside it: the rules test_… of NAME_test.rego. Needs no server
    Test {
        /// The module
        #[arg(value_name = "FILE.rego")]
        file: PathBuf,
    },
    /// What policies say of a request, without effect: those in force, one of them, or a module that is not set
    Try(Box<Try>),
    /// The data that policies see as data.fleet.data
    #[command(subcommand)]
    Data(DataCommand),
}

/// A policy.
#[derive(Args)]
pub struct Set {
    /// The module
    #[arg(value_name = "FILE.rego")]
    file: PathBuf,
    /// Its name; absent: that of the file
    #[arg(long)]
    id: Option<PolicyId>,
    /// draft: kept, and asked nothing; observe: recorded, and not enforced; enforce
    #[arg(long, value_enum)]
    stage: Option<StageName>,
    /// Why it exists
    #[arg(long, value_parser = parse::text)]
    description: Option<Text>,
    /// Which requests it looks at, as YAML or JSON, where the options below do not do
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scope", "agent", "group", "action", "resource", "label"])]
    when: Option<PathBuf>,
    #[command(flatten)]
    which: limits::Which,
    #[command(flatten)]
    why: Why,
}

/// How far a policy is in its life.
#[derive(Clone, Copy, ValueEnum)]
pub enum StageName {
    /// Kept, and asked nothing
    Draft,
    /// Recorded, and not enforced
    Observe,
    /// Its verdict counts
    Enforce,
}

/// What to try.
#[derive(Args)]
pub struct Try {
    /// Only this policy, also as a draft and whatever its case
    #[arg(long, value_name = "POLICY")]
    policy: Option<PolicyId>,
    /// Only this module, which need not be set
    #[arg(long, value_name = "FILE.rego", conflicts_with = "policy")]
    module: Option<PathBuf>,
    #[command(flatten)]
    wanted: Wanted,
}

/// Data of policies
#[derive(Subcommand)]
pub enum DataCommand {
    /// Show it
    Get,
    /// Replace it, all of it
    Set {
        /// The file, an object in YAML or JSON; - reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        why: Why,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    if let Command::Test { file } = command {
        return cases::run(&file);
    }
    let fleet = global.fleet()?;
    match command {
        Command::List { watch } => {
            let empty = "no policies yet: fleet policies set FILE.rego";
            let get = async || fleet.policies().await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Get { policy, module } => {
            let found = fleet.policy(&policy).await?;
            if module {
                return output::write(found.policy.module.as_str());
            }
            output::detail(global.output, &Shown(found))
        }
        Command::Set(wanted) => set(&fleet, *wanted).await,
        Command::Remove { policy, why } => {
            fleet.remove_policy_because(&policy, &why.reason).await?;
            eprintln!("policy {policy} is removed");
            Ok(())
        }
        Command::Rollback { policy, to, why } => {
            let target = RollBack {
                version: to,
                reason: why.reason,
            };
            fleet.roll_back_policy(&policy, &target).await?;
            let now = fleet.policy(&policy).await?;
            eprintln!("policy {policy} is at version {}", now.version);
            Ok(())
        }
        Command::Test { .. } => Ok(()), // Answered above, without a server.
        Command::Try(wanted) => try_it(global, &fleet, *wanted).await,
        Command::Data(DataCommand::Get) => {
            let found = fleet.policy_data().await?;
            output::raw(global.output, &found.data)
        }
        Command::Data(DataCommand::Set { file, why }) => {
            let data: Data = apply::read_one(&file)?;
            let changed = fleet.put_policy_data(&data, &why.reason).await?.changed;
            tell_change(changed, "policies see it as data.fleet.data");
            Ok(())
        }
    }
}

async fn set(fleet: &Fleet, set: Set) -> Outcome {
    let module = read_module(&set.file)?;
    let id = match set.id {
        Some(id) => id,
        None => {
            let stem = set.file.file_stem().and_then(|stem| stem.to_str());
            PolicyId::parse(stem.unwrap_or_default()).map_err(|why| {
                Failure::usage(format!("the file's name makes no policy's: {why}"))
                    .advise("name it with --id")
            })?
        }
    };
    let known = match fleet.policy(&id).await {
        Ok(found) => Some(found.policy),
        Err(error) if error.code() == Some(Code::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let selector = set.which.selector()?;
    let when = match set.when {
        Some(file) => Some(apply::read_one::<Case>(&file)?),
        None => (selector != Selector::default()).then(|| case_of(selector)),
    };
    let policy = Policy {
        description: set
            .description
            .or_else(|| known.as_ref().map(|known| known.description.clone()))
            .unwrap_or_default(),
        stage: match set.stage {
            Some(StageName::Draft) => Stage::Draft,
            Some(StageName::Observe) => Stage::Observe,
            Some(StageName::Enforce) => Stage::Enforce,
            None => known.as_ref().map(|known| known.stage).unwrap_or_default(),
        },
        when: when
            .or_else(|| known.map(|known| known.when))
            .unwrap_or_default(),
        id,
        module,
    };
    let changed = fleet.put_policy_because(&policy, &set.why.reason).await?;
    let words = format!(
        "policy {} looks at {} ({})",
        policy.id,
        case(&policy.when),
        show::word(&policy.stage)
    );
    tell_change(changed.changed, &words);
    Ok(())
}

fn case_of(selector: Selector) -> Case {
    Case {
        scope: selector.scope,
        agent: selector.agent,
        group: selector.group,
        action: selector.action,
        resource: selector.resource,
        labels: selector.labels,
        ..Case::default()
    }
}

/// Reads a module and compiles it here, where a fault can be shown in its place.
pub(super) fn read_module(file: &Path) -> Outcome<Module> {
    let text = cases::read(file)?;
    fleet_policy::compile(&text).map_err(|fault| cases::wrong(file, &fault))?;
    Ok(Module::parse(&text)?)
}

async fn try_it(global: &Global, fleet: &Fleet, wanted: Try) -> Outcome {
    let module = wanted.module.as_deref().map(read_module).transpose()?;
    let test = PolicyTest {
        request: wanted.wanted.ask()?.into_request(),
        policy: wanted.policy,
        module,
    };
    let tested = fleet.test_policies(&test).await?;
    if global.output != output::Format::Table {
        output::raw(global.output, &tested)?;
    } else {
        if tested.judged.is_empty() {
            eprintln!("no policy looks at this request");
        }
        for said in &tested.judged {
            output::write(&format!("{}\n", line(said)))?;
        }
        if let Some(changed) = &tested.changed {
            let changed = serde_json::to_string(changed)?;
            output::write(&format!("it would become {changed}\n"))?;
        }
    }
    let denies = |said: &PolicySaid| {
        !said.observed
            && matches!(
                said.opinion,
                Opinion::Deny | Opinion::Failed | Opinion::Approve
            )
    };
    match tested.judged.iter().any(denies) {
        true => Err(Failure::told(exit::DENIED)),
        false => Ok(()),
    }
}

/// `deny     pay: too much; not at night (observed)`.
fn line(said: &PolicySaid) -> String {
    let opinion = format!("{:9}", show::word(&said.opinion));
    let opinion = match said.opinion {
        Opinion::Allow => paint::good(&opinion),
        Opinion::Transform | Opinion::Approve => paint::waiting(&opinion),
        Opinion::Deny | Opinion::Failed => paint::bad(&opinion),
    };
    let mut line = opinion;
    if let Some(policy) = &said.policy {
        line += &format!(" {policy}");
    }
    if !said.reasons.is_empty() {
        let reasons: Vec<&str> = said.reasons.iter().map(Text::as_str).collect();
        line += &format!(": {}", reasons.join("; "));
    }
    if let Some(change) = &said.transform {
        line += &format!(" {}", serde_json::Value::Object(change.clone()));
    }
    if said.observed {
        line += " (observed)";
    }
    line
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(view::Policy);

impl Shown {
    fn state(&self) -> String {
        match &self.0.broken {
            Some(_) => paint::bad("BROKEN"),
            None => stage(self.0.policy.stage),
        }
    }
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "POLICY",
        "STAGE",
        "VERSION",
        "FOR",
        "DENIED",
        "FAILED",
        "DESCRIPTION",
    ];
    fn cells(&self) -> Vec<String> {
        let policy = &self.0.policy;
        let failed = match self.0.failed {
            0 => "0".to_owned(),
            count => paint::bad(&show::number(count)),
        };
        vec![
            policy.id.to_string(),
            self.state(),
            self.0.version.to_string(),
            case(&policy.when),
            show::number(self.0.denied),
            failed,
            policy.description.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.policy.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let policy = &self.0.policy;
        let mut lines = vec![
            ("policy", policy.id.to_string()),
            ("stage", self.state()),
            ("version", self.0.version.to_string()),
            ("for", case(&policy.when)),
        ];
        if !policy.description.is_empty() {
            lines.push(("description", policy.description.to_string()));
        }
        if let Some(why) = &self.0.broken {
            lines.push(("broken", paint::bad(why.as_str())));
        }
        lines.push(("denied", show::number(self.0.denied)));
        lines.push(("failed", show::number(self.0.failed)));
        lines.push(("hash", self.0.hash.to_string()));
        let earlier = self.0.versions.iter().rev().map(|former| {
            format!(
                "{} {}, {}, {:.12}",
                former.version,
                show::word(&former.policy.stage),
                case(&former.policy.when),
                former.hash.as_str()
            )
        });
        let earlier: Vec<String> = earlier.collect();
        lines.push(("earlier", show::joined(&earlier, "\n", "-")));
        lines.push(("module", policy.module.as_str().trim_end().to_owned()));
        lines
    }
    fn name(&self) -> String {
        self.0.policy.id.to_string()
    }
}
