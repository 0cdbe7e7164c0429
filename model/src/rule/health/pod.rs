//! A Pod that nothing keeps.

use super::{Said, condition, text};
use crate::record::Health;
use crate::rule::diagnosis::words as said;
use crate::rule::pod::{Gravity, examine};
use serde_json::Value;

pub(super) fn health(object: &Value) -> Said {
    let examined = examine(object).unwrap_or_default();
    let phase = text(object, "/status/phase");
    let is_scheduled = condition(object, "PodScheduled", "False").is_none();
    match (phase, examined.gravity) {
        ("Succeeded", _) => (Health::Healthy, String::new()),
        ("Failed", _) => (Health::Degraded, said(&examined.pod)),
        // It may yet find a node.
        ("Pending", Gravity::Stuck) if !is_scheduled => (Health::Progressing, said(&examined.pod)),
        (_, Gravity::Stuck) => (Health::Degraded, said(&examined.pod)),
        ("Running", _) => match condition(object, "Ready", "False") {
            Some(waits) => (Health::Progressing, super::words(waits)),
            None => (Health::Healthy, String::new()),
        },
        _ => (Health::Progressing, "it has not begun to run".to_owned()),
    }
}
