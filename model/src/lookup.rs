//! Hashes that lookups are filed under. They are truncated SHA-256: two names may share one, so whoever follows a
//! lookup compares the record.

use crate::record::{Kind, Resource};
use crate::{Digest, Ordinal};

/// Filed beside a cluster's ordinal, for what is on any of them; no record has it.
pub(crate) const ANY_CLUSTER: u64 = 0;

fn hash(parts: &[&str]) -> u64 {
    // No part can contain the separator: names, labels and namespaces have no control characters.
    Digest::of(parts.join("\u{0}").as_bytes()).short()
}

/// Of a record's name.
#[must_use]
pub fn name_hash(resource: Resource, namespace: &str, name: &str) -> u64 {
    hash(&[&(resource as u8).to_string(), namespace, name])
}

/// Of a tenant.
#[must_use]
pub(crate) fn tenant_hash(namespace: &str) -> u64 {
    hash(&[namespace])
}

/// Of a label with its value.
#[must_use]
pub(crate) fn label_hash(key: &str, value: &str) -> u64 {
    hash(&[key, "=", value])
}

/// Of a label's key.
#[must_use]
pub(crate) fn label_key_hash(key: &str) -> u64 {
    hash(&[key])
}

/// Of a name on a cluster.
#[must_use]
pub(crate) fn claim_hash(cluster: Ordinal, kind: Kind, namespace: &str, name: &str) -> u64 {
    hash(&[&cluster.0.to_string(), kind.as_str(), namespace, name])
}
