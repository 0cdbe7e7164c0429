//! `AuditRecord`. Its `spec` is the ledger record byte for byte, so that a reader can verify the chain: the hash is
//! SHA-256 over the hash of the record before and these bytes.

use super::API_VERSION;
use crate::backend::LedgerEntry;
use serde::Serialize;
use serde_json::value::RawValue;
use tallyman_model::ledger::LedgerRecord;
use tallyman_model::time;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuditRecord<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: &'a RawValue,
    status: State,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    resource_version: String,
    creation_timestamp: String,
}

#[derive(Serialize)]
struct State {
    hash: String,
}

/// The document of a ledger record; `None` if its bytes are not JSON.
pub(crate) fn audit(entry: &LedgerEntry, record: &LedgerRecord) -> Option<Vec<u8>> {
    Some(super::bytes(&AuditRecord {
        api_version: API_VERSION,
        kind: "AuditRecord",
        metadata: Metadata {
            name: record.seq.to_string(),
            resource_version: record.revision.to_string(),
            creation_timestamp: time::format(record.at_ms),
        },
        spec: serde_json::from_slice(&entry.bytes).ok()?,
        status: State { hash: entry.hash.to_string() },
    }))
}
