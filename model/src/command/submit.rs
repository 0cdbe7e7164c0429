//! Take a runnable.
//!
//! Reads the name, the named clusters, and the status rules of its kinds; writes the runnable and the parts of its
//! manifests. Refused when the name is taken (`AlreadyExists`), a named cluster is unknown, or it is not known which of
//! its objects says when it has ended (`Invalid`).

use super::{Principal, keeping, main_object, settle};
use crate::manifest::{self, generated};
use crate::record::{Approvals, FanOut, Head, Person, Planned, Resource, RunSpec, Runnable};
use crate::{Cause, Damaged, Digest, Done, Phase, Reason, Refusal, RefusalKind, Txn, Uid, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::mem::take;

/// The name of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManifestName {
    /// As written.
    Fixed(String),
    /// This, and five characters made when the submission is accepted.
    Generate(String),
}

/// One manifest of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitManifest {
    /// Its kind.
    pub kind: crate::record::Kind,
    /// Its namespace on the cluster.
    pub namespace: String,
    /// Its name.
    pub name: ManifestName,
    /// Of its bytes.
    pub digest: Digest,
    /// Where its JSON starts in [`Submit::manifests`].
    pub offset: u32,
    /// How long its JSON is, in bytes.
    pub length: u32,
}

impl SubmitManifest {
    /// Its JSON in the joined manifests; `None` if they are not those that it was read from.
    #[must_use]
    pub fn json<'a>(&self, manifests: &'a [u8]) -> Option<&'a [u8]> {
        manifest::slice(manifests, self.offset, self.length)
    }
}

/// A runnable as it was asked for, checked by [`manifest`](crate::manifest) before it was proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// Random, made by whoever took the request.
    pub uid: Uid,
    /// The tenant.
    pub namespace: String,
    /// The name, or what to make it from.
    pub name: ManifestName,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// The user's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Everything but the manifests.
    pub spec: RunSpec,
    /// Of manifests and placement.
    pub digest: Digest,
    /// Which object each manifest is of.
    pub planned: Vec<SubmitManifest>,
    /// Which of them decides how the run ends; [`UNNAMED`](Self::UNNAMED): the only one that runs to completion.
    pub main: u16,
    /// The manifests as JSON, joined.
    #[serde(with = "crate::bytes")]
    pub manifests: Vec<u8>,
}

impl Submit {
    /// It is not said which manifest decides how the run ends.
    pub const UNNAMED: u16 = u16::MAX;

    /// What the runnable keeps is moved into it.
    pub(crate) fn apply(
        &mut self,
        txn: &mut Txn<'_>,
        by: &Principal,
    ) -> Result<Result<Done, Refusal>, Damaged> {
        let unknown = self.unknown_clusters(txn)?;
        if !unknown.is_empty() {
            let mut refusal =
                Refusal::new(RefusalKind::Invalid, "spec.placement names a cluster that is not known");
            refusal.causes = unknown;
            return Ok(Err(refusal));
        }
        let main = match main_object::choose(txn, self)? {
            Ok(main) => main,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let name = match self.free_name(txn)? {
            Ok(name) => name,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut run = self.runnable(txn, by, name, main);
        if let Some(refusal) = keeping::begin(txn, &mut run, by, &self.manifests)? {
            return Ok(Err(refusal));
        }
        hold(&mut run, by, txn.now_ms());
        let mut bytes = take(&mut self.manifests);
        for part in 1..=run.parts {
            let rest = bytes.split_off(bytes.len().min(limits::PART_BYTES_MAX));
            txn.put_part(run.head.ordinal, part, bytes);
            bytes = rest;
        }
        run.manifests = bytes;
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }

    fn unknown_clusters(&self, txn: &Txn<'_>) -> Result<Vec<Cause>, Damaged> {
        let mut causes = Vec::new();
        for (i, name) in self.spec.placement.clusters.iter().enumerate() {
            if txn.named(Resource::Cluster, "", name)?.is_none() {
                causes.push(Cause {
                    field: format!("spec.placement.clusters[{i}]"),
                    message: format!("there is no cluster {name:?}; `tallyman cluster list` shows them"),
                });
            }
        }
        Ok(causes)
    }

    fn free_name(&mut self, txn: &Txn<'_>) -> Result<Result<String, Refusal>, Damaged> {
        let taken = |name: &str| txn.named(Resource::Runnable, &self.namespace, name);
        match &mut self.name {
            ManifestName::Fixed(name) => Ok(match taken(name)? {
                None => Ok(take(name)),
                Some(_) => Err(Refusal::new(
                    RefusalKind::AlreadyExists,
                    format!(
                        "runnables.tallyman.dev {name:?} already exists in namespace {:?}",
                        self.namespace
                    ),
                )),
            }),
            ManifestName::Generate(prefix) => {
                for tries in 0..generated::TRIES_MAX {
                    let name = generated::of_submission(prefix, self.uid, tries);
                    if taken(&name)?.is_none() {
                        return Ok(Ok(name));
                    }
                }
                let message = format!("no free name was found for generateName {prefix:?}; try again");
                Ok(Err(Refusal::new(RefusalKind::AlreadyExists, message)))
            }
        }
    }

    fn runnable(&mut self, txn: &mut Txn<'_>, by: &Principal, name: String, main: u16) -> Runnable {
        let now = txn.now_ms();
        let parts = match self.manifests.len() {
            0..=limits::MANIFESTS_INLINE_BYTES_MAX => 0,
            length => length.div_ceil(limits::PART_BYTES_MAX),
        };
        Runnable {
            head: Head {
                ordinal: txn.new_ordinal(),
                uid: self.uid,
                namespace: take(&mut self.namespace),
                name,
                labels: take(&mut self.labels),
                annotations: take(&mut self.annotations),
                created_ms: now,
                created_by: by.user.clone(),
                ..Head::default()
            },
            start_deadline_ms: now + self.spec.start_by_ms,
            finish_deadline_ms: self.spec.finish_by_ms.map(|finish_by_ms| now + finish_by_ms),
            fan_out: self.spec.placement.fan_out.then(FanOut::default),
            spec: take(&mut self.spec),
            digest: self.digest,
            planned: (0..)
                .zip(take(&mut self.planned))
                .map(|(i, manifest)| manifest.plan(self.uid, i))
                .collect(),
            main,
            parts: u16::try_from(parts).unwrap_or(u16::MAX),
            manifests: Vec::new(),
            phase: Phase::Accepted,
            reason: Reason::None,
            message: String::new(),
            phase_since_ms: now,
            attempts: Vec::new(),
            objects: Vec::new(),
            place_due_ms: now,
            place_tries: 0,
            late: false,
            ending: None,
            cancel: None,
            deletion: None,
            finished_ms: None,
            keep_until_ms: 0,
            attempts_added: 0,
            history: Vec::new(),
            approvals: None,
            allocations: Vec::new(),
            locks: Vec::new(),
            waits_for_locks: false,
            parent: None,
            checks: Vec::new(),
            asking: None,
        }
    }
}

impl SubmitManifest {
    /// The name of the object: as written, or made from the submission's UID and its place `i` in it.
    pub(crate) fn name(&self, uid: Uid, i: usize) -> String {
        match &self.name {
            ManifestName::Fixed(name) => name.clone(),
            ManifestName::Generate(prefix) => generated::of_manifest(prefix, uid, i),
        }
    }

    fn plan(self, uid: Uid, i: usize) -> Planned {
        let name = self.name(uid, i);
        let Self { kind, namespace, digest, offset, length, .. } = self;
        Planned { kind, namespace, name, digest, offset, length }
    }
}

/// Holds a run that needs approval.
fn hold(run: &mut Runnable, by: &Principal, now: u64) {
    // The rule that counts: a stricter one of the tenant's would take its place here.
    let Some(rule) = run.spec.approvals.clone() else { return };
    let approvals = Approvals::asked(rule, Person::of(by), now);
    settle::enter(run, now, Phase::Held, Reason::AwaitingApproval, approvals.wanted(run.digest));
    run.approvals = Some(approvals);
}
