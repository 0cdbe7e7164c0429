//! An answer of a server.

use super::{Request, refused};
use crate::exit::Failure;
use serde_json::Value;
use std::time::Duration;

/// Status, the headers that say something, and the body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body as JSON; a text that is not JSON as a JSON text.
    pub(crate) body: Value,
    /// The body as it was sent.
    pub(crate) bytes: Vec<u8>,
    pub(super) headers: Vec<(String, String)>,
}

impl Answer {
    /// Reads an answer of at most `bytes_max`.
    ///
    /// # Errors
    /// Why the body could not be read, in words.
    pub(super) async fn read(
        mut response: reqwest::Response,
        server: &str,
        bytes_max: usize,
    ) -> Result<Self, String> {
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.chain([("x-server".to_owned(), server.to_owned())]).collect();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
            if bytes.len() + chunk.len() > bytes_max {
                return Err(format!("the answer is longer than {bytes_max} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Ok(Self { status, body, bytes, headers })
    }

    /// Itself, if the request was granted.
    ///
    /// # Errors
    /// What the server said.
    pub(crate) fn ok(self, request: &Request) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(refused::failure(&self, request)) }
    }

    /// A header's value; `""` without it.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The text at a JSON pointer; `""` without it.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        text(&self.body, pointer)
    }

    /// The revision that it shows.
    pub(crate) fn revision(&self) -> u64 {
        self.header("tallyman-revision").parse().unwrap_or_default()
    }

    /// What the server said, in one line.
    pub(crate) fn words(&self) -> String {
        match self.text("/message") {
            "" => format!("{}: HTTP {}", self.header("x-server"), self.status),
            message => message.to_owned(),
        }
    }

    /// There is no such object. Any other 404 says nothing about objects: it may come from a server that is not a
    /// Tallyman, from a proxy, or from another version.
    pub(super) fn is_not_found(&self) -> bool {
        let is_status = self.text("/kind") == "Status" && self.text("/reason") == "NotFound";
        is_status && !self.text("/details/kind").is_empty() && !self.text("/details/name").is_empty()
    }

    /// It was done before under its key, and what it was done to is deleted since.
    pub(crate) fn is_gone(&self) -> bool {
        self.status == 410 && self.text("/reason") == "Gone"
    }

    /// How long the server asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds: u64 = self.header("retry-after").parse().ok()?;
        Some(Duration::from_secs(seconds.min(super::RETRY_AFTER_S_MAX)))
    }

    /// The asked revision has not come to the server yet.
    pub(crate) fn is_too_new(&self) -> bool {
        let causes = self.body.pointer("/details/causes").and_then(Value::as_array);
        causes.is_some_and(|causes| {
            causes.iter().any(|cause| text(cause, "/reason") == "ResourceVersionTooLarge")
        })
    }
}

/// The text at a JSON pointer; `""` without it.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
