//! Why an attempt does not run, or why it failed, in words.

use serde::Serialize;
use std::borrow::Cow;
use tallyman_model::log_link::{self, Subject};
use tallyman_model::record::{Attempt, Cluster, Diagnosis, Object, PodSeen, Runnable};
use tallyman_model::time;

/// What was found when an attempt's Pods were looked at.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiagnosisState<'a> {
    at: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

/// A Pod that does not do what it should.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodState<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    node: &'a str,
    phase: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    container: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    restarts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_link: Option<String>,
}

/// Where the logs of an attempt are read: the template of its cluster, and what is filled in.
#[derive(Clone, Copy, Default)]
pub(super) struct Logs<'a> {
    template: &'a str,
    subject: Subject<'a>,
}

impl<'a> Logs<'a> {
    /// Of an attempt on `cluster`, if that is still registered.
    pub(super) fn of(run: &'a Runnable, attempt: &'a Attempt, cluster: Option<&'a Cluster>) -> Self {
        let main = |object: &&Object| object.attempt == attempt.number && run.is_main(object);
        let (Some(cluster), Some(object)) = (cluster, run.objects.iter().find(main)) else {
            return Self::default();
        };
        let subject = Subject {
            cluster: &attempt.cluster_name,
            namespace: run.plan(object).map_or("", |plan| plan.namespace.as_str()),
            name: &object.name,
            uid: object.uid.as_deref().unwrap_or_default(),
            pod: "",
        };
        Self { template: &cluster.log_link, subject }
    }

    /// The link of the attempt as a whole, once it was created.
    pub(super) fn link(&self) -> Option<String> {
        if self.subject.uid.is_empty() { None } else { log_link::link(self.template, &self.subject) }
    }

    fn of_pod(&self, pod: &str) -> Option<String> {
        let is_each = log_link::is_of_pods(self.template);
        if is_each { log_link::link(self.template, &Subject { pod, ..self.subject }) } else { None }
    }
}

pub(super) fn state(attempt: &Attempt) -> Option<DiagnosisState<'_>> {
    let Diagnosis { at_ms, finding, .. } = attempt.diagnosis.as_deref()?;
    Some(DiagnosisState { at: time::format(*at_ms), reason: &finding.reason, message: &finding.message })
}

pub(super) fn pods<'a>(attempt: &'a Attempt, logs: &Logs<'_>) -> Vec<PodState<'a>> {
    let pods = attempt.diagnosis.iter().flat_map(|diagnosis| &diagnosis.finding.pods);
    pods.map(|one| pod(one, logs)).collect()
}

fn pod<'a>(pod: &'a PodSeen, logs: &Logs<'_>) -> PodState<'a> {
    PodState {
        name: &pod.name,
        node: &pod.node,
        phase: &pod.phase,
        reason: &pod.reason,
        message: &pod.message,
        container: &pod.container,
        exit_code: pod.exit_code,
        signal: pod.signal,
        restarts: pod.restarts,
        log_link: logs.of_pod(&pod.name),
    }
}

/// Why the run does not get on, as it was seen last, with when that was; of one that has ended, how its last Pod did.
pub(super) fn words(run: &Runnable) -> Option<String> {
    let Diagnosis { at_ms, finding, .. } = run.diagnosis()?;
    Some(match run.phase.is_terminal() {
        true => finding.message.clone(),
        false => format!("{} (seen {})", finding.message, time::format(*at_ms)),
    })
}

/// The run's words, and what its Pods say.
pub(crate) fn message(run: &Runnable) -> Cow<'_, str> {
    match (words(run), run.message.as_str()) {
        (None, message) => Cow::Borrowed(message),
        (Some(words), "") => Cow::Owned(words),
        (Some(words), message) => Cow::Owned(format!("{message}; {words}")),
    }
}
