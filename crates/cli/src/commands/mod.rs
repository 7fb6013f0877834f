//! The commands: one file each, or a folder with one file for each subcommand.
mod actions;
mod agents;
mod apply;
mod approvals;
mod audit;
mod budgets;
mod completions;
mod conflicts;
mod connectors;
mod demo;
mod dev;
mod doctor;
mod events;
mod fleets;
mod graph;
mod groups;
mod halt;
mod halts;
mod keys;
mod limits;
mod locks;
mod permits;
mod plans;
mod policies;
mod release;
mod rules;
mod scopes;
mod serve;
mod server;
mod status;
mod tools;
mod txn;
mod versions;
mod workflow;

use crate::context::Global;
use crate::failure::Outcome;
use clap::Subcommand;

/// A command.
#[derive(Subcommand)]
pub enum Command {
    /// Start a server on this machine to try things out: no keys, everything allowed that nothing forbids
    Dev(dev::Arguments),
    /// Start a server with keys
    Serve(serve::Arguments),
    /// Show the fleet at a glance
    Status(status::Arguments),
    /// Agents: who they are, what they may do, where in their life they are
    #[command(subcommand)]
    Agents(agents::Command),
    /// Permits: ask for one, end one, see who holds and who waits
    #[command(subcommand)]
    Permits(permits::Command),
    /// Locks: who holds what, and whether a fencing token stands
    #[command(subcommand)]
    Locks(locks::Command),
    /// Conflicts: who is in whose way, and what is done about it
    #[command(subcommand)]
    Conflicts(conflicts::Command),
    /// Plans: what agents intend, and what it would run into
    #[command(subcommand)]
    Plans(plans::Command),
    /// Versions: whether a resource is still as it was read
    #[command(subcommand)]
    Versions(versions::Command),
    /// Limits: how often, or how many at once
    #[command(subcommand)]
    Limits(limits::Command),
    /// Rules: what must not happen together, what must come first, how often, by whom
    #[command(subcommand)]
    Rules(rules::Command),
    /// Approvals: who is asked, and what they answer
    #[command(subcommand)]
    Approvals(approvals::Command),
    /// Policies: what the forms of rules cannot say, in Rego
    #[command(subcommand)]
    Policies(policies::Command),
    /// Tools: actions with arguments, guards, resources and costs of their own
    #[command(subcommand)]
    Tools(tools::Command),
    /// Budgets: how much money, how many tokens
    #[command(subcommand)]
    Budgets(budgets::Command),
    /// Transactions: several actions that happen together or not at all
    #[command(subcommand)]
    Txn(txn::Command),
    /// Connectors: ways to the systems that take part in transactions
    #[command(subcommand)]
    Connectors(connectors::Command),
    /// Workflows: what many agents do together, checked and planned before it runs
    #[command(subcommand)]
    Workflow(workflow::Command),
    /// The tree of scopes
    #[command(subcommand)]
    Scopes(scopes::Command),
    /// Groups of agents across scopes
    #[command(subcommand)]
    Groups(groups::Command),
    /// The catalogue of actions: what they do, which reduce risk
    #[command(subcommand)]
    Actions(actions::Command),
    /// Stop agents, at once or gently
    Halt(halt::Arguments),
    /// Release a halt
    Release(release::Arguments),
    /// Halts, and how far the word of each has spread
    #[command(subcommand)]
    Halts(halts::Command),
    /// The dependency graph: who needs whom and what, what hangs on a node, what is weak
    #[command(subcommand)]
    Graph(graph::Command),
    /// Everything that happens
    Events(events::Arguments),
    /// Verify the journal, look at its entries
    #[command(subcommand)]
    Audit(audit::Command),
    /// Keys: who may come in, and what they may do
    #[command(subcommand)]
    Keys(keys::Command),
    /// The tenant's fleets
    #[command(subcommand)]
    Fleets(fleets::Command),
    /// Make a fleet as a file declares it
    Apply(apply::Arguments),
    /// Look for what is wrong with this machine, its data and its server
    Doctor(doctor::Arguments),
    /// Write a shell's completions to standard output
    Completions(completions::Arguments),
    /// Demonstrations
    #[command(subcommand)]
    Demo(demo::Command),
}

impl Command {
    /// Whether it serves, or drives many at once: it wants all processors.
    pub fn is_server(&self) -> bool {
        matches!(self, Command::Dev(_) | Command::Serve(_) | Command::Demo(_))
    }

    /// Does it.
    pub async fn run(self, global: &Global) -> Outcome {
        match self {
            Command::Dev(arguments) => dev::run(arguments).await,
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Status(arguments) => status::run(global, arguments).await,
            Command::Agents(command) => agents::run(global, command).await,
            Command::Permits(command) => permits::run(global, command).await,
            Command::Locks(command) => locks::run(global, command).await,
            Command::Conflicts(command) => conflicts::run(global, command).await,
            Command::Plans(command) => plans::run(global, command).await,
            Command::Versions(command) => versions::run(global, command).await,
            Command::Limits(command) => limits::run(global, command).await,
            Command::Rules(command) => rules::run(global, command).await,
            Command::Approvals(command) => approvals::run(global, command).await,
            Command::Policies(command) => policies::run(global, command).await,
            Command::Tools(command) => tools::run(global, command).await,
            Command::Budgets(command) => budgets::run(global, command).await,
            Command::Txn(command) => txn::run(global, command).await,
            Command::Connectors(command) => connectors::run(global, command).await,
            Command::Workflow(command) => workflow::run(global, command).await,
            Command::Scopes(command) => scopes::run(global, command).await,
            Command::Groups(command) => groups::run(global, command).await,
            Command::Actions(command) => actions::run(global, command).await,
            Command::Halt(arguments) => halt::run(global, arguments).await,
            Command::Release(arguments) => release::run(global, arguments).await,
            Command::Halts(command) => halts::run(global, command).await,
            Command::Graph(command) => graph::run(global, command).await,
            Command::Events(arguments) => events::run(global, arguments).await,
            Command::Audit(command) => audit::run(global, command).await,
            Command::Keys(command) => keys::run(global, command).await,
            Command::Fleets(command) => fleets::run(global, command).await,
            Command::Apply(arguments) => apply::run(global, arguments).await,
            Command::Doctor(arguments) => doctor::run(global, arguments).await,
            Command::Completions(arguments) => completions::run(arguments),
            Command::Demo(command) => demo::run(global, command).await,
        }
    }
}

/// Says on standard error what a change did.
pub(crate) fn tell_change(changed: bool, what: &str) {
    if changed {
        eprintln!("{what}");
    } else {
        eprintln!("nothing to do: it is so already");
    }
}
