//! Misbehaviour on request, set while the cluster runs. Everything is off until it is asked for.

mod hold;
mod matching;
mod plan;

pub use hold::Hold;
pub use matching::Matching;
pub(crate) use plan::{End, Plan};

use crate::request::Call;
use hold::Gate;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is refused before it has any effect.
    Refuse(Refuse),
    /// It is done, and the answer is lost.
    LoseAnswer(Loss),
    /// It is taken, not done, and never answered. The connection is dropped when the fault is removed.
    Hang,
    /// It is done later.
    Delay(Duration),
    /// A watch from a given version is answered 410 as status, as proxies and aggregated servers do it.
    GoneAsStatus,
}

/// How a request is refused.
#[derive(Debug, Clone)]
pub struct Refuse {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// `Retry-After`, as a header and in the details of the `Status`.
    pub retry_after_s: Option<u32>,
    /// Bare text instead of a `Status` object, as priority and fairness and proxies answer.
    pub is_plain_text: bool,
    /// What is said.
    pub message: String,
}

impl Refuse {
    /// A refusal with `status` as Kubernetes words it.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let message = plan::words(status).1.to_owned();
        Self { status, retry_after_s: None, is_plain_text: false, message }
    }
}

/// How an answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The connection is dropped without a byte.
    Drop,
    /// 504 instead of the answer.
    GatewayTimeout,
}

/// Names a fault that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(u64);

#[derive(Debug)]
struct Rule {
    id: FaultId,
    matching: Matching,
    action: Action,
    /// How many more requests it meets; none: all.
    left: Option<u64>,
    hits: u64,
    /// Dropped with the rule; wakes those who hang on it.
    alive: watch::Sender<()>,
}

#[derive(Debug, Clone)]
enum Action {
    Fault(Fault),
    Hold(Arc<Gate>),
}

/// The faults of one cluster. Rules are looked at in the order in which they were set: delays and holds add up,
/// the first other fault decides.
#[derive(Debug)]
pub struct Faults {
    rules: Mutex<Rules>,
    silent: watch::Sender<bool>,
    watch_generation: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Rules {
    all: Vec<Rule>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn new() -> Self {
        let (silent, watch_generation) = (watch::Sender::new(false), watch::Sender::new(0));
        Self { rules: Mutex::default(), silent, watch_generation }
    }

    /// `fault` for the next `requests` that match.
    pub fn next(&self, requests: u64, matching: Matching, fault: Fault) -> FaultId {
        self.add(matching, Action::Fault(fault), Some(requests))
    }

    /// `fault` for every request that matches, until it is removed.
    pub fn always(&self, matching: Matching, fault: Fault) -> FaultId {
        self.add(matching, Action::Fault(fault), None)
    }

    /// The next `requests` that match are refused with `status` before they have any effect.
    pub fn refuse_next(&self, requests: u64, matching: Matching, status: u16) -> FaultId {
        self.next(requests, matching, Fault::Refuse(Refuse::status(status)))
    }

    /// Everything is refused with `status` (401, 403, 503), until it is removed.
    pub fn refuse_all(&self, status: u16) -> FaultId {
        self.always(Matching::any(), Fault::Refuse(Refuse::status(status)))
    }

    /// Requests that match are read in full and then held, before any effect, until the hold is released. They
    /// are then done even if their client went away: a request that is delivered late.
    pub fn hold(&self, matching: Matching) -> Hold<'_> {
        let gate = Arc::new(Gate::new());
        let id = self.add(matching, Action::Hold(Arc::clone(&gate)), None);
        Hold::new(self, id, gate)
    }

    /// How many requests a fault has met; 0 after it was removed.
    #[must_use]
    pub fn hits(&self, id: FaultId) -> u64 {
        self.lock().all.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.hits)
    }

    /// Ends a fault; requests that hang on it lose their connection.
    pub fn remove(&self, id: FaultId) {
        self.lock().all.retain(|rule| rule.id != id);
    }

    /// Ends all faults, the silence of watches included. Held requests stay held until their hold is released.
    pub fn clear(&self) {
        self.lock().all.clear();
        self.silence_watches(false);
    }

    /// Ends all watches that are open, as a server that restarts does; new ones are served.
    pub fn close_watches(&self) {
        self.watch_generation.send_modify(|generation| *generation += 1);
    }

    /// Watches stay open and say nothing, no bookmarks either. What they missed comes when the silence ends.
    pub fn silence_watches(&self, is_silent: bool) {
        self.silent.send_replace(is_silent);
    }

    pub(crate) fn silence(&self) -> watch::Receiver<bool> {
        self.silent.subscribe()
    }

    pub(crate) fn watch_generation(&self) -> watch::Receiver<u64> {
        self.watch_generation.subscribe()
    }

    /// What is to go wrong with a request; counts as a hit of each fault in it.
    pub(crate) fn plan(&self, call: &Call) -> Plan {
        let mut plan = Plan::default();
        let mut rules = self.lock();
        for rule in rules.all.iter_mut().filter(|rule| rule.left != Some(0) && rule.matching.matches(call)) {
            if !plan.take(&rule.action, &rule.alive, call) {
                continue;
            }
            rule.hits += 1;
            rule.left = rule.left.map(|left| left - 1);
        }
        plan
    }

    fn add(&self, matching: Matching, action: Action, left: Option<u64>) -> FaultId {
        let mut rules = self.lock();
        rules.last_id += 1;
        let id = FaultId(rules.last_id);
        rules.all.push(Rule { id, matching, action, left, hits: 0, alive: watch::Sender::new(()) });
        id
    }

    fn lock(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
