//! From locks as users write them, and what is asked of them, to what is proposed.

use super::fields::{Faults, Fields};
use super::pool::{Titled, titled};
use crate::{Cause, Revision, limits};
use serde_json::Value;

/// A lock as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLock {
    /// Name, labels and annotations.
    pub titled: Titled,
    /// How many may be held at the same time.
    pub permits: u32,
}

/// How a lock is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadAcquire {
    /// Who asks.
    pub owner: String,
    /// How many permits.
    pub permits: u32,
    /// For how long, in ms.
    pub ttl_ms: u64,
}

/// Bytes of an owner's name.
const OWNER_BYTES_MAX: usize = 200;

/// Reads a lock, `value`, that was sent to the namespace `namespace`.
///
/// # Errors
/// Every fault found, with its path and what would be right.
pub fn read_lock(value: Value, namespace: &str) -> Result<ReadLock, Vec<Cause>> {
    let mut faults = Faults::default();
    let mut root = Fields::of("", value, &mut faults);
    let titled = titled(&mut root, "Lock", namespace, &mut faults);
    let spec = root.take("spec").unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    root.finish(&mut faults);
    let mut spec = Fields::of("spec", spec, &mut faults);
    let permits = permits_of(&mut spec, &mut faults);
    spec.finish(&mut faults);
    match titled {
        Some(titled) if faults.0.is_empty() => Ok(ReadLock { titled, permits }),
        _ => Err(faults.0),
    }
}

/// `permits`, 1 where nothing is said.
pub(super) fn permits_of(fields: &mut Fields<'_>, faults: &mut Faults) -> u32 {
    let Some(value) = fields.take("permits") else { return 1 };
    let permits = value.as_u64().and_then(|permits| u32::try_from(permits).ok());
    permits.filter(|permits| (1..=limits::LOCK_PERMITS_MAX).contains(permits)).unwrap_or_else(|| {
        faults.add(fields.path("permits"), format!("must be 1 to {}, not {value}", limits::LOCK_PERMITS_MAX));
        1
    })
}

/// Reads `{owner, permits, ttl}`.
///
/// # Errors
/// Every fault found, with its path and what would be right.
pub fn read_acquire(value: Value) -> Result<ReadAcquire, Vec<Cause>> {
    let mut faults = Faults::default();
    let mut fields = Fields::of("", value, &mut faults);
    let owner = fields.text("owner", &mut faults).unwrap_or_default();
    let printable = owner.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    if owner.is_empty() || owner.len() > OWNER_BYTES_MAX || !printable {
        let message = format!("says who asks: 1 to {OWNER_BYTES_MAX} printable characters without spaces");
        faults.add("owner", message);
    }
    if owner.starts_with("runnable/") || owner.starts_with("deployable/") {
        faults.add("owner", "begins as those of submissions do: choose another");
    }
    let permits = permits_of(&mut fields, &mut faults);
    let ttl_ms = fields.duration("ttl", &mut faults).unwrap_or(limits::LOCK_TTL_MS);
    if !(limits::LOCK_TTL_MS_MIN..=limits::LOCK_TTL_MS_MAX).contains(&ttl_ms) {
        faults.add("ttl", "must be 1s to 24h: who needs it for longer renews it");
    }
    fields.finish(&mut faults);
    if faults.0.is_empty() { Ok(ReadAcquire { owner, permits, ttl_ms }) } else { Err(faults.0) }
}

/// Reads `{token, ttl}`, of which a release needs the token only: the fencing token, a number or a string.
///
/// # Errors
/// Every fault found, with its path and what would be right.
pub fn read_token(value: Value, takes_ttl: bool) -> Result<(Revision, u64), Vec<Cause>> {
    let mut faults = Faults::default();
    let mut fields = Fields::of("", value, &mut faults);
    let token = match fields.take("token") {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    if token.is_none() {
        faults.add("token", "must be the fencing token that the lock was granted with");
    }
    let ttl = if takes_ttl { fields.duration("ttl", &mut faults) } else { None };
    let ttl_ms = ttl.unwrap_or(limits::LOCK_TTL_MS);
    if !(limits::LOCK_TTL_MS_MIN..=limits::LOCK_TTL_MS_MAX).contains(&ttl_ms) {
        faults.add("ttl", "must be 1s to 24h: who needs it for longer renews it again");
    }
    fields.finish(&mut faults);
    match token {
        Some(token) if faults.0.is_empty() => Ok((Revision(token), ttl_ms)),
        _ => Err(faults.0),
    }
}
