//! An API key as requests use it.

use super::{
    proof::Proof,
    scopes::{Permit, Scope},
};
use gateway_core::model::{ChannelName, ErrorCode, Refusal, ServiceName};

/// Name and rights of an API key, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    name: Box<str>,
    proof: Proof,
    rights: Rights,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rights {
    Everything,
    Only(Box<[Permit]>),
}

impl ApiKey {
    /// A key with these permits. `None`: it may do everything.
    pub(super) fn new(name: &str, proof: Proof, permits: Option<Vec<Permit>>) -> Self {
        Self { name: name.into(), proof, rights: permits.map_or(Rights::Everything, |permits| Rights::Only(permits.into())) }
    }

    /// What a caller shows to use it.
    pub(super) fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The name, for logs, metrics and the scope of idempotency keys. Several keys may have it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks that the key has the scope, at least for some channels or services.
    pub fn check(&self, scope: Scope) -> Result<(), Refusal> {
        self.require(
            |permit| permit.scope() == scope,
            || {
                if scope == Scope::Link { "link:<service>".into() } else { scope.to_string() }
            },
        )
    }

    /// Checks that the key has the scope for a channel.
    pub fn check_channel(&self, scope: Scope, channel: &ChannelName) -> Result<(), Refusal> {
        self.require(|permit| permit.covers(scope, channel), || format!("{scope}:{channel}"))
    }

    /// Checks that the key may see every channel that a pattern of a request matches. `*` and `?` of it are wildcards.
    pub fn check_list(&self, pattern: &str) -> Result<(), Refusal> {
        self.require(|permit| permit.covers(Scope::Read, pattern), || format!("{}:{pattern}", Scope::Read))
    }

    /// Checks that the key may open links of a service.
    pub fn check_link(&self, service: &ServiceName) -> Result<(), Refusal> {
        self.require(|permit| matches!(permit, Permit::Link(own) if own == service), || format!("{}:{service}", Scope::Link))
    }

    fn require(&self, is_enough: impl Fn(&Permit) -> bool, missing: impl FnOnce() -> String) -> Result<(), Refusal> {
        match &self.rights {
            Rights::Only(permits) if !permits.iter().any(is_enough) => {
                let detail = format!(
                    "The API key {:?} lacks the scope `{}`. Add it to its `scopes` in the settings, or use another key.",
                    self.name,
                    missing()
                );
                Err(Refusal::new(ErrorCode::PermissionDenied, detail))
            }
            Rights::Only(_) | Rights::Everything => Ok(()),
        }
    }
}
