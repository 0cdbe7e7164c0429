//! Runnables as the client shows them and judges them.

use crate::client::{Client, Request, request, text};
use crate::exit::Failure;
use crate::output::{Columns, age, or_dash};
use serde_json::Value;
use std::time::Duration;
use tallyman_model::Phase;

/// A runnable's columns.
pub(crate) const COLUMNS: Columns = Columns {
    resource: "runnable",
    headings: &[
        "NAMESPACE",
        "NAME",
        "PHASE",
        "CLUSTER",
        "ATTEMPT",
        "AGE",
        "MESSAGE",
        "BY",
        "OBSERVED",
        "REASON",
        "DIGEST",
    ],
    narrow: 7,
    cells,
};

/// The longest message in a column.
const MESSAGE_CHARS_MAX: usize = 60;

fn cells(run: &Value) -> Vec<String> {
    let attempts = run.pointer("/status/attempts").and_then(Value::as_array).map_or(0, Vec::len);
    let max = run.pointer("/spec/attempts/max").and_then(Value::as_u64).unwrap_or(1);
    let observed = text(run, "/status/observed/at");
    let clusters = run.pointer("/status/fanOut/clusters").and_then(Value::as_u64);
    vec![
        text(run, "/metadata/namespace").to_owned(),
        text(run, "/metadata/name").to_owned(),
        or_dash(text(run, "/status/phase")),
        clusters.map_or_else(|| or_dash(text(run, "/status/cluster")), |count| format!("{count} clusters")),
        if clusters.is_some() { "-".to_owned() } else { format!("{attempts}/{}", max.max(attempts as u64)) },
        age(text(run, "/metadata/creationTimestamp")),
        shortened(&message(run)),
        or_dash(text(run, "/status/submittedBy")),
        if observed.is_empty() { "-".to_owned() } else { format!("{} ago", age(observed)) },
        or_dash(text(run, "/status/reason")),
        short(text(run, "/status/digest")),
    ]
}

/// The beginning of a digest: enough to tell two apart by eye.
pub(crate) fn short(digest: &str) -> String {
    if digest.len() > 19 { format!("{}...", digest.get(..13).unwrap_or(digest)) } else { digest.to_owned() }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

/// Why it is where it is: the message of the first condition that is not as it should be, or the last one's.
pub(crate) fn message(run: &Value) -> String {
    let waits = text(run, "/status/waitingFor");
    if !waits.is_empty() {
        return waits.to_owned();
    }
    let direct = text(run, "/status/message");
    if !direct.is_empty() {
        return direct.to_owned();
    }
    let is_wrong =
        |condition: &&Value| text(condition, "/status") == "False" && text(condition, "/type") != "Finished";
    let wrong = conditions(run).find(is_wrong);
    wrong.map(|condition| text(condition, "/message").to_owned()).unwrap_or_default()
}

/// The conditions.
pub(crate) fn conditions(run: &Value) -> impl Iterator<Item = &Value> {
    run.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten()
}

/// The phase.
pub(crate) fn phase(run: &Value) -> Option<Phase> {
    Phase::parse(text(run, "/status/phase"))
}

/// True if it has ended.
pub(crate) fn has_ended(run: &Value) -> bool {
    phase(run).is_some_and(Phase::is_terminal)
}

/// `NS/NAME`.
pub(crate) fn reference(run: &Value) -> String {
    format!("{}/{}", text(run, "/metadata/namespace"), text(run, "/metadata/name"))
}

/// Reads one runnable.
///
/// # Errors
/// Not found, or no answer.
pub(crate) async fn read(client: &Client, namespace: &str, name: &str) -> Result<Value, Failure> {
    Ok(client.read(&Request::get(request::runnable(namespace, name))).await?.body)
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
    fn the_message_is_that_of_what_is_wrong() {
        let run = json!({"status": {"conditions": [
            {"type": "Accepted", "status": "True", "message": "fine"},
            {"type": "Finished", "status": "False", "message": ""},
            {"type": "Placed", "status": "False", "reason": "NameHeld", "message": "held by risk/a"}]}});
        assert_eq!(message(&run), "held by risk/a");
    }

    #[test]
    fn there_is_a_cell_for_each_heading() {
        assert_eq!(cells(&json!({})).len(), COLUMNS.headings.len());
    }
}
