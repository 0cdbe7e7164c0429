//! Every failure and what it is over HTTP: the one place where an error becomes a status.
//!
//! The answer is a Kubernetes `Status`. Its `reason` is for programs, its message for people, and `Retry-After` is
//! sent only where repeating the same request is safe: clients repeat by themselves when they see it.

use crate::backend::ProposeError;
use crate::noun::Noun;
use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::ops::{Deref, DerefMut};
use tallyman_model::{Cause, Damaged, Refusal, RefusalKind, Revision, Uid};
use tallyman_raft::{BackupError, InitError, LedgerError, ReadError, TooOld, TransferError};

/// When trying again makes sense after a leader was lost: elections take less.
pub(crate) const RETRY_AFTER_S: u32 = 1;

/// A request that was not carried out, as it is told to the client. Boxed: answers are many, failures few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(Box<Told>);

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The HTTP status.
    pub(crate) code: StatusCode,
    /// The reason in Kubernetes' words.
    pub(crate) reason: &'static str,
    /// In plain words, with what to do.
    pub(crate) message: String,
    /// Fields or conditions at fault: reason, field, message.
    pub(crate) causes: Vec<(&'static str, Cause)>,
    /// When repeating makes sense, if that is safe.
    pub(crate) retry_after_s: Option<u32>,
    /// The resource and name that it is about.
    pub(crate) about: Option<(Noun, String)>,
    /// Its UID, where the record cannot be read any more.
    pub(crate) uid: Option<Uid>,
    /// Where a list can be taken up again.
    pub(crate) resume: Option<String>,
    /// The methods that the path has.
    pub(crate) allowed: Option<&'static str>,
    /// The connection cannot be used for another request.
    pub(crate) close: bool,
}

impl Deref for Failure {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Told {
        &mut self.0
    }
}

impl Failure {
    /// A failure of that status and reason.
    pub(crate) fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Told {
            code,
            reason,
            message: message.into(),
            causes: Vec::new(),
            retry_after_s: None,
            about: None,
            uid: None,
            resume: None,
            allowed: None,
            close: false,
        }))
    }

    /// The request is malformed.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// The request is well-formed and cannot be carried out; each cause names a field.
    pub(crate) fn invalid(message: impl Into<String>, causes: Vec<Cause>) -> Self {
        let mut failure = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
        failure.causes = causes.into_iter().map(|cause| ("FieldValueInvalid", cause)).collect();
        failure
    }

    /// As [`invalid`](Self::invalid), for a submitted object of which every fault is known.
    pub(crate) fn faults(noun: Noun, name: &str, causes: Vec<Cause>) -> Self {
        let listed: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let message = format!("{} {name:?} was not taken: {}", noun.kind(), listed.join("; "));
        Self::invalid(message, causes).about(noun, name)
    }

    /// There is no such record.
    pub(crate) fn not_found(noun: Noun, name: &str) -> Self {
        let message = format!("{}.tallyman.dev {name:?} not found", noun.plural());
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(noun, name)
    }

    /// There is nothing under the path.
    pub(crate) fn no_such_path(path: &str) -> Self {
        let message = format!("nothing is served under {path:?}; / lists what is");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// The path exists, the method on it does not.
    pub(crate) fn no_such_method(method: &str, path: &str) -> Self {
        let message = format!("{method} is not served under {path:?}; the Allow header lists what is");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// The client did not say who it is, or not credibly.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    /// The client may not do that.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// The state or the changes at that revision are not kept any more.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// A body of a type that is not taken.
    pub(crate) fn media_type(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    /// An answer of a type that cannot be given.
    pub(crate) fn not_acceptable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    /// A body that is too large.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        let mut failure = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message);
        failure.close = true;
        failure
    }

    /// A body that did not arrive in time; nothing was done.
    pub(crate) fn too_slow(message: impl Into<String>) -> Self {
        let mut failure = Self::new(StatusCode::REQUEST_TIMEOUT, "Timeout", message);
        failure.close = true;
        failure
    }

    /// This replica cannot answer now; nothing was done.
    pub(crate) fn unavailable(message: impl Into<String>, retry_after_s: u32) -> Self {
        let mut failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        failure.retry_after_s = Some(retry_after_s);
        failure
    }

    /// Too much is under way for this to begin; nothing was done.
    pub(crate) fn too_many(message: impl Into<String>, retry_after_s: u32) -> Self {
        let mut failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        failure.retry_after_s = Some(retry_after_s);
        failure
    }

    /// The record is not at the revision that an `If-Match` names.
    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    }

    /// The record is not as the request needs it.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", message)
    }

    /// The revision is not there yet, in the form that Kubernetes clients know.
    pub(crate) fn too_new(asked: Option<Revision>, current: Revision) -> Self {
        let asked = asked.map_or_else(String::new, |asked| format!(": {asked}, current: {current}"));
        let message = format!("Too large resource version{asked}; this replica does not have it yet");
        let mut failure = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        let words = "Too large resource version".to_owned();
        failure.causes = vec![("ResourceVersionTooLarge", Cause { field: String::new(), message: words })];
        failure.retry_after_s = Some(1);
        failure
    }

    /// Says which record it is about.
    #[must_use]
    pub(crate) fn about(mut self, noun: Noun, name: &str) -> Self {
        self.about = Some((noun, name.to_owned()));
        self
    }

    /// The `Status` document.
    #[must_use]
    pub(crate) fn document(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(resume) = &self.resume {
            metadata.insert("continue".to_owned(), json!(resume));
        }
        let mut details = Map::new();
        if let Some((noun, name)) = &self.about {
            details.insert("group".to_owned(), json!("tallyman.dev"));
            details.insert("kind".to_owned(), json!(noun.plural()));
            if !name.is_empty() {
                details.insert("name".to_owned(), json!(name));
            }
        }
        if let Some(uid) = self.uid {
            details.insert("uid".to_owned(), json!(uid.to_string()));
        }
        if !self.causes.is_empty() {
            let cause = |(reason, cause): &(&str, Cause)| {
                let mut map = Map::new();
                map.insert("reason".to_owned(), json!(reason));
                map.insert("message".to_owned(), json!(cause.message));
                if !cause.field.is_empty() {
                    map.insert("field".to_owned(), json!(cause.field));
                }
                Value::Object(map)
            };
            details.insert("causes".to_owned(), Value::Array(self.causes.iter().map(cause).collect()));
        }
        if let Some(seconds) = self.retry_after_s {
            details.insert("retryAfterSeconds".to_owned(), json!(seconds));
        }
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": details, "code": self.code.as_u16(),
        })
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.document().to_string()));
        *response.status_mut() = self.code;
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tallyman\""));
        }
        // For other paths the router knows the methods.
        if let Some(allowed) = self.allowed {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (code, reason) = match refusal.kind {
            RefusalKind::NotFound => (StatusCode::NOT_FOUND, "NotFound"),
            RefusalKind::AlreadyExists => (StatusCode::CONFLICT, "AlreadyExists"),
            RefusalKind::Conflict | RefusalKind::Outdated => (StatusCode::CONFLICT, "Conflict"),
            RefusalKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid"),
            RefusalKind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            RefusalKind::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
            RefusalKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
            // Not a success: what was asked for is not there, and is not being made either.
            RefusalKind::Gone => (StatusCode::GONE, "Gone"),
        };
        let mut failure = Self::new(code, reason, refusal.message);
        failure.causes = refusal.causes.into_iter().map(|cause| ("FieldValueInvalid", cause)).collect();
        failure.retry_after_s = refusal.retry_after_s;
        failure.uid = refusal.gone.map(|gone| gone.uid);
        failure
    }
}

impl From<ProposeError> for Failure {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NotSent { why, retry_after_s, busy } => {
                let message = format!("nothing was changed: {why}; try again");
                if busy {
                    return Self::too_many(message, retry_after_s);
                }
                Self::unavailable(message, retry_after_s)
            }
            // Only a person helps here, and a client that repeats by itself would keep that person waiting.
            ProposeError::DiskFull { why } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "InsufficientStorage",
                format!(
                    "nothing was submitted: {why}. Free space there; submissions are then taken again by themselves. \
                     Reads, cancels and deletes go on"
                ),
            ),
            ProposeError::Unknown { why } => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "Timeout",
                format!(
                    "the outcome is unknown: {why}. It may have been done, or may be yet; repeat it with the same \
                     Idempotency-Key, or read before repeating it without one"
                ),
            ),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooNew { current } => Self::too_new(None, current),
            ReadError::Gap { .. } => {
                Self::expired("that revision was lost in a recovery; read again without it")
            }
            ReadError::Busy => Self::too_many("too many reads wait for the leader; try again", RETRY_AFTER_S),
            why => {
                let hint = "consistency=stale reads what this replica has";
                let message = format!("the newest state cannot be confirmed: {why}; {hint}");
                Self::unavailable(message, RETRY_AFTER_S)
            }
        }
    }
}

impl From<TooOld> for Failure {
    fn from(too_old: TooOld) -> Self {
        let floor = too_old.floor;
        Self::expired(format!("that revision is too old: revisions from {floor} on are kept; list again"))
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        tracing::error!(why = error.to_string(), "failed to read this replica's state");
        Self::unavailable("this replica cannot read its own state; ask another one", 5)
    }
}

impl From<Damaged> for Failure {
    fn from(damaged: Damaged) -> Self {
        tracing::error!(%damaged, "this replica's state is damaged");
        Self::unavailable("this replica's state is damaged and is being rebuilt; ask another one", 30)
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        match error {
            InitError::NoLeader => Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", error.to_string()),
            refused => Self::conflict(refused.to_string()),
        }
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Busy => Self::too_many(error.to_string(), RETRY_AFTER_S),
            error => {
                tracing::error!(%error, why = ?error, "failed to take a backup");
                Self::unavailable("this replica cannot take a backup; ask another one", 5)
            }
        }
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Unknown => Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", error.to_string()),
            refused => Self::conflict(refused.to_string()),
        }
    }
}
