//! The ledger as a client checks it: every hash is computed again from the record and the hash before it.

use crate::client::{Client, Request, request};
use crate::exit::{Exit, Failure};
use serde::Deserialize;
use serde_json::value::RawValue;
use tallyman_model::Digest;
use tallyman_model::ledger::{LedgerRecord, next_hash};

/// Records of one page.
const PAGE_MAX: u32 = 500;
/// Records that are read about one run.
const RECORDS_MAX: usize = 100_000;

/// Checks records one after another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    head: Digest,
    /// How many were checked.
    pub(crate) len: u64,
}

impl Chain {
    /// Checks the next record: its number, its hash, and that its bytes are what the hash is of.
    ///
    /// # Errors
    /// Where the chain is broken, in words.
    pub(crate) fn follow(&mut self, item: &Item<'_>) -> Result<(), String> {
        let bytes = item.spec.get().as_bytes();
        let record: LedgerRecord = serde_json::from_slice(bytes)
            .map_err(|error| format!("record {} cannot be read: {error}", self.len + 1))?;
        if record.seq != self.len + 1 {
            return Err(format!("record {} follows record {}", record.seq, self.len));
        }
        let head = next_hash(&self.head, bytes);
        if item.status.hash != head.to_string() {
            return Err(format!("record {} is not what its hash was made of", record.seq));
        }
        self.head = head;
        self.len = record.seq;
        Ok(())
    }

    /// The hash of the last record.
    pub(crate) fn head(&self) -> Digest {
        self.head
    }
}

/// A page of AuditRecords, with the records byte for byte as they were hashed.
#[derive(Debug, Deserialize)]
struct Page<'a> {
    metadata: PageMetadata,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Debug, Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue", default)]
    next: String,
}

/// An AuditRecord.
#[derive(Debug, Deserialize)]
pub(crate) struct Item<'a> {
    #[serde(borrow)]
    spec: &'a RawValue,
    status: State,
}

#[derive(Debug, Deserialize)]
struct State {
    hash: String,
}

impl Item<'_> {
    /// The record's bytes, as they were hashed.
    pub(crate) fn bytes(&self) -> &str {
        self.spec.get()
    }

    /// The hash that the server names, as `sha256:...`.
    pub(crate) fn hash(&self) -> &str {
        &self.status.hash
    }

    /// The record.
    ///
    /// # Errors
    /// It is of another version.
    pub(crate) fn record(&self) -> Result<LedgerRecord, Failure> {
        serde_json::from_str(self.bytes()).map_err(|error| garbled(&error))
    }
}

/// Why a page is none.
fn garbled(error: &serde_json::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("the ledger cannot be read: {error}"),
        "check that the server and this program are of one version: tallyman --version",
    )
}

/// Reads the whole ledger and checks it; `each` gets every record that was found right, with its hash.
///
/// # Errors
/// No answer, the chain is broken, or `each` failed.
pub(crate) async fn verify(
    client: &Client,
    mut each: impl FnMut(&Item<'_>) -> Result<(), Failure>,
) -> Result<Chain, Failure> {
    let mut chain = Chain::default();
    pages(client, None, |item| {
        chain.follow(item).map_err(|why| {
            Failure::new(
                Exit::Failed,
                format!("the ledger is broken: {why}"),
                "compare with another replica (--server), and with its files (--dir)",
            )
        })?;
        each(item).map(|()| true)
    })
    .await?;
    Ok(chain)
}

/// The ledger records about the submission `NAMESPACE/NAME`, oldest first; also about one that is gone.
///
/// # Errors
/// No answer.
pub(crate) async fn of_submission(client: &Client, reference: &str) -> Result<Vec<LedgerRecord>, Failure> {
    of(client, &format!("spec.submission={reference}")).await
}

/// The ledger records that a field selector selects, oldest first.
///
/// # Errors
/// No answer.
pub(crate) async fn of(client: &Client, selector: &str) -> Result<Vec<LedgerRecord>, Failure> {
    let mut records = Vec::new();
    pages(client, Some(selector), |item| {
        records.push(item.record()?);
        Ok(records.len() < RECORDS_MAX)
    })
    .await?;
    Ok(records)
}

/// Gives the records that a field selector selects to `each`, oldest first, until it says false.
///
/// # Errors
/// No answer, or `each` failed.
pub(crate) async fn pages(
    client: &Client,
    selector: Option<&str>,
    mut each: impl FnMut(&Item<'_>) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut next = String::new();
    loop {
        let request = Request::get(format!("{}/auditrecords", request::API))
            .query("limit", PAGE_MAX)
            .query_some("fieldSelector", selector)
            .query_some("continue", Some(next.as_str()).filter(|next| !next.is_empty()));
        let answer = client.read(&request).await?.bytes;
        let page: Page<'_> = serde_json::from_slice(&answer).map_err(|error| garbled(&error))?;
        for item in &page.items {
            if !each(item)? {
                return Ok(());
            }
        }
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn items() -> Vec<String> {
        let mut head = Digest::default();
        let item = |seq: u64| {
            let spec = format!(
                r#"{{"seq":{seq},"index":1,"term":1,"leader":"r1","atMs":5,"user":"dev","verb":"submit","detail":"","subjects":[],"subjectsCount":0,"digest":"","revisionBefore":0,"revision":1}}"#
            );
            head = next_hash(&head, spec.as_bytes());
            format!(r#"{{"spec":{spec},"status":{{"hash":"{head}"}}}}"#)
        };
        (1..=3).map(item).collect()
    }

    fn check(items: &[String]) -> Result<u64, String> {
        let mut chain = Chain::default();
        items.iter().try_for_each(|item| chain.follow(&serde_json::from_str(item).unwrap()))?;
        Ok(chain.len)
    }

    #[test]
    fn an_unbroken_chain_is_verified() {
        assert_eq!(check(&items()), Ok(3));
    }

    #[test]
    fn a_changed_a_missing_and_a_moved_record_are_found() {
        let mut changed = items();
        changed[1] = changed[1].replace("\"dev\"", "\"eve\"");
        assert!(check(&changed).unwrap_err().contains("record 2 is not what its hash"));
        let mut missing = items();
        missing.remove(1);
        assert!(check(&missing).unwrap_err().contains("record 3 follows record 1"));
        let mut moved = items();
        moved.swap(0, 1);
        assert!(check(&moved).is_err());
    }
}
