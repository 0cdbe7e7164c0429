//! `Retry-After`, which only the header says when the body is plain text.

use hyper::HeaderMap;
use hyper::header::RETRY_AFTER;

/// In seconds. The form with a date is not used by kube-apiservers and would need a clock.
pub(super) fn seconds(headers: &HeaderMap) -> Option<u32> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn only_seconds_are_read() {
        let read = |text: &'static str| {
            seconds(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]))
        };
        assert_eq!(read("7"), Some(7));
        assert_eq!(read("Fri, 20 Nov 2026 07:28:00 GMT"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(seconds(&HeaderMap::new()), None);
    }
}
