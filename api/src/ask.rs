//! One request: who asks, for what, under which conditions; and how it becomes a read or a command.

use crate::api::Shared;
use crate::backend::ProposeError;
use crate::body::{self, Format};
use crate::identity;
use crate::noun::Noun;
use crate::params::Params;
use crate::status::Failure;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, Uri};
use std::sync::Arc;
use tallyman_model::command::{IdempotencyKey, Principal};
use tallyman_model::{Command, Digest, Done, ReplicaId, Revision};
use tallyman_raft::{Proposal, ReadError, ReadMode, Status};

/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 255;

/// A request without its body.
pub(crate) struct Ask {
    pub(crate) api: Shared,
    pub(crate) by: Principal,
    pub(crate) params: Params,
    pub(crate) headers: HeaderMap,
    method: Method,
    uri: Uri,
}

/// A command that did what it was for, and how it went.
pub(crate) struct Written {
    pub(crate) done: Done,
    pub(crate) led_by: ReplicaId,
    pub(crate) on_disk: u32,
    pub(crate) voters: u32,
}

impl Ask {
    /// Takes a request for a resource apart.
    pub(crate) fn open(api: &Shared, request: Request) -> Result<(Self, Body), Failure> {
        api.gate()?;
        Self::open_blank(api, request)
    }

    /// As [`open`](Self::open), also while the replica belongs to no group.
    pub(crate) fn open_blank(api: &Shared, request: Request) -> Result<(Self, Body), Failure> {
        let (parts, body) = request.into_parts();
        let by = api.options.identity.of(&parts.headers)?;
        acceptable(&parts.headers)?;
        let params = Params::parse(parts.uri.query().unwrap_or_default())?;
        let ask = Self {
            api: Arc::clone(api),
            by,
            params,
            headers: parts.headers,
            method: parts.method,
            uri: parts.uri,
        };
        Ok((ask, body))
    }

    pub(crate) fn status(&self) -> Status {
        self.api.backend().status()
    }

    /// Waits until this replica has what the request wants to read; the exact revision, if it wants one.
    pub(crate) async fn await_read(&self) -> Result<Option<Revision>, Failure> {
        let (mode, exact) = self.params.read()?;
        self.await_mode(mode).await?;
        Ok(exact)
    }

    /// Waits until this replica has what `mode` promises.
    pub(crate) async fn await_mode(&self, mode: ReadMode) -> Result<(), Failure> {
        let wait = self.params.wait(&self.headers)?;
        if mode == ReadMode::Stale {
            return Ok(());
        }
        self.api.backend().read(mode, wait).await.map_err(|error| match (mode, error) {
            (ReadMode::Token(asked), ReadError::TooNew { current }) => Failure::too_new(Some(asked), current),
            (_, error) => error.into(),
        })
    }

    /// Reads and parses the body.
    pub(crate) async fn document(&self, body: Body) -> Result<(Bytes, serde_json::Value), Failure> {
        let format = match body::format(&self.headers)? {
            Format::MergePatch | Format::JsonPatch => {
                return Err(Failure::media_type(
                    "a patch is sent with PATCH; send application/json or -/yaml",
                ));
            }
            format => format,
        };
        let bytes = self.bytes(body).await?;
        let value = body::parse(&bytes, format)?;
        Ok((bytes, value))
    }

    /// Reads the body, and parses it if there is one.
    pub(crate) async fn maybe_document(
        &self,
        body: Body,
    ) -> Result<(Bytes, Option<serde_json::Value>), Failure> {
        let bytes = self.bytes(body).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok((bytes, None));
        }
        let value = body::parse(&bytes, body::format(&self.headers)?)?;
        Ok((bytes, Some(value)))
    }

    pub(crate) async fn bytes(&self, body: Body) -> Result<Bytes, Failure> {
        body::read(body, &self.headers, self.api.options.body_times).await
    }

    /// The revision that `If-Match` asks the record to be at.
    pub(crate) fn if_match(&self) -> Result<Option<Revision>, Failure> {
        let Some(value) = self.headers.get(IF_MATCH) else { return Ok(None) };
        match value.to_str().unwrap_or_default().trim() {
            "*" => Ok(None),
            text if text.contains(',') => Err(Failure::bad_request("If-Match: name one ETag")),
            text => match etag(text) {
                Some(revision) => Ok(Some(revision)),
                None => Err(Failure::precondition(format!("If-Match: {text} is the ETag of nothing here"))),
            },
        }
    }

    /// True if the client has the record at that revision already.
    pub(crate) fn has(&self, revision: Revision) -> bool {
        let value = self.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| {
            value
                .split(',')
                .any(|one| one.trim() == "*" || etag(one.trim().trim_start_matches("W/")) == Some(revision))
        })
    }

    /// Brings a command into the log. `namespace` is the tenant whose table the idempotency key counts in, `body`
    /// what it is remembered with.
    pub(crate) async fn propose(
        &self,
        namespace: &str,
        body: &[u8],
        command: Command,
    ) -> Result<Written, Failure> {
        let key = self.key(namespace, body)?;
        let repeatable = key.is_some();
        let subject = Noun::subject(&command);
        let proposal = Proposal { by: self.by.clone(), key, command };
        let committed = self.api.backend().propose(proposal).await.map_err(|error| {
            let unknown = matches!(error, ProposeError::Unknown { .. });
            let mut failure = Failure::from(error);
            if unknown && repeatable {
                // With a key repeating is safe, so clients may do it by themselves.
                failure.retry_after_s = Some(1);
            }
            failure
        })?;
        let (led_by, on_disk, voters) = (committed.led_by, committed.on_disk, committed.voters);
        match committed.reply {
            Ok(done) => Ok(Written { done, led_by, on_disk, voters }),
            Err(refusal) => {
                let changed = refusal.causes.iter().any(|cause| cause.field == "metadata.resourceVersion");
                let failure = if changed && self.headers.contains_key(IF_MATCH) {
                    Failure::precondition(refusal.message)
                } else {
                    Failure::from(refusal)
                };
                Err(match &subject {
                    Some((noun, name)) => failure.about(*noun, name),
                    None => failure,
                })
            }
        }
    }

    fn key(&self, namespace: &str, body: &[u8]) -> Result<Option<IdempotencyKey>, Failure> {
        let Some(value) = self.headers.get("idempotency-key") else { return Ok(None) };
        let key = value.to_str().unwrap_or_default();
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            let words = format!("Idempotency-Key must have 1 to {KEY_BYTES_MAX} printable ASCII characters");
            return Err(Failure::bad_request(words));
        }
        Ok(Some(IdempotencyKey {
            namespace: namespace.to_owned(),
            route: format!("{} {}", self.method, self.uri.path()),
            key: key.to_owned(),
            body: Digest::of(body),
        }))
    }

    /// True if the client wants rows for people.
    pub(crate) fn wants_table(&self) -> bool {
        let accepted = self.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // In the order of preference, as kubectl writes it.
        accepted.split(',').find(|one| one.contains("json")).is_some_and(|one| {
            let mut params = one.split(';').map(str::trim);
            params.any(|param| param == "as=Table") && one.contains("v=v1") && !one.contains("v=v1beta1")
        })
    }

    /// An action on a record needs `operator` rights.
    pub(crate) fn require_master(&self) -> Result<(), Failure> {
        if identity::is_master(&self.by) {
            return Ok(());
        }
        let group = identity::MASTERS;
        Err(Failure::forbidden(format!("{} may not do that: only members of {group} may", self.by.user)))
    }
}

/// The revision of an ETag.
fn etag(text: &str) -> Option<Revision> {
    text.strip_prefix('"')?.strip_suffix('"')?.parse().ok().map(Revision)
}

/// JSON is what there is.
fn acceptable(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(value) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    if value.contains("text/event-stream") {
        return Err(Failure::not_acceptable(
            "server-sent events are not supported yet: watch with JSON lines",
        ));
    }
    let takes = |one: &str| {
        let essence = one.split(';').next().unwrap_or_default().trim();
        let partial = one.contains("as=Partial");
        matches!(essence, "" | "*/*" | "application/*" | "application/json") && !partial
    };
    if value.split(',').any(takes) {
        return Ok(());
    }
    Err(Failure::not_acceptable(format!("Accept: {value}: only application/json is given")))
}
