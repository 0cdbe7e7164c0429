//! What a client prefers (RFC 7240), and the word that it was done.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What `Prefer` headers say. What cannot be read is no preference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefer {
    /// Answer when what was asked for has come about, or after so many seconds.
    pub(crate) wait_s: Option<u64>,
    /// Answer with no more than what identifies the record.
    pub(crate) minimal: bool,
}

impl Prefer {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        for (name, value) in
            values.flat_map(|value| value.split([',', ';'])).filter_map(|one| one.split_once('='))
        {
            match (name.trim().to_ascii_lowercase().as_str(), value.trim().trim_matches('"')) {
                ("wait", seconds) => prefer.wait_s = prefer.wait_s.or(seconds.parse().ok()),
                ("return", "minimal") => prefer.minimal = true,
                _ => {}
            }
        }
        prefer
    }

    /// Says which preferences were followed.
    pub(crate) fn applied(self, mut response: Response) -> Response {
        let wait = self.wait_s.map(|seconds| format!("wait={seconds}"));
        let minimal = self.minimal.then(|| "return=minimal".to_owned());
        let words: Vec<String> = wait.into_iter().chain(minimal).collect();
        if let Ok(value) = HeaderValue::from_str(&words.join(", "))
            && !words.is_empty()
        {
            response.headers_mut().insert(APPLIED, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_from_any_number_of_headers_and_nonsense_is_none() {
        let of = |values: &[&'static str]| {
            let pairs = values
                .iter()
                .map(|value| (HeaderName::from_static("prefer"), HeaderValue::from_static(value)));
            Prefer::of(&pairs.collect())
        };
        assert_eq!(of(&["wait=7"]), Prefer { wait_s: Some(7), minimal: false });
        assert_eq!(
            of(&["respond-async, Wait=\"7\"", "return=minimal"]),
            Prefer { wait_s: Some(7), minimal: true }
        );
        assert_eq!(of(&["wait=soon; return=representation", "wait"]), Prefer::default());
    }
}
