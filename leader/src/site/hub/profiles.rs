//! Has records follow the profiles that there are.

use super::Seen;
use crate::factory::ClusterFactory;
use crate::site::Site;
use crate::sites;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::Command;
use tallyman_model::command::{FollowProfile, ProfileSays};
use tallyman_model::record::{Cluster, Profile};
use tallyman_model::rule::profile::Told;

/// Proposes what has changed; those that no record follows are told of as wrong.
///
/// # Errors
/// Why none can be followed now, in words.
pub(super) async fn follow(
    site: &Site,
    factory: &dyn ClusterFactory,
    objects: &[Value],
    seen: &mut Seen,
) -> Result<(), String> {
    let known = sites::clusters(&site.term).ok_or("the state cannot be read")?;
    let mut names: BTreeSet<String> = known.iter().map(|cluster| cluster.head.name.clone()).collect();
    let mut providers: BTreeMap<Vec<String>, Option<String>> = BTreeMap::new();
    let mut there = BTreeSet::new();
    for told in objects.iter().filter_map(Told::read) {
        let provider = provider_of(factory, &mut providers, &told).await?;
        let says = told.says(provider.as_deref());
        let (namespace, name) = (told.namespace.clone(), told.name.clone());
        there.insert((namespace.clone(), name.clone()));
        let follow = following(site, namespace, name, Some(says));
        let hindrance = follow.says.as_ref().and_then(|says| says.hindrance.clone());
        if known.iter().any(|cluster| follow.is_of(cluster)) {
            seen.is_news |= propose(site, follow, &known).await;
        } else if let Err(why) = told.name_fits() {
            seen.wrong.push(format!("{}/{}: {why}", told.namespace, told.name));
        } else if let Some(why) = hindrance {
            seen.wrong.push(format!("{}/{}: {why}", told.namespace, told.name));
        } else if names.insert(told.name.clone()) {
            seen.is_news |= propose(site, follow, &known).await;
        } else {
            seen.wrong.push(format!("{}/{}: another cluster has this name", told.namespace, told.name));
        }
    }
    let followed = known.iter().filter_map(|cluster| cluster.profile.as_deref());
    let is_gone = |profile: &&Profile| {
        profile.hub == site.cluster && !there.contains(&(profile.namespace.clone(), profile.name.clone()))
    };
    for gone in followed.filter(is_gone) {
        let follow = following(site, gone.namespace.clone(), gone.name.clone(), None);
        seen.is_news |= propose(site, follow, &known).await;
    }
    Ok(())
}

/// The provider file is read once for all profiles that name the same.
async fn provider_of(
    factory: &dyn ClusterFactory,
    known: &mut BTreeMap<Vec<String>, Option<String>>,
    told: &Told,
) -> Result<Option<String>, String> {
    let names: Vec<String> = told.providers.keys().cloned().collect();
    if names.is_empty() {
        return Ok(None);
    }
    if let Some(provider) = known.get(&names) {
        return Ok(provider.clone());
    }
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = factory.provider_of(&asked).await.map_err(|error| error.message)?;
    known.insert(names, provider.clone());
    Ok(provider)
}

fn following(site: &Site, namespace: String, name: String, says: Option<ProfileSays>) -> FollowProfile {
    FollowProfile { hub: site.cluster, namespace, name, uid: site.term.options.env.uid(), says }
}

/// True if there was something to propose. What the log does not take is proposed again at the next look.
async fn propose(site: &Site, follow: FollowProfile, known: &[Cluster]) -> bool {
    let record = known.iter().find(|cluster| follow.is_of(cluster));
    let is_due = record.is_none_or(|record| follow.changes(record, site.term.now_ms()));
    if is_due {
        let (namespace, name) = (follow.namespace.clone(), follow.name.clone());
        if site.term.propose(Command::FollowProfile(Box::new(follow))).await.is_ok() {
            tracing::info!(hub = site.name, namespace, name, "follows what its ClusterProfile says");
        }
    }
    is_due
}
