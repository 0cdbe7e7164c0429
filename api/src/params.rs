//! Query parameters. One that would change what a request means is never ignored: it is served or refused.

use crate::prefer::Prefer;
use crate::status::Failure;
use axum::http::{HeaderMap, StatusCode};
use std::time::Duration;
use tallyman_model::{Cause, Revision, manifest};
use tallyman_raft::ReadMode;

/// Parameters of one request.
const PARAMS_MAX: usize = 64;
/// How long a read waits for a revision that is not there yet, unless it says otherwise.
const READ_WAIT_MS: u64 = 5_000;
/// How long a read may wait.
const READ_WAIT_MS_MAX: u64 = 60_000;

/// The parameters that are served, as they are spelt.
const SERVED: [&str; 20] = [
    "allowWatchBookmarks",
    "cluster",
    "consistency",
    "continue",
    "dryRun",
    "fieldManager",
    "fieldSelector",
    "fieldValidation",
    "force",
    "includeObject",
    "labelSelector",
    "limit",
    "propagationPolicy",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeout",
    "timeoutSeconds",
    "verbose",
    "watch",
];
/// Parameters that would change what is done, and whose work is not built.
const UNBUILT: [&str; 2] = ["orphanDependents", "ignoreStoreReadErrorWithClusterBreakingPotential"];

/// Parameters of a write without which it is another one.
const EFFECTS: [&str; 4] = ["dryRun", "force", "orphanDependents", "propagationPolicy"];

/// The parameters of a request, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string.
    ///
    /// # Errors
    /// A parameter that is given twice, misspelt, or not served though it would change what is done.
    pub(crate) fn parse(query: &str) -> Result<Self, Failure> {
        let mut params: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if params.len() == PARAMS_MAX {
                return Err(Failure::bad_request(format!("at most {PARAMS_MAX} query parameters")));
            }
            if params.iter().any(|(known, _)| *known == name) {
                return Err(Failure::bad_request(format!("the query parameter {name} is given twice")));
            }
            if UNBUILT.contains(&name.as_str()) && !matches!(value.as_str(), "" | "false") {
                return Err(unbuilt(&name, &value));
            }
            let served = SERVED.iter().chain(&UNBUILT).find(|served| served.eq_ignore_ascii_case(&name));
            if let Some(served) = served.filter(|served| **served != name) {
                return Err(Failure::bad_request(format!(
                    "unknown query parameter {name}: did you mean {served}?"
                )));
            }
            params.push((name, value));
        }
        Ok(Self(params))
    }

    /// The value of a parameter; an empty one counts as absent.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// True if the parameter is there, with or without a value.
    #[must_use]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// A parameter that says yes or no; `None` if it is absent.
    ///
    /// # Errors
    /// It says neither.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.get(name) {
            None => Ok(self.has(name).then_some(true)),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(other) => Err(Failure::bad_request(format!("{name} must be true or false, not {other:?}"))),
        }
    }

    /// True if nothing is to be changed.
    ///
    /// # Errors
    /// A value that Kubernetes does not have.
    pub(crate) fn dry_run(&self) -> Result<bool, Failure> {
        match self.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(Failure::bad_request(format!("dryRun must be All, not {other:?}"))),
        }
    }

    /// What is to become of unknown fields. They are refused whatever it says; it is not taken for something else.
    ///
    /// # Errors
    /// A value that Kubernetes does not have.
    pub(crate) fn field_validation(&self) -> Result<(), Failure> {
        match self.get("fieldValidation") {
            None | Some("Strict" | "Warn" | "Ignore") => Ok(()),
            Some(other) => Err(Failure::bad_request(format!(
                "fieldValidation must be Strict, Warn or Ignore, not {other:?}"
            ))),
        }
    }

    /// `force` is for server-side apply only.
    ///
    /// # Errors
    /// It is there for something else.
    pub(crate) fn check_force(&self, is_apply: bool) -> Result<(), Failure> {
        if !is_apply && self.flag("force")? == Some(true) {
            return Err(Failure::bad_request("force is for server-side apply only; nothing was done"));
        }
        Ok(())
    }

    /// A parameter that is a number.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = || Failure::bad_request(format!("{name} must be a number, not {text:?}"));
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// The revision that is asked for; 0 is one too.
    ///
    /// # Errors
    /// It is not a number.
    pub(crate) fn revision(&self) -> Result<Option<Revision>, Failure> {
        Ok(self.number("resourceVersion")?.map(Revision))
    }

    /// How long the request may wait, from `timeout` or `Prefer: wait=`.
    ///
    /// # Errors
    /// It is not a duration.
    pub(crate) fn wait(&self, headers: &HeaderMap) -> Result<Duration, Failure> {
        let wait_ms = match self.get("timeout") {
            Some(text) => {
                let seconds = text.parse::<u64>().ok().map(|seconds| seconds.saturating_mul(1000));
                let parsed = seconds.map_or_else(|| manifest::parse_duration(text), Ok);
                Some(parsed.map_err(|why| Failure::bad_request(format!("timeout: {why}")))?)
            }
            None => Prefer::of(headers).wait_s.map(|seconds| seconds.saturating_mul(1000)),
        };
        Ok(Duration::from_millis(wait_ms.unwrap_or(READ_WAIT_MS).min(READ_WAIT_MS_MAX)))
    }

    /// The parameters that change what a write does, in one order.
    #[must_use]
    pub(crate) fn effects(&self) -> String {
        let given = EFFECTS.iter().filter_map(|name| self.get(name).map(|value| format!("{name}={value}")));
        given.collect::<Vec<_>>().join("&")
    }

    /// What a read is to include, and the exact revision if one is asked for.
    ///
    /// # Errors
    /// A combination that means nothing.
    pub(crate) fn read(&self) -> Result<(ReadMode, Option<Revision>), Failure> {
        let revision = self.revision()?;
        let consistency = self.get("consistency");
        let matching = self.get("resourceVersionMatch");
        let mode = match (consistency, revision, matching) {
            (Some("stale"), None, None) => ReadMode::Stale,
            (Some("linearizable") | None, None, None) => ReadMode::Linearizable,
            (Some("stale" | "linearizable"), _, _) => {
                return Err(Failure::bad_request("consistency and resourceVersion exclude each other"));
            }
            (Some(other), _, _) => {
                let words = "consistency must be linearizable or stale";
                return Err(Failure::bad_request(format!("{words}, not {other:?}")));
            }
            (None, None, Some(_)) => {
                return Err(Failure::bad_request("resourceVersionMatch needs a resourceVersion"));
            }
            (None, Some(Revision(0)), Some("Exact")) => {
                return Err(Failure::bad_request(
                    "resourceVersionMatch=Exact needs a resourceVersion above 0",
                ));
            }
            (None, Some(Revision(0)), None | Some("NotOlderThan")) => ReadMode::Stale,
            (None, Some(revision), None | Some("NotOlderThan")) => ReadMode::Token(revision),
            (None, Some(revision), Some("Exact")) => return Ok((ReadMode::Token(revision), Some(revision))),
            (None, Some(_), Some(other)) => {
                let words = "resourceVersionMatch must be NotOlderThan or Exact";
                return Err(Failure::bad_request(format!("{words}, not {other:?}")));
            }
        };
        Ok((mode, None))
    }
}

fn unbuilt(name: &str, value: &str) -> Failure {
    let message = format!("{name}={value} is not supported yet; nothing was done");
    let cause = Cause { field: name.to_owned(), message: "is not supported yet".to_owned() };
    let mut failure = Failure::invalid(message, vec![cause]);
    failure.code = StatusCode::UNPROCESSABLE_ENTITY;
    failure
}

/// Percent-decoding of a part of a URL.
///
/// # Errors
/// 400 if it is not text.
pub(crate) fn decode(text: &str) -> Result<String, Failure> {
    let wrong = || Failure::bad_request("the URL is not percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit =
                    || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(wrong);
                let code = digit()? * 16 + digit()?;
                bytes.push(u8::try_from(code).map_err(|_| wrong())?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<(ReadMode, Option<Revision>), Failure> {
        Params::parse(query).and_then(|params| params.read())
    }

    #[test]
    fn the_read_modes_are_told_apart() {
        assert_eq!(read("").unwrap().0, ReadMode::Linearizable);
        assert_eq!(read("resourceVersion=").unwrap().0, ReadMode::Linearizable);
        assert_eq!(read("consistency=stale").unwrap().0, ReadMode::Stale);
        assert_eq!(read("resourceVersion=0").unwrap().0, ReadMode::Stale);
        assert_eq!(read("resourceVersion=7").unwrap().0, ReadMode::Token(Revision(7)));
        let exact = read("resourceVersion=7&resourceVersionMatch=Exact").unwrap();
        assert_eq!(exact, (ReadMode::Token(Revision(7)), Some(Revision(7))));
    }

    #[test]
    fn nonsense_is_refused_with_words() {
        for wrong in [
            "resourceVersion=x",
            "resourceVersion=-1",
            "resourceVersionMatch=NotOlderThan",
            "resourceVersion=1&resourceVersionMatch=Newer",
            "resourceVersion=0&resourceVersionMatch=Exact",
            "consistency=eventual",
            "consistency=stale&resourceVersion=4",
            "limit=1&limit=2",
            "labelselector=a",
            "a=%zz",
            "a=%ff",
        ] {
            assert_eq!(read(wrong).unwrap_err().code, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }

    #[test]
    fn a_parameter_that_would_change_what_is_done_is_not_ignored() {
        let unbuilt = Params::parse("orphanDependents=true").unwrap_err();
        assert_eq!(unbuilt.code, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(Params::parse("dryRun=All").unwrap().dry_run().unwrap());
        for wrong in ["dryRun=Server", "fieldValidation=Maybe", "force=true"] {
            let params = Params::parse(wrong).unwrap();
            let judged =
                [params.dry_run().map(drop), params.field_validation().map(drop), params.check_force(false)];
            assert!(judged.iter().any(Result::is_err), "{wrong}");
        }
        assert!(Params::parse("fieldManager=kubectl-create&fieldValidation=Strict&force=false").is_ok());
    }

    #[test]
    fn values_are_percent_decoded() {
        let params = Params::parse("labelSelector=a%3Db%2Cc+in+%28d%29").unwrap();
        assert_eq!(params.get("labelSelector"), Some("a=b,c in (d)"));
    }
}
