//! Lists: a selector is an intersection of lookups, a page is a run of ordinals.

use crate::record::{Object, Record, Resource};
use crate::selector::{Selector, Test};
use crate::{Damaged, Ordinal, Phase, Tag, View, lookup};

/// A test of a field of a runnable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldTest {
    /// `metadata.name`
    Name(String),
    /// `metadata.namespace`
    Namespace(String),
    /// `status.phase`
    Phase(Phase),
    /// `status.cluster`; empty: on none.
    Cluster(String),
    /// `status.parent`: the name of the fan-out that it is a part of; empty: of none.
    Parent(String),
    /// `status.reason`; empty: without one.
    Reason(String),
    /// `status.deadLetter`
    DeadLetter,
    /// `status.foreign`: it was not submitted here.
    Foreign,
    /// It has the claim on objects on that cluster; `None`: on any.
    Objects(Option<Ordinal>),
}

/// What to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of which resource.
    pub resource: Resource,
    /// In which namespace; `None`: in all.
    pub namespace: Option<String>,
    /// With which labels.
    pub labels: Selector,
    /// Tests that must hold, or with false must not hold.
    pub fields: Vec<(FieldTest, bool)>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// In the order of their ordinals.
    pub records: Vec<Record>,
    /// Where the next page starts, if there may be more: pass it as `after`.
    pub next: Option<Ordinal>,
}

impl Filter {
    /// Everything of a resource.
    #[must_use]
    pub fn all(resource: Resource) -> Self {
        Self { resource, namespace: None, labels: Selector::default(), fields: Vec::new() }
    }

    /// True if the record is of the list.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        let Some(head) = record.head().filter(|_| record.resource() == self.resource) else { return false };
        self.namespace.as_ref().is_none_or(|namespace| *namespace == head.namespace)
            && self.labels.matches(&head.labels)
            && self.fields.iter().all(|(test, holds)| test.holds(record) == *holds)
    }

    /// Lookups that every record of the list has, and that few others have.
    fn lookups(&self, view: &dyn View) -> Result<Vec<(Tag, u64)>, Damaged> {
        let mut lookups = vec![(Tag::Resource, self.resource as u64)];
        if !self.resource.is_namespaced() {
            return Ok(lookups);
        }
        lookups.extend(self.namespace.iter().map(|namespace| (Tag::Tenant, lookup::tenant_hash(namespace))));
        for (key, test) in &self.labels.0 {
            match test {
                Test::In(values) => match values.as_slice() {
                    [value] => lookups.push((Tag::Label, lookup::label_hash(key, value))),
                    _ => lookups.push((Tag::LabelKey, lookup::label_key_hash(key))),
                },
                Test::Exists => lookups.push((Tag::LabelKey, lookup::label_key_hash(key))),
                Test::NotIn(_) | Test::Absent => {}
            }
        }
        for (test, _) in self.fields.iter().filter(|(_, holds)| *holds) {
            match test {
                FieldTest::Phase(phase) => lookups.push((Tag::Phase, *phase as u64)),
                FieldTest::DeadLetter => lookups.push((Tag::DeadLetter, 0)),
                FieldTest::Foreign => lookups.push((Tag::Foreign, lookup::ANY_CLUSTER)),
                // Only the rows tell.
                FieldTest::Reason(_) => {}
                FieldTest::Namespace(namespace) => {
                    lookups.push((Tag::Tenant, lookup::tenant_hash(namespace)))
                }
                FieldTest::Name(name) => {
                    let namespace = self.namespace.as_deref();
                    let hash = namespace.map(|namespace| lookup::name_hash(self.resource, namespace, name));
                    lookups.extend(hash.map(|hash| (Tag::Name, hash)));
                }
                FieldTest::Cluster(name) => {
                    let cluster = super::cluster(view, name)?.map(|cluster| cluster.head.ordinal.0);
                    lookups.extend(cluster.map(|ordinal| (Tag::Cluster, ordinal)));
                }
                FieldTest::Parent(name) => {
                    let namespace = self.namespace.as_deref().unwrap_or_default();
                    let parent = super::runnable(view, namespace, name)?;
                    lookups.extend(parent.map(|parent| (Tag::Child, parent.head.ordinal.0)));
                }
                FieldTest::Objects(cluster) => {
                    lookups.push((Tag::Objects, cluster.map_or(lookup::ANY_CLUSTER, |cluster| cluster.0)));
                }
            }
        }
        Ok(lookups)
    }
}

impl FieldTest {
    fn holds(&self, record: &Record) -> bool {
        let Some(head) = record.head() else { return false };
        match (self, record) {
            (FieldTest::Name(name), _) => head.name == *name,
            (FieldTest::Namespace(namespace), _) => head.namespace == *namespace,
            (FieldTest::Phase(phase), Record::Runnable(run)) => run.phase == *phase,
            (FieldTest::Reason(reason), Record::Runnable(run)) => run.reason_word() == reason,
            (FieldTest::DeadLetter, Record::Runnable(run)) => run.is_dead_letter(),
            (FieldTest::Foreign, record) => matches!(record, Record::Foreign(_)),
            (FieldTest::Phase(phase), Record::Foreign(foreign)) => foreign.phase == *phase,
            (FieldTest::Reason(reason), Record::Foreign(foreign)) => foreign.reason_word() == reason,
            (FieldTest::Cluster(name), Record::Foreign(foreign)) => foreign.cluster_name == *name,
            (FieldTest::Parent(name), Record::Foreign(_)) => name.is_empty(),
            (FieldTest::Cluster(name), Record::Runnable(run)) => {
                run.attempt().map_or("", |attempt| attempt.cluster_name.as_str()) == name
            }
            (FieldTest::Parent(name), Record::Runnable(run)) => {
                run.parent.as_ref().map_or("", |parent| parent.name.as_str()) == name
            }
            (FieldTest::Objects(cluster), Record::Runnable(run)) => {
                let on = |object: &&Object| cluster.is_none_or(|cluster| object.cluster == cluster);
                run.objects.iter().filter(on).any(Object::claims)
            }
            (
                FieldTest::Phase(_)
                | FieldTest::Cluster(_)
                | FieldTest::Objects(_)
                | FieldTest::Parent(_)
                | FieldTest::Reason(_)
                | FieldTest::DeadLetter,
                _,
            ) => false,
        }
    }
}

/// Records that one call looks at, at most: others get their turn between two calls.
const LOOKED_AT_MAX: usize = 512;

/// The first records of the list with an ordinal above `after`: `limit` of them, or fewer with a next page behind them
/// if many had to be looked at.
///
/// # Errors
/// [`Damaged`] when the state cannot be read.
pub fn list(view: &dyn View, filter: &Filter, after: Ordinal, limit: usize) -> Result<Page, Damaged> {
    let lookups = filter.lookups(view)?;
    let (mut records, mut at, mut looked_at): (Vec<Record>, _, _) = (Vec::new(), after, 0);
    loop {
        // One more than asked for tells whether there is a next page.
        let step = (limit - records.len()).saturating_add(1).min(LOOKED_AT_MAX - looked_at);
        let candidates = view.meet(&lookups, at, step)?;
        for &candidate in &candidates {
            let record = super::record(view, candidate)?.filter(|record| filter.matches(record));
            if record.is_some() && records.len() == limit {
                return Ok(Page { records, next: Some(at) });
            }
            at = candidate;
            records.extend(record);
        }
        looked_at += candidates.len();
        if candidates.len() < step {
            return Ok(Page { records, next: None });
        }
        if looked_at >= LOOKED_AT_MAX {
            return Ok(Page { records, next: Some(at) });
        }
    }
}
