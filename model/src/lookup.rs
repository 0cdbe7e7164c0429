//! Hashes that lookups are filed under. They are truncated SHA-256: two names may share one, so whoever follows a
//! lookup compares the record.

use crate::record::{Extent, Kind, Piece, Resource};
use crate::{Digest, Ordinal};

/// Filed beside a cluster's ordinal, for what is on any of them; no record has it.
pub(crate) const ANY_CLUSTER: u64 = 0;

fn hash(parts: &[&[u8]]) -> u64 {
    // No part can contain the separator: names, labels and namespaces have no control characters.
    Digest::of(&parts.join(&0)).short()
}

/// Of a record's name.
#[must_use]
pub fn name_hash(resource: Resource, namespace: &str, name: &str) -> u64 {
    // Its code has one digit.
    hash(&[&[b'0' + resource as u8], namespace.as_bytes(), name.as_bytes()])
}

/// Of a tenant.
#[must_use]
pub(crate) fn tenant_hash(namespace: &str) -> u64 {
    hash(&[namespace.as_bytes()])
}

/// Of a label with its value.
#[must_use]
pub(crate) fn label_hash(key: &str, value: &str) -> u64 {
    hash(&[key.as_bytes(), b"=", value.as_bytes()])
}

/// Of a label's key.
#[must_use]
pub(crate) fn label_key_hash(key: &str) -> u64 {
    hash(&[key.as_bytes()])
}

/// Of a kind on a cluster. Those of one cluster lie together, from that of code 0 on.
#[must_use]
pub(crate) fn tracked(cluster: Ordinal, code: u32) -> u64 {
    (cluster.0 << Kind::CODE_BITS) | u64::from(code)
}

/// Of what is watched on a cluster. Extents of one cluster lie together.
#[must_use]
pub(crate) fn extent(cluster: Ordinal, extent: &Extent) -> u64 {
    let kind = &extent.kind;
    let parts = [kind.api_version().as_bytes(), kind.as_str().as_bytes(), extent.namespace.as_bytes()];
    extents_from(cluster) | (hash(&parts) >> (u64::BITS - EXTENT_BITS))
}

/// What no extent of a cluster is filed before.
#[must_use]
pub(crate) fn extents_from(cluster: Ordinal) -> u64 {
    cluster.0 << EXTENT_BITS
}

/// Bits of an extent's hash; the others are the cluster's ordinal.
const EXTENT_BITS: u32 = 32;

/// Of a name on a cluster.
#[must_use]
pub(crate) fn claim_hash(cluster: Ordinal, kind: &Kind, namespace: &str, name: &str) -> u64 {
    let cluster = cluster.0.to_string();
    // Versions of one kind name the same objects.
    let (group, kind) = (kind.group().as_bytes(), kind.as_str().as_bytes());
    hash(&[cluster.as_bytes(), group, kind, namespace.as_bytes(), name.as_bytes()])
}

/// Of what pools are disjoint as.
#[must_use]
pub(crate) fn disjoint_hash(disjoint: &str) -> u64 {
    hash(&[disjoint.as_bytes()])
}

/// What the pieces of one length that are taken of a pool are filed under.
#[must_use]
pub(crate) fn taken(pool: Ordinal, level: u32) -> u64 {
    (pool.0 << LEVEL_BITS) | u64::from(level)
}

/// Bits of the level of a piece.
const LEVEL_BITS: u32 = 6;

/// Of a piece of a pool. No record has such a name: those of allocations have a dot.
#[must_use]
pub(crate) fn piece_hash(pool: Ordinal, piece: Piece) -> u64 {
    name_hash(Resource::Allocation, &pool.0.to_string(), &format!("{}/{}", piece.level, piece.index))
}
