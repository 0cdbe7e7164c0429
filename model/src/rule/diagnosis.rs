//! From Pods and Events to why an attempt does not run, or why it failed.

use super::event::Warning;
use super::pod::{Examined, Gravity};
use super::truncate;
use super::workload::Admission;
use crate::limits::DIAGNOSIS_PODS_MAX;
use crate::record::{Finding, PodSeen};

/// What was read of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its Pods.
    pub pods: Vec<Examined>,
    /// There may be more Pods than were read.
    pub is_cut: bool,
    /// The Warnings of its gravest Pod; without Pods those of its main object.
    pub warnings: Vec<Warning>,
    /// Its main object is suspended.
    pub is_suspended: bool,
    /// Why Kueue keeps it suspended.
    pub admission: Option<Admission>,
    /// What could not be read, in the words of the cluster.
    pub denied: Option<String>,
}

impl Evidence {
    /// The Pod whose Events are worth reading: the gravest, where it does not say itself what is wrong.
    #[must_use]
    pub fn in_question(&self) -> Option<&Examined> {
        gravest(&self.pods).filter(|one| one.gravity == Gravity::Begins)
    }
}

fn gravest(pods: &[Examined]) -> Option<&Examined> {
    pods.iter().max_by(|this, that| rank(this).cmp(&rank(that)))
}

/// Of two that are equally grave the later one counts.
fn rank(one: &Examined) -> (Gravity, &str, &str) {
    (one.gravity, &one.at, &one.pod.name)
}

/// What is wrong, in words. `what` names the main object.
#[must_use]
pub fn find(what: &str, mut evidence: Evidence) -> Finding {
    evidence.pods.sort_by(|this, that| rank(that).cmp(&rank(this)));
    let newest = evidence.warnings.iter().max_by_key(|warning| (&warning.at, warning.count));
    let (reason, message) = match (evidence.pods.first(), newest) {
        (None, _) if evidence.denied.is_some() && !evidence.is_suspended => {
            ("NotAllowed".to_owned(), "why is not known: its Pods cannot be read".to_owned())
        }
        (None, Some(warning)) => (warning.reason.clone(), format!("{what} has no Pod: {}", told(warning))),
        (None, None) if evidence.is_suspended => match &evidence.admission {
            Some(Admission { reason, message }) => {
                (reason.clone(), format!("{what} is suspended: {reason}: {message}"))
            }
            None => {
                ("Suspended".to_owned(), format!("{what} is suspended: it waits to be admitted or resumed"))
            }
        },
        (None, None) => ("NoPods".to_owned(), format!("{what} has no Pod, and its cluster does not say why")),
        (Some(worst), _) if worst.gravity == Gravity::Fine => (String::new(), String::new()),
        (Some(worst), newest) => of_pod(worst, newest),
    };
    let wrong = evidence.pods.iter().filter(|one| one.gravity > Gravity::Fine);
    let others = wrong.clone().count().saturating_sub(1);
    let more = match (others, evidence.is_cut) {
        (0, _) => String::new(),
        (1, false) => ", and 1 Pod more".to_owned(),
        (_, false) => format!(", and {others} Pods more"),
        (_, true) => format!(", and {others} Pods more at least"),
    };
    let denied = evidence.denied.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
    let mut message = if message.is_empty() { message } else { format!("{message}{more}{denied}") };
    truncate(&mut message);
    let pods = wrong.take(DIAGNOSIS_PODS_MAX).map(|one| one.pod.clone()).collect();
    Finding { reason, message, pods }
}

fn of_pod(worst: &Examined, newest: Option<&Warning>) -> (String, String) {
    let pod = &worst.pod;
    let place = if pod.node.is_empty() { String::new() } else { format!(" on node {}", pod.node) };
    let subject = format!("Pod {}{place}", pod.name);
    match newest {
        // It does not say itself.
        Some(warning) if worst.gravity == Gravity::Begins => {
            (warning.reason.clone(), format!("{subject}: {}", told(warning)))
        }
        _ if pod.reason.is_empty() => ("Starting".to_owned(), format!("{subject} has not started yet")),
        _ => (pod.reason.clone(), format!("{subject}: {}", words(pod))),
    }
}

/// What is wrong with one Pod, in words.
#[must_use]
pub fn words(pod: &PodSeen) -> String {
    let container =
        if pod.container.is_empty() { String::new() } else { format!("container {}: ", pod.container) };
    let mut facts = vec![pod.reason.clone()];
    facts.extend(pod.exit_code.map(|code| format!("exit code {code}")));
    facts.extend(pod.signal.filter(|signal| *signal != 0).map(|signal| format!("signal {signal}")));
    match pod.restarts {
        0 => {}
        1 => facts.push("1 restart".to_owned()),
        restarts => facts.push(format!("{restarts} restarts")),
    }
    facts.retain(|fact| !fact.is_empty());
    let facts = facts.join(", ");
    if pod.message.is_empty() {
        format!("{container}{facts}")
    } else {
        format!("{container}{facts}: {}", pod.message)
    }
}

fn told(warning: &Warning) -> String {
    let Warning { reason, message, count, .. } = warning;
    if *count > 1 { format!("{reason}: {message} ({count} times)") } else { format!("{reason}: {message}") }
}

#[cfg(test)]
#[path = "diagnosis_tests.rs"]
mod tests;
