//! Who may do what: one row for each operation, with the least role that may do it and what a key that is bound to a
//! scope may do. Read by every door; tested exhaustively against `matrix.txt`.
use fleet_types::Role;

/// What a key that is bound to a scope may do of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoped {
    /// As much as any other key: it concerns no scope.
    Freely,
    /// Only where the thing it concerns stands within the key's scope.
    Within,
    /// Nothing: it concerns the whole fleet or tenant.
    Never,
}

macro_rules! operations {
    ($($(#[doc = $doc:literal])* $name:ident: $role:ident, $scoped:ident;)*) => {
        /// What can be done through the doors.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {$($(#[doc = $doc])* $name,)*}
        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Operation] = &[$(Operation::$name),*];
            /// The least role that may.
            #[must_use]
            pub const fn role(self) -> Role {
                match self { $(Operation::$name => Role::$role,)* }
            }
            /// What a key bound to a scope may.
            #[must_use]
            pub const fn scoped(self) -> Scoped {
                match self { $(Operation::$name => Scoped::$scoped,)* }
            }
        }
    };
}

operations! {
    /// The fleet at a glance.
    ReadStatus: Viewer, Never;
    /// Agents and their instances.
    ReadAgents: Viewer, Within;
    /// Permits.
    ReadPermits: Viewer, Within;
    /// Locks: whose they are tells of every scope.
    ReadLocks: Viewer, Never;
    /// Whether a fencing token is the newest one.
    Validate: Viewer, Freely;
    /// Limits.
    ReadLimits: Viewer, Within;
    /// Rules.
    ReadRules: Viewer, Within;
    /// Transactions of the agents within the key's scope.
    ReadTxns: Viewer, Within;
    /// Connectors.
    ReadConnectors: Viewer, Never;
    /// Policies and their data.
    ReadPolicies: Viewer, Never;
    /// Tools: what an action takes is told to whoever may ask.
    ReadTools: Viewer, Freely;
    /// Budgets.
    ReadBudgets: Viewer, Within;
    /// Approvals; whoever is asked sees the one that it is asked for, wherever that stands.
    ReadApprovals: Viewer, Within;
    /// Who answers in whose place.
    ReadDelegations: Viewer, Freely;
    /// Halts.
    ReadHalts: Viewer, Within;
    /// The tree.
    ReadScopes: Viewer, Within;
    /// Groups cut across scopes.
    ReadGroups: Viewer, Never;
    /// The catalogue of actions.
    ReadActions: Viewer, Freely;
    /// The fleet's settings.
    ReadSettings: Viewer, Freely;
    /// The dependency graph: what traffic shows tells of every scope.
    ReadGraph: Viewer, Never;
    /// Everything that happens.
    ReadEvents: Viewer, Never;
    /// Which fleets there are.
    ReadFleets: Viewer, Freely;
    /// Plans.
    ReadPlans: Viewer, Within;
    /// Conflicts: who is in whose way tells of every scope.
    ReadConflicts: Viewer, Never;
    /// The version of a resource, which is kept from then on.
    ReadVersion: Agent, Freely;
    /// Permits: request, finish, renew, extend, explain.
    Ask: Agent, Within;
    /// Sessions and instances.
    Connect: Agent, Within;
    /// Answer, escalate or comment an approval: the core knows whom it has asked, and how far a role reaches.
    AnswerApproval: Agent, Freely;
    /// Let another answer in one's place.
    Delegate: Agent, Freely;
    /// Begin a transaction, enlist, commit, abort, report.
    Transact: Agent, Within;
    /// Order a halt.
    Halt: Operator, Within;
    /// Release a halt.
    Release: Operator, Within;
    /// Register an agent.
    RegisterAgent: Operator, Within;
    /// Move an agent's version in its life.
    ControlAgent: Operator, Within;
    /// Remove an agent.
    RemoveAgent: Operator, Within;
    /// Declare or remove a node of the tree.
    SetScope: Operator, Within;
    /// Set or remove a limit.
    SetLimit: Operator, Within;
    /// Set, roll back, reset or remove a rule.
    SetRule: Operator, Within;
    /// Set, roll back, test or remove a policy, and set their data: policies see the whole fleet.
    SetPolicy: Operator, Never;
    /// Register or remove a tool: it concerns all agents that ask for its action.
    SetTool: Operator, Never;
    /// Set, top up or remove a budget.
    SetBudget: Operator, Within;
    /// Ask others to approve instead.
    ReassignApproval: Admin, Within;
    /// Settle a branch of a transaction by hand.
    ResolveTxn: Operator, Within;
    /// Decide a conflict.
    ResolveConflict: Operator, Within;
    /// Set or remove a group.
    SetGroup: Operator, Never;
    /// Declare an edge of the dependency graph, or take it back.
    DeclareEdge: Operator, Never;
    /// Say which actions reduce risk.
    SetAction: Admin, Never;
    /// Set or remove a connector: it names credentials of the server.
    SetConnector: Admin, Never;
    /// Change the fleet's settings.
    Configure: Admin, Never;
    /// Issue, list and revoke keys.
    ManageKeys: Admin, Never;
    /// Add a fleet.
    CreateFleet: Admin, Never;
    /// Add a tenant; besides, only the server's own admin may.
    CreateTenant: Admin, Never;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Caller;
    use fleet_types::ScopePath;

    /// Every operation by every role: with a free key, and with one bound to `emea` on a thing in `emea/pay`, in `apac`,
    /// and in no scope.
    #[test]
    fn the_table() {
        let scope = |text: &str| ScopePath::parse(text).unwrap();
        let (inside, outside) = (scope("emea/pay"), scope("apac"));
        let mut table = String::from(
            "operation       viewer agent  operator admin   (free inside outside nowhere)\n",
        );
        for operation in Operation::ALL {
            table += &format!("{:15}", format!("{operation:?}"));
            for role in [Role::Viewer, Role::Agent, Role::Operator, Role::Admin] {
                let free = Caller::example(role, None);
                let bound = Caller::example(role, Some(scope("emea")));
                table += " ";
                for allowed in [
                    free.may(*operation).is_ok(),
                    bound.may_within(*operation, Some(&inside)).is_ok(),
                    bound.may_within(*operation, Some(&outside)).is_ok(),
                    bound.may_within(*operation, None).is_ok(),
                ] {
                    table.push(if allowed { '+' } else { '-' });
                }
                table += "  ";
            }
            table = table.trim_end().to_owned() + "\n";
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_handler_that_forgets_the_scope_refuses() {
        let bound = Caller::example(Role::Admin, Some(ScopePath::parse("emea").unwrap()));
        for operation in Operation::ALL {
            assert_eq!(
                bound.may(*operation).is_ok(),
                operation.scoped() == Scoped::Freely,
                "{operation:?}"
            );
        }
    }
}
