//! Requests, counted as they arrive.

use crate::form::Form;
use crate::request::{Call, Verb};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many different counters are kept; requests that would need another one are counted under "other".
const COUNTERS_MAX: usize = 4096;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestCount {
    /// What was asked for.
    pub verb: Verb,
    /// The plural of the resource, `PLURAL/status`, `unknown`, or the path of a document.
    pub resource: String,
    /// The `User-Agent` header, "" without one.
    pub user_agent: String,
    /// A list of one object at most, as of who wants to know the newest version only.
    pub of_one: bool,
    /// Only the metadata of objects was asked for.
    pub of_metadata: bool,
}

/// Requests since the start, each counted once, when its head was read, whatever came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestCounts {
    counts: BTreeMap<RequestCount, u64>,
}

impl RequestCounts {
    /// All counters that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (&RequestCount, u64)> {
        self.counts.iter().map(|(what, count)| (what, *count))
    }

    /// All requests.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Requests with this verb for this resource, from all user agents.
    #[must_use]
    pub fn of(&self, verb: Verb, resource: &str) -> u64 {
        self.sum(|what| what.verb == verb && what.resource == resource)
    }

    /// Those that asked for whole objects, and those that asked for their metadata alone; but for lists of one.
    #[must_use]
    pub fn by_form(&self, verb: Verb, resource: &str) -> (u64, u64) {
        let of = |of_metadata| {
            self.sum(|what| {
                (what.verb, what.of_one, what.of_metadata) == (verb, false, of_metadata)
                    && what.resource == resource
            })
        };
        (of(false), of(true))
    }

    /// Requests with this verb.
    #[must_use]
    pub fn of_verb(&self, verb: Verb) -> u64 {
        self.sum(|what| what.verb == verb)
    }

    /// Lists of a resource that may have brought more than one object.
    #[must_use]
    pub fn listings(&self, resource: &str) -> u64 {
        self.sum(|what| what.verb == Verb::List && what.resource == resource && !what.of_one)
    }

    /// Requests of user agents that contain `part`.
    #[must_use]
    pub fn of_user_agent(&self, part: &str) -> u64 {
        self.sum(|what| what.user_agent.contains(part))
    }

    fn sum(&self, is_wanted: impl Fn(&RequestCount) -> bool) -> u64 {
        self.iter().filter(|(what, _)| is_wanted(what)).map(|(_, count)| count).sum()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(Mutex<RequestCounts>);

impl Counter {
    pub(crate) fn add(&self, call: &Call) {
        let what = RequestCount {
            verb: call.verb,
            resource: call.resource_name(),
            user_agent: call.user_agent.clone(),
            of_one: call.verb == Verb::List && call.query.get("limit") == "1",
            of_metadata: call.form == Form::Metadata,
        };
        let counts = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).counts;
        let what = if counts.len() < COUNTERS_MAX || counts.contains_key(&what) {
            what
        } else {
            RequestCount {
                verb: call.verb,
                resource: "other".to_owned(),
                user_agent: "other".to_owned(),
                of_one: false,
                of_metadata: false,
            }
        };
        *counts.entry(what).or_default() += 1;
    }

    pub(crate) fn read(&self) -> RequestCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
