//! Answers on their way out.

use crate::refusal::Refusal;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::Value;
use std::convert::Infallible;

/// The body of every answer: whole, or a stream of watch events.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// JSON that is written already.
pub(crate) fn written(status: StatusCode, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(bytes.into()).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    written(status, value.to_string())
}

pub(crate) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = written(status, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

impl From<Refusal> for Response<Body> {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = if refusal.is_plain_text {
            plain(status, format!("{}\n", refusal.message))
        } else {
            json(status, &refusal.to_value())
        };
        if let Some(retry_after_s) = refusal.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
        }
        response
    }
}
