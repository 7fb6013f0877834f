//! What is declared and changed by name: scopes, groups, actions, limits, rules, policies, tools, budgets.
use super::bodies::{Changed, PolicyTest, PolicyTested, ResetReason, RollBack, RuleChanged, TopUp};
use super::fleet::{Fleet, last};
use super::query;
use crate::error::Result;
use fleet_types::{
    ActionName, BudgetId, ConnectorId, GroupId, LimitId, Pattern, PolicyId, RuleId, ScopePath,
    Text, action, budget, connector, group, limit, policy, rule, scope, tool, view,
};

macro_rules! things {
    ($($what:literal, $path:literal: $list:ident $get:ident $put:ident $remove:ident, $id:ty, $definition:ty [$name:ident], $view:ty;)*) => {
        impl Fleet {$(
            #[doc = concat!("All of the fleet's: ", $path, ".")]
            ///
            /// # Errors
            /// When refused or unreachable.
            pub async fn $list(&self) -> Result<Vec<$view>> {
                self.all(&self.at($path), &[]).await
            }

            #[doc = concat!("One ", $what, ".")]
            ///
            /// # Errors
            /// When refused or unreachable.
            pub async fn $get(&self, id: &$id) -> Result<$view> {
                self.http.get(&self.at(&format!("{}/{}", $path, last(id.as_str())))).await
            }

            #[doc = concat!("Sets this ", $what, ", new or in place of the old one.")]
            ///
            /// # Errors
            /// When refused or unreachable.
            pub async fn $put(&self, definition: &$definition) -> Result<Changed> {
                let path = self.at(&format!("{}/{}", $path, last(definition.$name.as_str())));
                self.http.put(&path, definition).await
            }

            #[doc = concat!("Removes this ", $what, ".")]
            ///
            /// # Errors
            /// When refused or unreachable.
            pub async fn $remove(&self, id: &$id) -> Result<Changed> {
                self.http.delete(&self.at(&format!("{}/{}", $path, last(id.as_str())))).await
            }
        )*}
    };
}

things! {
    "scope", "scopes": scopes scope put_scope remove_scope, ScopePath, scope::Scope [path], view::Scope;
    "group", "groups": groups group put_group remove_group, GroupId, group::Group [id], group::Group;
    "action", "actions": actions action put_action remove_action, Pattern, action::Action [pattern], action::Action;
    "limit", "limits": limits limit put_limit remove_limit, LimitId, limit::Limit [id], view::Limit;
    "rule", "rules": rules rule put_rule remove_rule, RuleId, rule::Rule [id], view::Rule;
    "connector", "connectors": connectors connector put_connector remove_connector, ConnectorId, connector::Connector [id], connector::Connector;
    "policy", "policies": policies policy put_policy remove_policy, PolicyId, policy::Policy [id], view::Policy;
    "tool", "tools": tools tool put_tool remove_tool, ActionName, tool::Tool [id], view::Tool;
    "budget", "budgets": budgets budget put_budget remove_budget, BudgetId, budget::Budget [id], view::Budget;
}

impl Fleet {
    /// Raises a budget for the current period.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn top_up(&self, budget: &BudgetId, by: &TopUp) -> Result<Changed> {
        self.http
            .post(&self.at(&format!("budgets/{budget}/top-up")), by)
            .await
    }

    /// Sets this rule, or its next version, and says why.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn put_rule_because(&self, rule: &rule::Rule, reason: &Text) -> Result<RuleChanged> {
        let path = because(&self.at(&format!("rules/{}", rule.id)), reason);
        self.http.put(&path, rule).await
    }

    /// Removes this rule with all its versions, and says why.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn remove_rule_because(&self, rule: &RuleId, reason: &Text) -> Result<Changed> {
        let path = because(&self.at(&format!("rules/{rule}")), reason);
        self.http.delete(&path).await
    }

    /// Makes an earlier version of a rule the next one.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn roll_back_rule(&self, rule: &RuleId, to: &RollBack) -> Result<RuleChanged> {
        self.http
            .post(&self.at(&format!("rules/{rule}/rollback")), to)
            .await
    }

    /// Sets this policy, or its next version, and says why.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn put_policy_because(
        &self,
        policy: &policy::Policy,
        reason: &Text,
    ) -> Result<Changed> {
        let path = because(&self.at(&format!("policies/{}", policy.id)), reason);
        self.http.put(&path, policy).await
    }

    /// Removes this policy with all its versions, and says why.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn remove_policy_because(&self, policy: &PolicyId, reason: &Text) -> Result<Changed> {
        let path = because(&self.at(&format!("policies/{policy}")), reason);
        self.http.delete(&path).await
    }

    /// Makes an earlier version of a policy the next one.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn roll_back_policy(&self, policy: &PolicyId, to: &RollBack) -> Result<Changed> {
        self.http
            .post(&self.at(&format!("policies/{policy}/rollback")), to)
            .await
    }

    /// Registers this tool, or its next version, and says why.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn put_tool_because(&self, tool: &tool::Tool, reason: &Text) -> Result<Changed> {
        let path = because(&self.at(&format!("tools/{}", tool.id)), reason);
        self.http.put(&path, tool).await
    }

    /// Removes this tool, and says why.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn remove_tool_because(&self, tool: &ActionName, reason: &Text) -> Result<Changed> {
        let path = because(&self.at(&format!("tools/{tool}")), reason);
        self.http.delete(&path).await
    }

    /// What policies say of a request, without effect.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn test_policies(&self, test: &PolicyTest) -> Result<PolicyTested> {
        self.http.post(&self.at("policies:test"), test).await
    }

    /// The data that policies see.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn policy_data(&self) -> Result<view::PolicyData> {
        self.http.get(&self.at("policy-data")).await
    }

    /// Replaces the data that policies see, and says why.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn put_policy_data(&self, data: &policy::Data, reason: &Text) -> Result<Changed> {
        let path = because(&self.at("policy-data"), reason);
        self.http.put(&path, data).await
    }

    /// Lets through again what a throttle has stopped.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn reset_rule(&self, rule: &RuleId, reason: Text) -> Result<Changed> {
        self.http
            .post(
                &self.at(&format!("rules/{rule}/reset")),
                &ResetReason { reason },
            )
            .await
    }
}

/// The address with a reason, where one is given.
fn because(path: &str, reason: &Text) -> String {
    let reason = (!reason.is_empty()).then(|| reason.to_string());
    query(path, &[("reason", reason)])
}
