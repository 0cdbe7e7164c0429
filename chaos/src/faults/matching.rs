//! Which requests a fault meets.

use crate::request::{Call, Target, Verb};

/// A filter of requests; what is not set matches all.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    verb: Option<Verb>,
    resource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    user_agent: Option<String>,
    not_token: Option<String>,
}

impl Matching {
    /// All requests.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests with this verb.
    #[must_use]
    pub fn verb(verb: Verb) -> Self {
        Self { verb: Some(verb), ..Self::default() }
    }

    /// Only for this resource: its plural, `PLURAL/status`, or the path of a document.
    #[must_use]
    pub fn resource(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    /// Only in this namespace.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    /// Only for the object with this name in its path; a create has none.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Only from user agents that contain `part`.
    #[must_use]
    pub fn user_agent(self, part: &str) -> Self {
        Self { user_agent: Some(part.to_owned()), ..self }
    }

    /// Only requests that do not bear this token: refused with 401, they make a cluster that knows one account.
    #[must_use]
    pub fn without_token(self, token: &str) -> Self {
        Self { not_token: Some(token.to_owned()), ..self }
    }

    pub(super) fn matches(&self, call: &Call) -> bool {
        let (namespace, name) = match &call.target {
            Target::Resource(resource) => (resource.namespace.as_str(), resource.name.as_str()),
            Target::Document(_) | Target::Unknown | Target::NoSubresource(..) => ("", ""),
        };
        self.verb.is_none_or(|verb| verb == call.verb)
            && self.resource.as_ref().is_none_or(|resource| *resource == call.resource_name())
            && self.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
            && self.name.as_ref().is_none_or(|wanted| wanted == name)
            && self.not_token.as_ref().is_none_or(|token| *token != call.token)
            && self.user_agent.as_ref().is_none_or(|part| call.user_agent.contains(part.as_str()))
    }
}
