//! One request: who asks, for what, under which conditions; and how it becomes a read or a command.

mod rehearsal;

use crate::api::Shared;
use crate::backend::ProposeError;
use crate::body::{self, Format};
use crate::identity;
use crate::noun::Noun;
use crate::overload::Admission;
use crate::params::Params;
use crate::status::Failure;
use crate::table::Include;
use crate::watch::Form;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, Method, Uri};
use serde_json::Value;
use std::sync::Arc;
use tallyman_model::command::{IdempotencyKey, Principal};
use tallyman_model::record::Kind;
use tallyman_model::{Command, Digest, Done, Refusal, ReplicaId, Revision};
use tallyman_raft::{Proposal, ReadError, ReadMode, Status};
use tokio::time::Instant;

const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// The annotation of a runnable that is the key under which it is submitted.
const KEY_ANNOTATION: &str = "tallyman.dev/idempotency-key";
/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 255;

/// A request without its body.
pub(crate) struct Ask {
    pub(crate) api: Shared,
    pub(crate) by: Principal,
    pub(crate) params: Params,
    pub(crate) headers: HeaderMap,
    pub(crate) admission: Admission,
    /// Nothing is to be changed: the answer is what it would be.
    pub(crate) dry_run: bool,
    method: Method,
    uri: Uri,
}

/// A command that did what it was for, and how it went.
pub(crate) struct Written {
    pub(crate) done: Done,
    pub(crate) led_by: ReplicaId,
    pub(crate) on_disk: u32,
    pub(crate) voters: u32,
    /// The revision at which the record is shown, if not its own: a rehearsed change takes none.
    pub(crate) shown_at: Option<Revision>,
}

impl Ask {
    /// Takes a request for a resource apart.
    pub(crate) fn open(api: &Shared, request: Request) -> Result<(Self, Body), Failure> {
        api.gate()?;
        Self::open_blank(api, request)
    }

    /// As [`open`](Self::open), also while the replica belongs to no group.
    pub(crate) fn open_blank(api: &Shared, request: Request) -> Result<(Self, Body), Failure> {
        let (mut parts, body) = request.into_parts();
        let by = api.options.identity.of(&parts.headers)?;
        acceptable(&parts.headers, parts.uri.path())?;
        let admission = parts.extensions.remove::<Admission>().unwrap_or_default();
        let params = Params::parse(parts.uri.query().unwrap_or_default())?;
        params.field_validation()?;
        params.check_force(body::is_apply(&parts.headers))?;
        let ask = Self {
            api: Arc::clone(api),
            by,
            dry_run: params.dry_run()?,
            params,
            headers: parts.headers,
            admission,
            method: parts.method,
            uri: parts.uri,
        };
        Ok((ask, body))
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
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
        let mut waiting = None;
        match mode {
            ReadMode::Stale => return Ok(()),
            ReadMode::Token(revision) if revision <= self.api.backend().revision() => {}
            ReadMode::Token(_) => {
                // It may take long: others go on meanwhile.
                self.admission.leave();
                waiting = Some(self.api.overload.must_wait()?);
            }
            ReadMode::Linearizable => {}
        }
        let read = self.api.backend().read(mode, wait).await;
        drop(waiting);
        read.map_err(|error| match (mode, error) {
            (ReadMode::Token(asked), ReadError::TooNew { current }) => Failure::too_new(Some(asked), current),
            (_, error) => error.into(),
        })
    }

    /// Reads and parses the body.
    pub(crate) async fn document(&self, body: Body) -> Result<(Bytes, Value), Failure> {
        let format = match body::format(&self.headers)? {
            Format::MergePatch | Format::JsonPatch | Format::ApplyPatch => {
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
    pub(crate) async fn maybe_document(&self, body: Body) -> Result<(Bytes, Option<Value>), Failure> {
        let bytes = self.bytes(body).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok((bytes, None));
        }
        let value = body::parse(&bytes, body::format(&self.headers)?)?;
        Ok((bytes, Some(value)))
    }

    pub(crate) async fn bytes(&self, body: Body) -> Result<Bytes, Failure> {
        let overload = &self.api.overload;
        let bytes =
            body::read(body, &self.headers, self.api.options.body_times, overload, &self.admission).await?;
        // Only now: a body that drips in must not keep others from writing.
        self.admission.begin_write(overload, self.uri.path()).await?;
        Ok(bytes)
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
        let key = self.key(namespace, body, None)?;
        self.propose_with(key, command).await
    }

    /// As [`propose`](Self::propose), under a key that was made before.
    pub(crate) async fn propose_with(
        &self,
        key: Option<IdempotencyKey>,
        command: Command,
    ) -> Result<Written, Failure> {
        let repeatable = key.is_some();
        let subject = Noun::subject(&command);
        let proposal = Proposal { by: self.by.clone(), key, command };
        if self.dry_run {
            return self.judge(rehearsal::rehearse(self, proposal).await?, subject);
        }
        let begun = Instant::now();
        let committed = self.api.backend().propose(proposal).await;
        self.api.overload.wrote(begun.elapsed());
        let committed = committed.map_err(|error| {
            let unknown = matches!(error, ProposeError::Unknown { .. });
            let mut failure = Failure::from(error);
            if unknown && repeatable {
                // With a key repeating is safe, so clients may do it by themselves.
                failure.retry_after_s = Some(1);
            }
            failure
        })?;
        let (led_by, on_disk, voters) = (committed.led_by, committed.on_disk, committed.voters);
        let written = |done| Written { done, led_by, on_disk, voters, shown_at: None };
        self.judge(committed.reply.map(written), subject)
    }

    fn judge(
        &self,
        reply: Result<Written, Refusal>,
        subject: Option<(Noun, String)>,
    ) -> Result<Written, Failure> {
        match reply {
            Ok(written) => Ok(written),
            Err(refusal) => {
                let made = refusal.gone.as_ref().map(|gone| gone.name.clone());
                let changed = refusal.causes.iter().any(|cause| cause.field == "metadata.resourceVersion");
                let failure = if changed && self.headers.contains_key(IF_MATCH) {
                    Failure::precondition(refusal.message)
                } else {
                    Failure::from(refusal)
                };
                Err(match &subject {
                    // A name that was generated is known only from the first time.
                    Some((noun, name)) => failure.about(*noun, made.as_ref().unwrap_or(name)),
                    None => failure,
                })
            }
        }
    }

    /// The key of the request: from its header, or from an annotation of what it submits. It stands for the body and
    /// for the parameters that change what is done.
    pub(crate) fn key(
        &self,
        namespace: &str,
        body: &[u8],
        annotated: Option<String>,
    ) -> Result<Option<IdempotencyKey>, Failure> {
        let header = self.headers.get(KEY_HEADER).map(|value| value.to_str().unwrap_or_default());
        let Some(key) = header.or(annotated.as_deref()) else { return Ok(None) };
        let effects = self.params.effects();
        let body = match effects.as_str() {
            "" => Digest::of(body),
            effects => Digest::of(&[body, b"\0", effects.as_bytes()].concat()),
        };
        idempotency_key(namespace, format!("{} {}", self.method, self.uri.path()), key, body).map(Some)
    }

    /// The key of the item at `i` of a list: its own, or made from the key of the request and its place.
    pub(crate) fn key_of_item(
        &self,
        namespace: &str,
        i: usize,
        item: &mut Value,
    ) -> Result<Option<IdempotencyKey>, Failure> {
        let route = format!("{} {}", self.method, self.uri.path());
        let body = Digest::of(item.to_string().as_bytes());
        if let Some(key) = annotated_key(item) {
            return idempotency_key(namespace, format!("{route} item"), &key, body).map(Some);
        }
        let Some(key) = self.headers.get(KEY_HEADER) else { return Ok(None) };
        let key = key.to_str().unwrap_or_default();
        idempotency_key(namespace, format!("{route} item {i}"), key, body).map(Some)
    }

    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// What the rows are to have beside their cells, if the client wants rows.
    pub(crate) fn rows(&self) -> Result<Option<Include>, Failure> {
        let include = Include::of(&self.params)?;
        Ok(self.wants_table().then_some(include))
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

    /// True if the client wants server-sent events: of what it takes, that is named first.
    pub(crate) fn wants_events(&self) -> bool {
        takes_events(&self.headers)
    }

    /// True if it is a watch, not a list.
    pub(crate) fn watches(&self) -> Result<bool, Failure> {
        Ok(self.params.flag("watch")?.unwrap_or(false) || self.wants_events())
    }

    /// How a watch is written.
    pub(crate) fn form(&self) -> Form {
        Form { table: self.wants_table(), sse: self.wants_events() }
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

/// Takes the key out of the annotations of what is submitted: for clients that can send no header.
pub(crate) fn annotated_key(submitted: &mut Value) -> Option<String> {
    let annotations = submitted.get_mut("metadata")?.get_mut("annotations")?.as_object_mut()?;
    annotations.get(KEY_ANNOTATION)?.as_str()?;
    match annotations.remove(KEY_ANNOTATION)? {
        Value::String(key) => Some(key),
        _ => None,
    }
}

fn idempotency_key(
    namespace: &str,
    route: String,
    key: &str,
    body: Digest,
) -> Result<IdempotencyKey, Failure> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        let words = format!("Idempotency-Key must have 1 to {KEY_BYTES_MAX} printable ASCII characters");
        return Err(Failure::bad_request(words));
    }
    Ok(IdempotencyKey { namespace: namespace.to_owned(), route, key: key.to_owned(), body })
}

/// The revision of an ETag.
fn etag(text: &str) -> Option<Revision> {
    text.strip_prefix('"')?.strip_suffix('"')?.parse().ok().map(Revision)
}

/// True if of JSON and server-sent events the latter are named first.
pub(crate) fn takes_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut known = accepted.split(',').map(essence).filter(|one| one.ends_with("json") || *one == EVENTS);
    known.next() == Some(EVENTS)
}

const EVENTS: &str = "text/event-stream";

fn essence(accepted: &str) -> &str {
    accepted.split(';').next().unwrap_or_default().trim()
}

/// JSON is what there is, and events where something is watched.
fn acceptable(headers: &HeaderMap, path: &str) -> Result<(), Failure> {
    let Some(value) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    let last = path.trim_end_matches('/').rsplit('/').next();
    let known = Kind::KNOWN.into_iter().find(|kind| kind.plural() == last);
    let watched = known.map_or(path.starts_with("/k8s/clusters/"), |kind| kind.is_watched());
    let collection = watched || Noun::ALL.into_iter().any(|noun| Some(noun.plural()) == last);
    let takes = |one: &str| {
        let partial = one.contains("as=Partial");
        matches!(essence(one), "" | "*/*" | "application/*" | "application/json") && !partial
            || essence(one) == EVENTS && collection
    };
    if value.split(',').any(takes) {
        return Ok(());
    }
    let hint = "only application/json is given, and text/event-stream where a collection is watched";
    Err(Failure::not_acceptable(format!("Accept: {value}: {hint}")))
}
