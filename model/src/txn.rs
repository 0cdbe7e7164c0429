//! One command's work on the state: a layer, the counters, and the writes.

use crate::command::{Command, MEMBERS_MAX, Principal, Target};
use crate::ledger::{self, Chained};
use crate::record::{
    Cluster, Deployable, Kind, Member, Meta, Receipt, Record, Resource, Runnable, StatusRule,
};
use crate::{
    Ctx, Damaged, Key, Layer, Ordinal, Phase, Refusal, RefusalKind, Revision, Row, Tag, View, Write, Writes,
    index, limits, lookup,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a command reads and writes through. Dropping it drops all that it wrote.
pub struct Txn<'a> {
    layer: Layer<'a>,
    /// The counters, as they will be.
    pub(crate) meta: Meta,
    /// What the entry is applied under.
    pub(crate) ctx: Ctx,
    before: Revision,
    /// Ordinals of the runnables that changed: their history gets the ledger record's number.
    touched: Vec<Ordinal>,
    /// What was removed and its last revision, for the ledger.
    removed: Vec<(Revision, Arc<Record>)>,
    /// What the ledger says beside the verb.
    detail: String,
    /// Something changed that the ledger is to tell: more than a receipt.
    is_told: bool,
}

impl<'a> Txn<'a> {
    pub(crate) fn begin(view: &'a dyn View, ctx: &Ctx, clock_ms: u64) -> Result<Self, Damaged> {
        let mut meta = match view.get(Key::META)? {
            Some(Row::Meta(meta)) => *meta,
            None => Meta::default(),
            Some(_) => return Err(Damaged::at(Key::META, "not the counters")),
        };
        meta.clock_ms = meta.clock_ms.max(clock_ms);
        let before = meta.revision;
        Ok(Self {
            layer: Layer::over(view),
            meta,
            ctx: *ctx,
            before,
            touched: Vec::new(),
            removed: Vec::new(),
            detail: String::new(),
            is_told: false,
        })
    }

    /// The time of this entry, ms since 1970; never goes back.
    pub(crate) fn now_ms(&self) -> u64 {
        self.meta.clock_ms
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.is_told || !self.layer.writes().is_empty()
    }

    /// What the ledger is to say beside the verb.
    pub(crate) fn say(&mut self, detail: impl Into<String>) {
        self.detail = detail.into();
        crate::rule::truncate(&mut self.detail);
    }

    /// The counters changed in a way that the ledger is to tell, though no record did.
    pub(crate) fn tell(&mut self) {
        self.is_told = true;
    }

    pub(crate) fn new_ordinal(&mut self) -> Ordinal {
        self.meta.ordinal = self.meta.ordinal.next();
        self.meta.ordinal
    }

    /// The record under that ordinal.
    pub(crate) fn record(&self, ordinal: Ordinal) -> Result<Option<Record>, Damaged> {
        Ok(self.shared(ordinal)?.map(Arc::unwrap_or_clone))
    }

    fn shared(&self, ordinal: Ordinal) -> Result<Option<Arc<Record>>, Damaged> {
        let key = Key::record(ordinal);
        match self.layer.get(key)? {
            Some(Row::Record(record)) => Ok(Some(record)),
            None => Ok(None),
            Some(_) => Err(Damaged::at(key, "not a record")),
        }
    }

    pub(crate) fn runnable(&self, ordinal: Ordinal) -> Result<Option<Runnable>, Damaged> {
        Ok(self.record(ordinal)?.and_then(|record| match record {
            Record::Runnable(run) => Some(run),
            _ => None,
        }))
    }

    pub(crate) fn cluster(&self, ordinal: Ordinal) -> Result<Option<Cluster>, Damaged> {
        Ok(self.record(ordinal)?.and_then(|record| match record {
            Record::Cluster(cluster) => Some(cluster),
            _ => None,
        }))
    }

    /// The rule that users made for a kind.
    pub(crate) fn status_rule(&self, kind: &Kind) -> Result<Option<StatusRule>, Damaged> {
        let Kind::Other(_) = kind else { return Ok(None) };
        self.status_rule_named(kind.group(), kind.as_str())
    }

    /// The same, by group and kind.
    pub(crate) fn status_rule_named(&self, group: &str, kind: &str) -> Result<Option<StatusRule>, Damaged> {
        self.find(Tag::Name, index::rule_hash(group, kind), |record| match record {
            Record::StatusRule(rule) if rule.group == group && rule.kind == kind => Some(rule),
            _ => None,
        })
    }

    /// All clusters, in the order in which they were registered.
    pub(crate) fn clusters(&self) -> Result<Vec<Cluster>, Damaged> {
        let mut clusters = Vec::new();
        for ordinal in self.ordinals(Tag::Resource, Resource::Cluster as u64, limits::CLUSTERS_MAX)? {
            clusters.extend(self.cluster(ordinal)?);
        }
        Ok(clusters)
    }

    /// All members, in the order in which they joined.
    pub(crate) fn members(&self) -> Result<Vec<Member>, Damaged> {
        let mut members = Vec::new();
        for ordinal in self.ordinals(Tag::Resource, Resource::Member as u64, MEMBERS_MAX)? {
            members.extend(self.record(ordinal)?.and_then(|record| match record {
                Record::Member(member) => Some(member),
                _ => None,
            }));
        }
        Ok(members)
    }

    /// Refuses a datacenter in which no replica is; empty: none is meant.
    pub(crate) fn known_datacenter(&self, datacenter: &str) -> Result<Result<(), Refusal>, Damaged> {
        if datacenter.is_empty() {
            return Ok(Ok(()));
        }
        let places: BTreeSet<String> = self.members()?.into_iter().map(|member| member.datacenter).collect();
        if places.contains(datacenter) {
            return Ok(Ok(()));
        }
        let places = places.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!("no replica is in datacenter {datacenter:?}; they are in {places}");
        Ok(Err(Refusal::new(RefusalKind::Invalid, message)))
    }

    /// The ordinals that a lookup value points to, at most `limit`.
    pub(crate) fn ordinals(&self, tag: Tag, value: u64, limit: usize) -> Result<Vec<Ordinal>, Damaged> {
        let page = self.layer.page(lookup_from(tag, value), lookup_to(tag, value), limit)?;
        Ok(page.into_iter().map(|(key, _)| key.ordinal()).collect())
    }

    /// How many ordinals a lookup value points to, counted up to `max`.
    pub(crate) fn count(&self, tag: Tag, value: u64, max: usize) -> Result<usize, Damaged> {
        self.layer.count(lookup_from(tag, value), lookup_to(tag, value), max)
    }

    /// How many lookups there are with `from <= key < to`.
    pub(crate) fn count_between(&self, from: Key, to: Key) -> Result<usize, Damaged> {
        self.layer.count(from, to, usize::MAX)
    }

    /// How many runs of a tenant are on a cluster and have not ended.
    pub(crate) fn active_of(&self, tenant: &str) -> Result<usize, Damaged> {
        const ON_CLUSTER: [Phase; 6] =
            [Phase::Placed, Phase::Sent, Phase::Pending, Phase::Running, Phase::Stopping, Phase::Lost];
        let mut active = 0;
        for phase in ON_CLUSTER {
            let lookups = [(Tag::Tenant, lookup::tenant_hash(tenant)), (Tag::Phase, phase as u64)];
            let foreign = [lookups[0], lookups[1], (Tag::Foreign, lookup::ANY_CLUSTER)];
            active += self.layer.meet(&lookups, Ordinal(0), usize::MAX)?.len();
            active -= self.layer.meet(&foreign, Ordinal(0), usize::MAX)?.len();
        }
        Ok(active)
    }

    /// What there is of a resource of a tenant.
    pub(crate) fn of_tenant(&self, resource: Resource, tenant_hash: u64) -> Result<Vec<Ordinal>, Damaged> {
        let lookups = [(Tag::Tenant, tenant_hash), (Tag::Resource, resource as u64)];
        self.layer.meet(&lookups, Ordinal(0), usize::MAX)
    }

    /// The first record under a hash that `is` accepts.
    pub(crate) fn find<T>(
        &self,
        tag: Tag,
        hash: u64,
        is: impl Fn(Record) -> Option<T>,
    ) -> Result<Option<T>, Damaged> {
        for ordinal in self.ordinals(tag, hash, HASH_COLLISIONS_MAX)? {
            if let Some(found) = self.record(ordinal)?.and_then(&is) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Entries `from <= key < to`.
    pub(crate) fn page(&self, from: Key, to: Key, limit: usize) -> Result<Vec<Key>, Damaged> {
        Ok(self.layer.page(from, to, limit)?.into_iter().map(|(key, _)| key).collect())
    }

    /// Writes a record under the next revision, moves its lookups, and returns it as written.
    pub(crate) fn put(&mut self, record: Record) -> Result<Arc<Record>, Damaged> {
        self.is_told = true;
        self.place(record)
    }

    /// Writes a receipt. That a request was answered is no change that the ledger tells.
    pub(crate) fn put_receipt(&mut self, receipt: Receipt) -> Result<(), Damaged> {
        self.place(Record::Receipt(receipt)).map(|_| ())
    }

    fn place(&mut self, mut record: Record) -> Result<Arc<Record>, Damaged> {
        let ordinal = record.ordinal();
        // What has no revision was never written.
        let is_new = record.revision() == Revision(0);
        let old = if is_new { None } else { self.shared(ordinal)? };
        self.meta.revision = self.meta.revision.next();
        record.stamp(self.meta.revision);
        if let Record::Runnable(run) = &mut record {
            // The record number of this command is known before its bytes are.
            if !self.touched.contains(&ordinal) {
                self.touched.push(ordinal);
                run.history.push(self.meta.ledger_len + 1);
                let excess = run.history.len().saturating_sub(limits::HISTORY_MAX);
                run.history.drain(..excess);
            }
        }
        if let Record::Deployable(deployable) = &mut record
            && deployable.history.last() != Some(&(self.meta.ledger_len + 1))
        {
            deployable.history.push(self.meta.ledger_len + 1);
            let excess = deployable.history.len().saturating_sub(limits::HISTORY_MAX);
            deployable.history.drain(..excess);
        }
        let record = Arc::new(record);
        self.write(Key::record(ordinal), Some(Row::Record(Arc::clone(&record))));
        self.reindex(old.as_deref(), Some(&record));
        Ok(record)
    }

    /// Removes a record, its parts and its lookups; the removal takes a revision.
    pub(crate) fn remove(&mut self, ordinal: Ordinal, parts: u16) -> Result<(), Damaged> {
        self.meta.revision = self.meta.revision.next();
        let record = self.shared(ordinal)?;
        self.is_told |= !matches!(record.as_deref(), Some(Record::Receipt(_)));
        self.reindex(record.as_deref(), None);
        self.removed.extend(record.map(|record| (self.meta.revision, record)));
        self.write(Key::record(ordinal), None);
        for part in 1..=parts {
            self.write(Key::part(ordinal, part), None);
        }
        Ok(())
    }

    /// Writes a part (1..) of a record's manifests.
    pub(crate) fn put_part(&mut self, ordinal: Ordinal, part: u16, bytes: Vec<u8>) {
        self.write(Key::part(ordinal, part), Some(Row::Part(bytes)));
    }

    /// Moves a record's lookups: only those that are of one of the two.
    fn reindex(&mut self, old: Option<&Record>, new: Option<&Record>) {
        let [old, new] = [old, new].map(|record| record.map(index).unwrap_or_default());
        for key in old.iter().filter(|key| new.binary_search(key).is_err()) {
            self.write(*key, None);
        }
        for key in new.iter().filter(|key| old.binary_search(key).is_err()) {
            self.write(*key, Some(Row::Mark));
        }
    }

    fn write(&mut self, key: Key, row: Option<Row>) {
        self.layer.write(key, Write { revision: self.meta.revision, row });
    }

    /// Closes the command: chains its ledger record, if there is anything to tell, and writes the counters.
    pub(crate) fn finish(
        mut self,
        command: &Command,
        by: &Principal,
    ) -> Result<(Writes, Option<Chained>), Damaged> {
        let chained = if self.is_told { Some(self.chain(command, by)?) } else { None };
        let revision = self.meta.revision;
        self.layer.write(Key::META, Write { revision, row: Some(Row::Meta(Box::new(self.meta))) });
        Ok((self.layer.into_writes(), chained))
    }

    fn chain(&mut self, command: &Command, by: &Principal) -> Result<Chained, Damaged> {
        let changed = ledger::Changed {
            before: self.before,
            after: self.meta.revision,
            writes: self.layer.writes(),
            removed: &self.removed,
            detail: &self.detail,
        };
        let chained = ledger::chain(&self.meta, &self.ctx, command, by, &changed)
            .map_err(|error| Damaged::at(Key::META, error.to_string()))?;
        self.meta.ledger_len = chained.seq;
        self.meta.ledger_head = chained.hash;
        Ok(chained)
    }
}

/// More records than this under one 64-bit hash do not happen: it would take 2^32 tries to make two meet.
const HASH_COLLISIONS_MAX: usize = 16;

fn lookup_from(tag: Tag, value: u64) -> Key {
    Key { tag, a: value, b: 0, c: 0 }
}

fn lookup_to(tag: Tag, value: u64) -> Key {
    Key { tag, a: value, b: u64::MAX, c: u64::MAX }
}

impl Txn<'_> {
    /// The state with what the command wrote so far, for queries.
    pub(crate) fn view(&self) -> &dyn View {
        &self.layer
    }

    /// The deployable that a user's command names, or why it is not there to be changed.
    pub(crate) fn deployable_named(&self, target: &Target) -> Result<Result<Deployable, Refusal>, Damaged> {
        let Target { namespace, name, uid, revision } = target;
        let Some(Record::Deployable(found)) = self.named(Resource::Deployable, namespace, name)? else {
            let message = format!("deployables.tallyman.dev {name:?} not found in namespace {namespace:?}");
            return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
        };
        if uid.is_some_and(|uid| uid != found.head.uid) {
            let message = format!("{name:?} is another deployable now, with UID {}", found.head.uid);
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        if revision.is_some_and(|revision| revision != found.head.revision) {
            let now = found.head.revision;
            let message =
                format!("{name:?} has changed: it is at revision {now}; read it again and repeat the change");
            return Ok(Err(Refusal::changed(message)));
        }
        Ok(Ok(found))
    }

    /// The runnable that a user's command names, or why it is not there to be changed.
    pub(crate) fn runnable_named(&self, target: &Target) -> Result<Result<Runnable, Refusal>, Damaged> {
        let Target { namespace, name, uid, revision } = target;
        let run = match self.named(Resource::Runnable, namespace, name)? {
            Some(Record::Runnable(run)) => run,
            Some(Record::Foreign(foreign)) => {
                return Ok(Err(Refusal::new(RefusalKind::Conflict, foreign.untouchable())));
            }
            _ => {
                let message = format!("runnables.tallyman.dev {name:?} not found in namespace {namespace:?}");
                return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
            }
        };
        if uid.is_some_and(|uid| uid != run.head.uid) {
            let message = format!("{name:?} is another runnable now, with UID {}", run.head.uid);
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        if revision.is_some_and(|revision| revision != run.head.revision) {
            let message = format!(
                "{name:?} has changed: it is at revision {}; read it again and repeat the change",
                run.head.revision
            );
            return Ok(Err(Refusal::changed(message)));
        }
        Ok(Ok(run))
    }
}

impl Txn<'_> {
    /// The record that a user's command names, or why it is not there to be changed; `plural` is its resource's name.
    pub(crate) fn target(
        &self,
        resource: Resource,
        plural: &str,
        target: &Target,
    ) -> Result<Result<Record, Refusal>, Damaged> {
        let Some(found) = self.named(resource, &target.namespace, &target.name)? else {
            return Ok(Err(target.not_found(plural)));
        };
        let (name, uid) = (&target.name, found.head().map(|head| head.uid).unwrap_or_default());
        if target.uid.is_some_and(|wanted| wanted != uid) {
            let message = format!("{name:?} of {plural} is another one now, with UID {uid}");
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        let now = found.revision();
        if target.revision.is_some_and(|wanted| wanted != now) {
            let message =
                format!("{name:?} has changed: it is at revision {now}; read it again and repeat the change");
            return Ok(Err(Refusal::changed(message)));
        }
        Ok(Ok(found))
    }
}

impl Target {
    pub(crate) fn not_found(&self, plural: &str) -> Refusal {
        let Self { namespace, name, .. } = self;
        let message = format!("{plural}.tallyman.dev {name:?} not found in namespace {namespace:?}");
        Refusal::new(RefusalKind::NotFound, message)
    }
}
