//! The only place that reads the wall clock. Delays go by tokio's clock.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The present as Kubernetes writes it: UTC, whole seconds.
pub(crate) fn now() -> String {
    written(read())
}

/// How long ago `timestamp` was; zero for the future and for what is no timestamp.
pub(crate) fn since(timestamp: &str) -> Duration {
    let Ok(then) = timestamp.parse::<Timestamp>() else { return Duration::ZERO };
    let passed = read().duration_since(then).max(SignedDuration::ZERO);
    passed.unsigned_abs()
}

#[expect(clippy::disallowed_methods, reason = "a simulated cluster is a world of its own: this is its clock")]
fn read() -> Timestamp {
    Timestamp::now()
}

fn written(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_whole_seconds_in_utc() {
        let text = written(Timestamp::from_millisecond(1_700_000_000_999).unwrap_or_default());
        assert_eq!(text, "2023-11-14T22:13:20Z");
    }

    #[test]
    fn what_is_no_timestamp_is_no_time_ago() {
        assert_eq!(since("yesterday"), Duration::ZERO);
    }
}
