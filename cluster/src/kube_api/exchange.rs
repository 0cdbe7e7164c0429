//! One request and its whole answer, by a deadline.

use super::form::{self, Form};
use super::link::Line;
use super::retry_after;
use super::served::Place;
use crate::error::{CallError, NotSent, Unknown, classify};
use crate::limits;
use crate::rights;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy;
use serde_json::Value;
use std::time::Duration;
use tallyman_model::command::Observation;
use tallyman_model::record::Kind;
use tallyman_model::rule::Rules;
use tower::{BoxError, ServiceExt};

/// What goes into a request.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) content_type: Option<&'static str>,
    pub(super) accept: &'static str,
    pub(super) body: Bytes,
    /// The group and the resource, of a kind that is not known here.
    pub(super) other: Option<(&'a str, &'a str)>,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        let (method, accept) = (Method::GET, form::WHOLE);
        Self { method, path, content_type: None, accept, body: Bytes::new(), other: None }
    }

    /// A write of JSON.
    pub(super) fn write(method: Method, path: &'a str, content_type: &'static str, body: Bytes) -> Self {
        let (content_type, accept) = (Some(content_type), form::WHOLE);
        Self { method, path, content_type, accept, body, other: None }
    }

    /// The same, to be answered in another form.
    pub(super) fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// The same, of objects at `place`.
    pub(super) fn at(self, place: &'a Place<'_>) -> Self {
        let other = place.kind.is_other().then(|| (place.kind.group(), place.plural.as_ref()));
        Self { other, ..self }
    }
}

/// Sends and reads the answer to its end. The answer of a success is given back; all else is an error that says
/// what may be concluded.
pub(super) async fn exchange(line: &Line, ask: Ask<'_>, deadline: Duration) -> Result<Bytes, CallError> {
    let work = async {
        let answer = send(line, ask).await?;
        read(answer).await
    };
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| Err(CallError::lost(Unknown::Deadline)))
}

/// Sends and waits for the head of the answer.
pub(super) async fn send(line: &Line, ask: Ask<'_>) -> Result<Response<Incoming>, CallError> {
    if !rights::allow(&ask.method, ask.path, ask.other) {
        tracing::error!(method = %ask.method, path = ask.path, "no right covers this request");
        return Err(CallError::unsent(NotSent::Request));
    }
    let mut request = Request::builder().method(ask.method).uri(ask.path).header(ACCEPT, ask.accept);
    if let Some(content_type) = ask.content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    let request = request.body(Full::new(ask.body));
    let request = request.map_err(|error| CallError::not_sent(NotSent::Request, error))?;
    let answer = line.transport()?.oneshot(request).await.map_err(failed)?;
    line.answered(answer.status());
    Ok(answer)
}

/// Reads a whole answer. A refusal whose words are lost is still a refusal.
pub(super) async fn read(answer: Response<Incoming>) -> Result<Bytes, CallError> {
    let status = answer.status();
    let retry_after_s = retry_after::seconds(answer.headers());
    let body = Limited::new(answer.into_body(), limits::ANSWER_BYTES_MAX).collect().await;
    if !status.is_success() {
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        return Err(classify(status.as_u16(), retry_after_s, &body));
    }
    match body {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(CallError::unknown(Unknown::TooLong, error)),
        Err(error) => Err(CallError::unknown(Unknown::Body, error)),
    }
}

/// Only what certainly happened before the first byte of the request counts as not sent.
fn failed(error: BoxError) -> CallError {
    if let Some(http) = error.downcast_ref::<legacy::Error>() {
        let why = if http.is_connect() { Ok(NotSent::Connect) } else { Err(Unknown::Connection) };
        return match why {
            Ok(why) => CallError::not_sent(why, error),
            Err(why) => CallError::unknown(why, error),
        };
    }
    // The credentials are put on before the request goes down to the connection.
    if error.is::<kube::client::AuthError>() {
        return CallError::not_sent(NotSent::Credentials, error);
    }
    CallError::unknown(Unknown::Connection, error)
}

/// Decodes an answer that is one object of `kind`.
pub(super) fn object(rules: &Rules, kind: &Kind, body: &[u8]) -> Result<Observation, CallError> {
    object_in(Form::Whole, rules, kind, body)
}

/// The same, of an answer in that form.
pub(super) fn object_in(
    form: Form,
    rules: &Rules,
    kind: &Kind,
    body: &[u8],
) -> Result<Observation, CallError> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| CallError::unknown(Unknown::Body, error))?;
    form.project(rules, kind, &value).ok_or(CallError::lost(Unknown::Body))
}
