//! Request bodies: read under bounds of size and time, then parsed under bounds of depth, number and expansion.

mod strict;

use crate::overload::{Admission, BODY_SMALL_BYTES, Overload};
use crate::status::Failure;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;
use strict::{Allowance, Strict};
use tokio::time::{Instant, timeout_at};

/// The largest body that is taken.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How much of the rest of a too large body is read and dropped: a client that is still sending does not see an
/// answer.
const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long a body may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTimes {
    /// The longest silence.
    pub pause_max: Duration,
    /// From its first byte to its last.
    pub total_max: Duration,
}

impl Default for BodyTimes {
    fn default() -> Self {
        Self { pause_max: Duration::from_secs(30), total_max: Duration::from_secs(120) }
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// It was not said: JSON if it is, else YAML.
    Either,
    /// A JSON merge patch, RFC 7386.
    MergePatch,
    /// A JSON patch, RFC 6902.
    JsonPatch,
    /// What server-side apply sends: the fields that its sender wants, as YAML or JSON.
    ApplyPatch,
}

const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// True for server-side apply.
pub(crate) fn is_apply(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(APPLY_PATCH)
}

/// The format that the headers name.
///
/// # Errors
/// 415 for one that is not taken.
pub(crate) fn format(headers: &HeaderMap) -> Result<Format, Failure> {
    if let Some(encoding) =
        headers.get(CONTENT_ENCODING).filter(|encoding| encoding.as_bytes() != b"identity")
    {
        let words = format!("Content-Encoding {encoding:?} is not taken: send the body as it is");
        return Err(Failure::media_type(words));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Format::Either) };
    let text = value.to_str().unwrap_or("?");
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" | "text/json" => Ok(Format::Json),
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => Ok(Format::Yaml),
        // What curl says by itself, and what says nothing.
        "" | "application/x-www-form-urlencoded" | "text/plain" | "application/octet-stream" => {
            Ok(Format::Either)
        }
        "application/merge-patch+json" => Ok(Format::MergePatch),
        "application/json-patch+json" => Ok(Format::JsonPatch),
        "application/strategic-merge-patch+json" => Err(Failure::media_type(
            "strategic merge patches are for built-in kinds: use application/merge-patch+json \
             (kubectl patch --type=merge)",
        )),
        APPLY_PATCH => Ok(Format::ApplyPatch),
        "application/apply-patch+cbor" => {
            Err(Failure::media_type(format!("CBOR is not taken: send {APPLY_PATCH}")))
        }
        "application/vnd.kubernetes.protobuf" => {
            Err(Failure::media_type("protobuf is not taken: send application/json or application/yaml"))
        }
        other => Err(Failure::media_type(format!(
            "{other:?} is not taken: send application/json or application/yaml"
        ))),
    }
}

/// Reads a whole body.
///
/// # Errors
/// 413 when it is too large, after up to 16 MiB of the rest was read and dropped; 429 when too much of other bodies is
/// held; 408 when it stops coming; 400 when it breaks off.
pub(crate) async fn read(
    mut body: Body,
    headers: &HeaderMap,
    times: BodyTimes,
    overload: &Overload,
    admission: &Admission,
) -> Result<Bytes, Failure> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let too_large = declared.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64);
    // A client that asks first has sent nothing yet.
    if too_large && headers.contains_key(EXPECT) {
        return Err(oversized());
    }
    let deadline = Instant::now() + times.total_max;
    let mut bytes = Vec::new();
    let mut dropped = 0;
    let mut no_room = None;
    loop {
        let frame = timeout_at(deadline.min(Instant::now() + times.pause_max), body.frame()).await;
        let Ok(frame) = frame else {
            return Err(if dropped > 0 { oversized() } else { stalled(times) });
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Failure::bad_request("the body broke off; nothing was done"))?;
        let Ok(data) = frame.into_data() else { continue };
        if dropped > 0 || too_large || bytes.len() + data.len() > BODY_BYTES_MAX {
            bytes = Vec::new();
            dropped += data.len();
            if dropped > DRAIN_BYTES_MAX {
                break;
            }
        } else if no_room.is_some() {
            // Read on, so that the client sees the answer.
        } else if bytes.is_empty() && declared == u64::try_from(data.len()).ok() {
            // All of it in one piece: taken as it is.
            admission.make_room(overload, data.len())?;
            return Ok(data);
        } else {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > BODY_SMALL_BYTES && no_room.is_none() {
            no_room = admission.make_room(overload, bytes.len()).err();
        }
    }
    match no_room {
        _ if dropped > 0 => Err(oversized()),
        Some(failure) => Err(failure),
        None => Ok(bytes.into()),
    }
}

fn oversized() -> Failure {
    Failure::too_large(format!(
        "the body is larger than {BODY_BYTES_MAX} bytes: put large data where the job can fetch it (an object store, \
         a volume, a ConfigMap made on the cluster) and refer to it in the manifest, or split the submission"
    ))
}

fn stalled(times: BodyTimes) -> Failure {
    let (pause, total) = (times.pause_max.as_secs_f64(), times.total_max.as_secs_f64());
    Failure::too_slow(format!(
        "the body did not arrive: at most {pause} s between two pieces of it and {total} s in all; nothing was done"
    ))
}

/// Parses one document.
///
/// # Errors
/// 400 that says where, by line and column, and never what: a body may hold a secret.
pub(crate) fn parse(bytes: &[u8], format: Format) -> Result<Value, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Failure::bad_request(format!(
            "the body is not UTF-8: byte {} starts no character",
            error.valid_up_to()
        ))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Failure::bad_request("the body is empty: send one object as JSON or YAML"));
    }
    match format {
        Format::Json | Format::MergePatch | Format::JsonPatch => json(text),
        Format::Yaml => yaml(text),
        Format::Either | Format::ApplyPatch if !text.trim_start().starts_with(['{', '[']) => yaml(text),
        // YAML has braces too; what is neither is told as JSON.
        Format::Either | Format::ApplyPatch => json(text).or_else(|failure| yaml(text).map_err(|_| failure)),
    }
}

fn json(text: &str) -> Result<Value, Failure> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let at = |error: &serde_json::Error| (error.line() as u64, error.column() as u64);
    let allowance = Allowance::default();
    let value = serde::de::DeserializeSeed::deserialize(Strict(&allowance), &mut parser)
        .map_err(|error| malformed("JSON", at(&error), &words_of_json(&error)))?;
    parser.end().map_err(|error| {
        malformed("JSON", at(&error), "something follows the document; send one document, one request each")
    })?;
    Ok(value)
}

fn yaml(text: &str) -> Result<Value, Failure> {
    let mut options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: strict::DEPTH_MAX,
            max_documents: 4,
            max_nodes: strict::VALUES_MAX,
            max_events: 4 * strict::VALUES_MAX,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 20_000,
            max_recorded_anchor_bytes: 4 * 1024 * 1024,
            max_merge_keys: 1_000,
            flow_nesting_limit: strict::DEPTH_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 16,
        },
        strict_booleans: true,
        // As kubectl reads it: a defaultMode of 0644 is octal.
        legacy_octal_numbers: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::Reject,
    };
    options.with_snippet = false;
    let allowance = Allowance::default();
    let parsed = serde_saphyr::with_deserializer_from_str_with_options(text, options, |parser| {
        serde::de::DeserializeSeed::deserialize(Strict(&allowance), parser)
    });
    parsed.map_err(|error| {
        let at = error.location().map_or((1, 1), |location| (location.line(), location.column()));
        malformed("YAML", at, &words_of_yaml(&error))
    })
}

fn malformed(format: &str, (line, column): (u64, u64), why: &str) -> Failure {
    Failure::bad_request(format!(
        "the body is not {format} that is taken, at line {line}, column {column}: {why}"
    ))
}

/// Our own words pass; those of the parser are of a few kinds and may quote the text.
fn words_of_json(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let text = error.to_string();
    let own = text.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        Category::Data if strict::is_own(own) => own.to_owned(),
        Category::Data => "a value of a kind that is not taken".to_owned(),
        Category::Eof => "it ends too early".to_owned(),
        Category::Syntax | Category::Io if text.contains("recursion limit") => strict::too_deep(),
        Category::Syntax | Category::Io => "syntax error".to_owned(),
    }
}

fn words_of_yaml(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    use serde_saphyr::budget::BudgetBreach;
    match error.without_snippet() {
        Error::MultipleDocuments { .. } => {
            "a second document follows; send one document, one request each".to_owned()
        }
        Error::DuplicateMappingKey { .. } => "a key is there twice".to_owned(),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => strict::too_deep(),
        Error::Budget { .. } => "it is too large or has too many aliases".to_owned(),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => "its aliases expand to too much".to_owned(),
        Error::UnknownAnchor { .. } => "an alias has no anchor".to_owned(),
        Error::Eof { .. } => "it ends too early".to_owned(),
        other => {
            let text = other.to_string();
            if text.contains("recursion limit") {
                return strict::too_deep();
            }
            text.lines()
                .find(|line| strict::is_own(line))
                .map_or_else(|| "syntax error".to_owned(), str::to_owned)
        }
    }
}

#[cfg(test)]
#[path = "body/tests.rs"]
mod tests;
