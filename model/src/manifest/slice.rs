//! One of several manifests that are kept joined, and what it says when the values that it names are given.

use super::placeholder;
use crate::Digest;
use crate::record::Planned;
use serde_json::Value;

/// The bytes from `offset` on, `length` of them; `None` if there are fewer.
pub(crate) fn slice(manifests: &[u8], offset: u32, length: u32) -> Option<&[u8]> {
    let from = usize::try_from(offset).ok()?;
    manifests.get(from..from.checked_add(usize::try_from(length).ok()?)?)
}

/// A manifest as it was accepted, with the values that it names: `value` gives them. `None` if the bytes are not what was
/// accepted.
pub(super) fn accepted<'a>(
    plan: &Planned,
    manifests: &[u8],
    value: impl Fn(&str) -> Option<&'a str>,
) -> Option<Value> {
    let bytes = plan.json(manifests)?;
    let resolved = match placeholder::is_in(bytes) {
        true => Some(placeholder::resolve(bytes, value).ok()?),
        false => None,
    };
    let bytes = resolved.as_deref().unwrap_or(bytes);
    (Digest::of(bytes) == plan.digest).then(|| serde_json::from_slice(bytes).ok())?
}
