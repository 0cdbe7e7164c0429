//! `v1 Event`, of type Warning: what controllers and nodes could not do.

use crate::limits::DIAGNOSIS_MESSAGE_BYTES_MAX;
use serde_json::Value;

/// One Warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// In one word, as `FailedScheduling`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// How often it happened.
    pub count: u64,
    /// When it happened last, as the cluster writes times: they order as text.
    pub at: String,
}

/// Reads an Event as a kube-apiserver sends it; `None` if it is no Warning.
#[must_use]
pub fn warning(event: &Value) -> Option<Warning> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if text("/type") != "Warning" {
        return None;
    }
    // Each way in which Events are written has its own place for the last time.
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    let at = times.iter().map(|at| text(at)).find(|at| !at.is_empty()).unwrap_or_default();
    let counts = ["/series/count", "/count"].iter().find_map(|at| event.pointer(at)?.as_u64());
    let mut message = text("/message").to_owned();
    crate::rule::truncate_to(&mut message, DIAGNOSIS_MESSAGE_BYTES_MAX);
    Some(Warning {
        reason: text("/reason").to_owned(),
        message,
        count: counts.unwrap_or(1),
        at: at.to_owned(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_warning_says_what_how_often_and_when_last() {
        // As a kubelet writes it.
        let event = json!({
            "type": "Warning", "reason": "FailedMount", "message": "MountVolume.SetUp failed for volume \"v\"",
            "count": 5, "firstTimestamp": "2026-11-20T08:00:00Z", "lastTimestamp": "2026-11-20T08:02:00Z",
            "eventTime": null, "involvedObject": {"kind": "Pod", "uid": "u"}, "source": {"component": "kubelet"},
        });
        let warning = warning(&event).unwrap();
        assert_eq!((warning.reason.as_str(), warning.count), ("FailedMount", 5));
        assert_eq!(warning.at, "2026-11-20T08:02:00Z");
    }

    #[test]
    fn the_new_form_has_its_times_elsewhere_and_what_is_normal_is_no_warning() {
        // As kube-scheduler writes it.
        let event = json!({
            "type": "Warning", "reason": "FailedScheduling", "message": "0/1 nodes are available",
            "eventTime": "2026-11-20T08:00:00.123456Z", "firstTimestamp": null, "lastTimestamp": null,
            "series": {"count": 3, "lastObservedTime": "2026-11-20T08:05:00.000000Z"},
        });
        let found = warning(&event).unwrap();
        assert_eq!((found.count, found.at.as_str()), (3, "2026-11-20T08:05:00.000000Z"));
        assert_eq!(warning(&json!({"type": "Normal", "reason": "Pulled", "message": "m"})), None);
    }
}
