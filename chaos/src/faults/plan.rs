//! All that goes wrong with one request.

use super::hold::Gate;
use super::{Action, Fault, Loss, Refuse};
use crate::refusal::Refusal;
use crate::request::{Call, Verb};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// In this order: the delay, the gates, the end.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) delay: Duration,
    pub(crate) gates: Vec<Arc<Gate>>,
    pub(crate) end: Option<End>,
}

/// How a request ends if not well.
#[derive(Debug)]
pub(crate) enum End {
    Refuse(Refusal),
    LoseAnswer(Loss),
    /// Until the sender is gone.
    Hang(watch::Receiver<()>),
}

impl Plan {
    /// Takes a fault up; false if it does not apply.
    pub(super) fn take(&mut self, action: &Action, alive: &watch::Sender<()>, call: &Call) -> bool {
        if self.end.is_some() {
            return false;
        }
        match action {
            Action::Hold(gate) => self.gates.push(Arc::clone(gate)),
            Action::Fault(Fault::Delay(delay)) => self.delay += *delay,
            Action::Fault(Fault::Refuse(refuse)) => self.end = Some(End::Refuse(refusal(refuse))),
            Action::Fault(Fault::LoseAnswer(loss)) => self.end = Some(End::LoseAnswer(*loss)),
            Action::Fault(Fault::Hang) => self.end = Some(End::Hang(alive.subscribe())),
            Action::Fault(Fault::GoneAsStatus) => {
                let version = call.query.get("resourceVersion");
                if call.verb != Verb::Watch || matches!(version, "" | "0") {
                    return false;
                }
                self.end =
                    Some(End::Refuse(Refusal::expired(format!("too old resource version: {version}"))));
            }
        }
        true
    }
}

fn refusal(refuse: &Refuse) -> Refusal {
    let mut refusal = Refusal::new(refuse.status, words(refuse.status).0, refuse.message.clone());
    refusal.retry_after_s = refuse.retry_after_s;
    refusal.is_plain_text = refuse.is_plain_text;
    refusal
}

/// The reason and the usual message of a status.
pub(super) fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "forbidden: the user cannot do this at the cluster scope"),
        409 => ("Conflict", "the server reported a conflict"),
        410 => ("Expired", "the server no longer provides this version of the resource"),
        429 => ("TooManyRequests", "Too many requests, please try again later."),
        500 => ("InternalError", "Internal error occurred: etcdserver: request timed out"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "Timeout: request did not complete within the allotted timeout"),
        _ => ("Unknown", "the server rejected the request"),
    }
}
