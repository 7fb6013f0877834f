//! Who a request comes from, and what that one may do.
use crate::auth::matrix::{Operation, Scoped};
use crate::problem::{Problem, Result};
use fleet_types::directory::Key;
use fleet_types::{Actor, AgentId, Code, FleetId, KeyId, Role, ScopePath, TenantId};

/// The tenant that the server itself belongs to.
pub const TENANT_DEFAULT: &str = "default";

/// Who asks, as proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As the core knows it.
    pub actor: Actor,
    /// The key it brought; absent on an open server.
    pub key: Option<KeyId>,
    /// Whose data it may reach.
    pub tenant: TenantId,
    /// Only this fleet.
    pub fleet: Option<FleetId>,
    /// Only this scope and below.
    pub scope: Option<ScopePath>,
    /// Only as this agent.
    pub agent: Option<AgentId>,
    /// What it may do.
    pub role: Role,
}

impl Caller {
    /// Whoever sits at this machine: admin of the default tenant.
    #[must_use]
    pub fn local() -> Caller {
        Caller {
            actor: Actor::Local,
            key: None,
            tenant: TenantId::parse(TENANT_DEFAULT).expect("it is a name"),
            fleet: None,
            scope: None,
            agent: None,
            role: Role::Admin,
        }
    }

    /// Whoever holds this key.
    #[must_use]
    pub fn of(key: &Key) -> Caller {
        Caller {
            actor: match &key.agent {
                Some(agent) => Actor::Agent(agent.clone()),
                None => Actor::Key(key.id.clone()),
            },
            key: Some(key.id.clone()),
            tenant: key.tenant.clone(),
            fleet: key.fleet.clone(),
            scope: key.scope.clone(),
            agent: key.agent.clone(),
            // I8: whoever speaks for an agent manages nothing, neither itself nor others, whatever its key says.
            role: match key.agent {
                Some(_) => key.role.min(Role::Agent),
                None => key.role,
            },
        }
    }

    /// Whether it may do this at all, anywhere.
    ///
    /// # Errors
    /// When its role does not reach that far, or its key is bound to a scope and this is not for such keys.
    pub fn may(&self, operation: Operation) -> Result<()> {
        self.has_role(operation)?;
        match (&self.scope, operation.scoped()) {
            (None, _) | (Some(_), Scoped::Freely) => Ok(()),
            (Some(scope), Scoped::Within | Scoped::Never) => Err(Problem::new(
                Code::Forbidden,
                format!("this key reaches only scope {scope}; use a key for the whole fleet"),
            )),
        }
    }

    /// Whether it may do this to anything at all: asked before it is known what it concerns.
    ///
    /// # Errors
    /// When its role does not reach that far, or its key is bound to a scope and this is not for such keys.
    pub fn may_somewhere(&self, operation: Operation) -> Result<()> {
        self.may_within(operation, self.scope.as_ref())
    }

    /// Whether it may do this to a thing that stands in `scope` (`None`: in none, so it concerns the whole fleet).
    ///
    /// # Errors
    /// When its role does not reach that far, or the thing is outside its key's scope.
    pub fn may_within(&self, operation: Operation, scope: Option<&ScopePath>) -> Result<()> {
        self.has_role(operation)?;
        match (&self.scope, operation.scoped()) {
            (None, _) | (Some(_), Scoped::Freely) => Ok(()),
            (Some(own), Scoped::Within) if scope.is_some_and(|scope| own.covers(scope)) => Ok(()),
            (Some(own), Scoped::Within | Scoped::Never) => Err(Problem::new(
                Code::Forbidden,
                match scope {
                    Some(scope) => format!("this key reaches only scope {own}, not {scope}"),
                    None => format!(
                        "this key reaches only scope {own}, and this concerns more; name a scope within it"
                    ),
                },
            )),
        }
    }

    /// Whether it sees a thing that stands in `scope`: for lists, which leave out the rest.
    #[must_use]
    pub fn sees(&self, scope: Option<&ScopePath>) -> bool {
        match &self.scope {
            None => true,
            Some(own) => scope.is_some_and(|scope| own.covers(scope)),
        }
    }

    /// Whether it may speak for `agent`, its scope aside.
    ///
    /// # Errors
    /// When its key is bound to another agent.
    pub fn may_act_as(&self, agent: &AgentId) -> Result<()> {
        match &self.agent {
            Some(own) if own != agent => Err(Problem::new(
                Code::IdentityMismatch,
                format!("this key speaks for agent {own}, not for {agent}"),
            )
            .field("agent")),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether it may reach `fleet` of its tenant.
    ///
    /// # Errors
    /// When its key is for another fleet.
    pub fn may_reach(&self, fleet: &FleetId) -> Result<()> {
        match &self.fleet {
            Some(own) if own != fleet => Err(Problem::new(
                Code::Forbidden,
                format!("this key opens fleet {own} only"),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether it may act on the whole server: tenants.
    ///
    /// # Errors
    /// When it is no unbound admin of the default tenant.
    pub fn is_server_admin(&self) -> Result<()> {
        self.may(Operation::CreateTenant)?;
        if self.tenant.as_str() == TENANT_DEFAULT && self.fleet.is_none() && self.agent.is_none() {
            return Ok(());
        }
        Err(Problem::new(
            Code::Forbidden,
            "only an admin key of the server's own tenant, bound to no fleet, may do this",
        ))
    }

    fn has_role(&self, operation: Operation) -> Result<()> {
        let least = operation.role();
        if self.role >= least {
            return Ok(());
        }
        if let (Some(agent), Operation::Release) = (&self.agent, operation) {
            return Err(Problem::new(
                Code::ReleaseByAgent,
                format!(
                    "this key speaks for agent {agent}, which cannot release a halt; a person must"
                ),
            ));
        }
        Err(Problem::new(
            Code::Forbidden,
            format!(
                "this takes role {}, and this key has {}",
                name(least),
                name(self.role)
            ),
        ))
    }

    #[cfg(test)]
    pub(crate) fn example(role: Role, scope: Option<ScopePath>) -> Caller {
        Caller {
            role,
            scope,
            ..Caller::local()
        }
    }
}

const fn name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Agent => "agent",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}
