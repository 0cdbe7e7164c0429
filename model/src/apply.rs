//! One committed entry, applied.

use crate::command::{Command, Entry, IdempotencyKey, Principal};
use crate::ledger::Chained;
use crate::record::{Receipt, Record, Resource};
use crate::{Damaged, Digest, Gone, Refusal, RefusalKind, Revision, Txn, View, Writes};
use crate::{limits, lookup};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What an entry is applied under; equal on all replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ctx {
    /// Log index of the entry.
    pub index: u64,
    /// Raft term of the entry.
    pub term: u64,
    /// The replica that led that term.
    pub leader: crate::ReplicaId,
}

/// A command that did what it was for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The revision after it: a read with this token sees it.
    pub revision: Revision,
    /// The record that it was about, as it is after it; `None` if that is gone, or for commands about many.
    pub record: Option<Arc<Record>>,
    /// It had been done before under the same idempotency key; `revision` is that of the first time.
    pub replayed: bool,
    /// It found everything as it should be and changed nothing.
    pub unchanged: bool,
}

impl Done {
    /// About many records, or about none any more.
    pub(crate) fn at(txn: &Txn<'_>) -> Self {
        Self { revision: txn.meta.revision, record: None, replayed: false, unchanged: false }
    }

    /// About `record`, which has just been written.
    pub(crate) fn with(txn: &Txn<'_>, record: Arc<Record>) -> Self {
        Self { record: Some(record), ..Self::at(txn) }
    }

    /// About `record`, which is as it should be already.
    pub(crate) fn unchanged(record: Record) -> Self {
        Self { revision: record.revision(), record: Some(Arc::new(record)), replayed: false, unchanged: true }
    }
}

/// What came of an entry.
#[derive(Debug)]
pub struct Applied {
    /// The answer to whoever proposed it.
    pub reply: Result<Done, Refusal>,
    /// What changes; empty for a refusal.
    pub writes: Writes,
    /// The ledger record, if anything changed beside the receipt of an idempotency key.
    pub ledger: Option<Chained>,
}

/// Applies one entry to the state that `view` shows; what the entry holds becomes part of the rows.
///
/// # Errors
/// [`Damaged`] when the state cannot be read: the replica must stop serving from it.
pub fn apply(view: &dyn View, ctx: &Ctx, entry: Entry) -> Result<Applied, Damaged> {
    let Entry { clock_ms, by, key, mut command } = entry;
    let mut txn = Txn::begin(view, ctx, clock_ms)?;
    let reply = match &key {
        _ if command.since() > txn.meta.version => Err(too_early(&command, txn.meta.version)),
        Some(key) => with_receipt(&mut txn, &mut command, &by, key)?,
        None => command.apply(&mut txn, &by)?,
    };
    let (writes, ledger) = match reply.is_ok() && txn.is_changed() {
        true => txn.finish(&command, &by)?,
        false => (Writes::new(), None),
    };
    Ok(Applied { reply, writes, ledger })
}

/// Some of the replicas may not know the command: it is proposed to none of them.
fn too_early(command: &Command, version: u32) -> Refusal {
    let message =
        format!("{} needs version {} of the group, which is at {version}", command.verb(), command.since());
    Refusal::new(RefusalKind::Conflict, message)
}

/// The receipt decides first: known key and body, the record as it is now; known key and other body, a refusal. Refusals
/// leave no receipt, so a corrected request may use its key again.
fn with_receipt(
    txn: &mut Txn<'_>,
    command: &mut Command,
    by: &Principal,
    key: &IdempotencyKey,
) -> Result<Result<Done, Refusal>, Damaged> {
    let route = [&key.namespace, &by.user, &key.route, &key.key].map(String::as_str).join("\u{0}");
    let digest = Digest::of(route.as_bytes());
    if let Some(receipt) = txn.receipt(digest)? {
        if receipt.body != key.body {
            return Ok(Err(Refusal::new(
                RefusalKind::Invalid,
                format!("the idempotency key {:?} was used before with another body; use a new key", key.key),
            )));
        }
        let subject = txn.record(receipt.subject)?.filter(|record| uid_of(record) == receipt.subject_uid);
        if subject.is_none() && !command.is_removal() {
            return Ok(Err(gone(key, receipt)));
        }
        let record = subject.map(Arc::new);
        return Ok(Ok(Done { revision: receipt.answered, record, replayed: true, unchanged: true }));
    }
    if txn.receipts_count(&key.namespace)? >= limits::RECEIPTS_MAX {
        let message = format!("namespace {:?} has used too many idempotency keys in 24 h", key.namespace);
        let mut refusal = Refusal::new(RefusalKind::TooMany, message);
        refusal.retry_after_s = Some(60);
        return Ok(Err(refusal));
    }
    let reply = command.apply(txn, by)?;
    if let Ok(done) = &reply
        && let Some(record) = &done.record
    {
        let receipt = Receipt {
            ordinal: txn.new_ordinal(),
            revision: Revision(0),
            namespace: key.namespace.clone(),
            key: digest,
            body: key.body,
            subject: record.ordinal(),
            subject_uid: uid_of(record),
            answered: done.revision,
            expires_ms: txn.now_ms() + limits::RECEIPT_MS,
            subject_name: record.head().map(|head| head.name.clone()).unwrap_or_default(),
        };
        txn.put_receipt(receipt)?;
    }
    Ok(reply)
}

/// There is nothing to answer with: what it was done to is there no more.
fn gone(key: &IdempotencyKey, receipt: Receipt) -> Refusal {
    let Receipt { namespace, subject_name: name, subject_uid: uid, .. } = receipt;
    let reference = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
    let message = format!(
        "this was done before under the idempotency key {:?}, for {reference} with UID {uid}, which is deleted since; \
         nothing was done now: use a new key to do it again",
        key.key
    );
    Refusal::gone(message, Gone { name, uid })
}

fn uid_of(record: &Record) -> crate::Uid {
    record.head().map_or_else(Default::default, |head| head.uid)
}

impl Txn<'_> {
    fn receipt(&self, key: Digest) -> Result<Option<Receipt>, Damaged> {
        self.find(crate::Tag::Receipt, key.short(), |record| match record {
            Record::Receipt(receipt) if receipt.key == key && receipt.expires_ms > self.now_ms() => {
                Some(receipt)
            }
            _ => None,
        })
    }

    fn receipts_count(&self, namespace: &str) -> Result<usize, Damaged> {
        self.count(crate::Tag::Receipts, lookup::tenant_hash(namespace), limits::RECEIPTS_MAX)
    }

    /// The record of that name.
    pub(crate) fn named(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Record>, Damaged> {
        let hash = lookup::name_hash(resource, namespace, name);
        self.find(crate::Tag::Name, hash, |record| {
            let head = record.head()?;
            let same = record.resource() == resource && head.namespace == namespace && head.name == name;
            same.then_some(record)
        })
    }
}
