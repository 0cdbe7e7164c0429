//! Whether clusters have what runs require.

use super::{deployable, installations, ordinals, record};
use crate::record::{Cluster, Deployable, Health, Installation, Record, Requirement, Runnable};
use crate::{Damaged, Ordinal, Tag, View};
use std::collections::BTreeMap;

/// What of a run's requirements is not met on a cluster, in words to be put behind its name; `None`: all are.
///
/// # Errors
/// [`Damaged`].
pub fn lacks(view: &dyn View, run: &Runnable, cluster: &Cluster) -> Result<Option<String>, Damaged> {
    for requirement in &run.spec.requires {
        let found = deployable(view, &run.head.namespace, &requirement.deployable)?;
        let there = match &found {
            Some(found) => installation_on(view, found.head.ordinal, cluster.head.ordinal)?,
            None => None,
        };
        let there = there.as_ref().map(Installed::of);
        if let Some(words) = unmet(requirement, found.as_ref(), there, cluster) {
            return Ok(Some(words));
        }
    }
    Ok(None)
}

/// Deployables as they are on all clusters, each read once: for who asks about many runs or clusters.
#[derive(Debug, Default)]
pub struct Required {
    known: BTreeMap<(String, String), OnClusters>,
}

/// A deployable, if there is one of that name, and how it is on the clusters where it is.
type OnClusters = (Option<Deployable>, BTreeMap<Ordinal, Installed>);

impl Required {
    /// As [`lacks`] does.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn lacks(
        &mut self,
        view: &dyn View,
        run: &Runnable,
        cluster: &Cluster,
    ) -> Result<Option<String>, Damaged> {
        for requirement in &run.spec.requires {
            let key = (run.head.namespace.clone(), requirement.deployable.clone());
            if !self.known.contains_key(&key) {
                let read = on_clusters(view, &key.0, &key.1)?;
                self.known.insert(key.clone(), read);
            }
            let Some((found, there)) = self.known.get(&key) else { continue };
            let there = there.get(&cluster.head.ordinal).copied();
            if let Some(words) = unmet(requirement, found.as_ref(), there, cluster) {
                return Ok(Some(words));
            }
        }
        Ok(None)
    }
}

fn on_clusters(view: &dyn View, namespace: &str, name: &str) -> Result<OnClusters, Damaged> {
    let Some(found) = deployable(view, namespace, name)? else { return Ok((None, BTreeMap::new())) };
    let all = installations(view, found.head.ordinal)?;
    let there = all.iter().map(|one| (one.cluster, Installed::of(one))).collect();
    Ok((Some(found), there))
}

fn installation_on(
    view: &dyn View,
    deployable: Ordinal,
    cluster: Ordinal,
) -> Result<Option<Installation>, Damaged> {
    let there = ordinals(view, Tag::Installed, cluster.0)?;
    for ordinal in ordinals(view, Tag::Installed, deployable.0)? {
        if there.binary_search(&ordinal).is_ok()
            && let Some(Record::Installation(installation)) = record(view, ordinal)?
        {
            return Ok(Some(installation));
        }
    }
    Ok(None)
}

/// What of an installation a requirement depends on.
#[derive(Clone, Copy, Debug)]
struct Installed {
    generation: u32,
    counts_as: u32,
    is_leaving: bool,
    is_synced: bool,
    health: Health,
}

impl Installed {
    fn of(installation: &Installation) -> Self {
        Self {
            generation: installation.generation,
            counts_as: installation.counts_as,
            is_leaving: installation.leaving,
            is_synced: installation.is_all_synced(),
            health: installation.health(),
        }
    }
}

/// Why a requirement is not met on a cluster, in words. Met is it when all of what is wanted there is applied and healthy,
/// and that is the required generation or a later one. A generation that takes up an earlier one again counts as that one:
/// it has what that one had, and nothing that came after it.
fn unmet(
    requirement: &Requirement,
    found: Option<&Deployable>,
    there: Option<Installed>,
    cluster: &Cluster,
) -> Option<String> {
    let why = match (found, there) {
        (None, _) => "there is none of that name".to_owned(),
        (Some(found), _) if found.withdrawal.is_some() => "it is being removed".to_owned(),
        (Some(found), None) if found.approved.is_none() => "it is not approved yet".to_owned(),
        (Some(found), None) if found.wants(cluster) => "its turn has not come there".to_owned(),
        (Some(_), None) => "it is not to be there".to_owned(),
        (Some(_), Some(there)) => there.falls_short(requirement.generation)?,
    };
    Some(format!("lacks deployable {} ({why})", requirement.deployable))
}

impl Installed {
    fn falls_short(self, of: Option<u32>) -> Option<String> {
        let Self { generation, counts_as, .. } = self;
        match of {
            _ if self.is_leaving => Some("it is being removed there".to_owned()),
            Some(of) if counts_as < of && counts_as != generation => {
                Some(format!("revision {generation}, which is {counts_as} again, is there and not {of}"))
            }
            Some(of) if counts_as < of => Some(format!("revision {generation} is there and not {of}")),
            _ if !self.is_synced => Some(format!("revision {generation} is not all applied there yet")),
            _ if self.health != Health::Healthy => Some(format!("it is {} there", self.health.as_str())),
            _ => None,
        }
    }
}
