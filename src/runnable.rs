//! Runnables as the client shows them and waits for them.

use crate::client::{Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::output::{Columns, age, or_dash};
use serde_json::Value;
use std::time::Duration;
use tallyman_model::Phase;
use tokio::time::{Instant, timeout_at};

/// A runnable's columns.
pub(crate) const COLUMNS: Columns = Columns {
    resource: "runnable",
    headings: &["NAMESPACE", "NAME", "PHASE", "CLUSTER", "ATTEMPT", "AGE", "MESSAGE"],
    cells,
};

/// The longest message in a column.
const MESSAGE_CHARS_MAX: usize = 60;

fn cells(run: &Value) -> Vec<String> {
    let attempts = run.pointer("/status/attempts").and_then(Value::as_array).map_or(0, Vec::len);
    let max = run.pointer("/spec/attempts/max").and_then(Value::as_u64).unwrap_or(1);
    vec![
        text(run, "/metadata/namespace").to_owned(),
        text(run, "/metadata/name").to_owned(),
        or_dash(text(run, "/status/phase")),
        or_dash(text(run, "/status/cluster")),
        format!("{attempts}/{}", max.max(attempts as u64)),
        age(text(run, "/metadata/creationTimestamp")),
        shortened(&message(run)),
    ]
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

/// Why it is where it is: the message of the first condition that is not as it should be, or the last one's.
pub(crate) fn message(run: &Value) -> String {
    let direct = text(run, "/status/message");
    if !direct.is_empty() {
        return direct.to_owned();
    }
    let conditions = run.pointer("/status/conditions").and_then(Value::as_array);
    let is_wrong =
        |condition: &&Value| text(condition, "/status") == "False" && text(condition, "/type") != "Finished";
    let wrong = conditions.into_iter().flatten().find(is_wrong);
    wrong.map(|condition| text(condition, "/message").to_owned()).unwrap_or_default()
}

/// The phase.
pub(crate) fn phase(run: &Value) -> Option<Phase> {
    Phase::parse(text(run, "/status/phase"))
}

/// `NS/NAME`.
pub(crate) fn reference(run: &Value) -> String {
    format!("{}/{}", text(run, "/metadata/namespace"), text(run, "/metadata/name"))
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum For {
    /// It has ended, well or badly
    Finished,
    /// Its main object runs, or it has ended
    Running,
    /// Its main object exists, or it has ended
    Created,
    /// It has ended and its record is gone
    Gone,
}

impl For {
    fn is_reached(self, phase: Phase) -> bool {
        let is_on_the_way = matches!(phase, Phase::Held | Phase::Accepted | Phase::Placed | Phase::Sent);
        match self {
            For::Finished => phase.is_terminal(),
            For::Running => phase.is_terminal() || phase == Phase::Running,
            For::Created => !is_on_the_way,
            For::Gone => false,
        }
    }
}

/// Reads one runnable.
///
/// # Errors
/// Not found, or no answer.
pub(crate) async fn read(client: &Client, namespace: &str, name: &str) -> Result<Value, Failure> {
    Ok(client.read(&Request::get(request::runnable(namespace, name))).await?.body)
}

/// Follows one runnable until `is_done` says so of it, its deletion (`None`) included, or until `limit`.
///
/// # Errors
/// Not found at the start, no answer, or still waiting when the time is over.
pub(crate) async fn follow(
    client: &Client,
    namespace: &str,
    name: &str,
    limit: Option<Duration>,
    mut is_done: impl FnMut(Option<&Value>) -> bool,
) -> Result<Option<Value>, Failure> {
    // A year is as good as for ever, and cannot overflow.
    let deadline = Instant::now() + limit.unwrap_or(Duration::from_secs(366 * 24 * 3600));
    let mut last = Some(read(client, namespace, name).await?);
    loop {
        if is_done(last.as_ref()) {
            return Ok(last);
        }
        let Some(run) = last else { return Ok(None) };
        match timeout_at(deadline, changed(client, &run)).await {
            Ok(changed) => last = changed?,
            Err(_) => return Err(still(namespace, name, &run)),
        }
    }
}

fn still(namespace: &str, name: &str, run: &Value) -> Failure {
    let phase = text(run, "/status/phase");
    Failure::new(
        Exit::Unknown,
        format!("{namespace}/{name} is {phase}; the time to wait is over, the run goes on {}", message(run))
            .trim_end(),
        format!("tallyman wait {namespace}/{name}"),
    )
}

/// The next state of a runnable, `None` when it is gone.
///
/// # Errors
/// No answer.
pub(crate) async fn changed(client: &Client, run: &Value) -> Result<Option<Value>, Failure> {
    let (namespace, name) = (text(run, "/metadata/namespace"), text(run, "/metadata/name"));
    let version = text(run, "/metadata/resourceVersion");
    let watch = Request::get(request::runnables(Some(namespace)))
        .query("watch", "true")
        .query("fieldSelector", format!("metadata.name={name}"))
        .query("resourceVersion", version);
    if let Ok(mut lines) = client.lines(&watch).await {
        while let Some(event) = lines.next().await? {
            match text(&event, "/type") {
                "ADDED" | "MODIFIED" => return Ok(event.get("object").cloned()),
                "DELETED" => return Ok(None),
                "ERROR" => break,
                _ => {}
            }
        }
    }
    // The watch is over: what has happened meanwhile is in a fresh read.
    match read(client, namespace, name).await {
        Ok(run) => Ok(Some(run)),
        Err(failure) if failure.exit == Exit::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Waits for one runnable.
///
/// # Errors
/// As [`follow`]; ended without success.
pub(crate) async fn wait(
    client: &Client,
    namespace: &str,
    name: &str,
    until: For,
    limit: Option<Duration>,
) -> Result<Option<Value>, Failure> {
    let is_done = |run: Option<&Value>| match run {
        None => true,
        Some(run) => phase(run).is_some_and(|phase| until.is_reached(phase)),
    };
    let ended = match follow(client, namespace, name, limit, is_done).await {
        Err(failure) if failure.exit == Exit::NotFound && until == For::Gone => None,
        ended => ended?,
    };
    let Some(run) = &ended else {
        if until == For::Gone {
            return Ok(None);
        }
        let message = format!("{namespace}/{name} was deleted while it was waited for");
        return Err(Failure::new(Exit::NotFound, message, format!("tallyman history {namespace}/{name}")));
    };
    match phase(run) {
        Some(phase @ (Phase::Failed | Phase::Cancelled)) => Err(Failure::new(
            Exit::Unsuccessful,
            format!("{namespace}/{name} ended {phase}: {}", or_dash(&message(run))),
            format!("tallyman history {namespace}/{name}; tallyman retry {namespace}/{name}"),
        )),
        _ => Ok(ended),
    }
}

/// A duration such as `90s` or `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    tallyman_model::manifest::parse_duration(text).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_end_is_enough_for_whoever_waits_for_less() {
        for until in [For::Finished, For::Running, For::Created] {
            for phase in [Phase::Succeeded, Phase::Failed, Phase::Cancelled] {
                assert!(until.is_reached(phase), "{until:?} {phase}");
            }
            assert!(!until.is_reached(Phase::Sent), "{until:?}");
        }
        assert!(For::Created.is_reached(Phase::Pending) && !For::Running.is_reached(Phase::Pending));
    }

    #[test]
    fn the_message_is_that_of_what_is_wrong() {
        let run = json!({"status": {"conditions": [
            {"type": "Accepted", "status": "True", "message": "fine"},
            {"type": "Finished", "status": "False", "message": ""},
            {"type": "Placed", "status": "False", "reason": "NameHeld", "message": "held by risk/a"}]}});
        assert_eq!(message(&run), "held by risk/a");
    }
}
