//! Clusters that this one tells of, if it is a hub: their records follow its `ClusterProfile` objects, and know which of
//! its `PlacementDecision` objects name them.
//!
//! What there is is read whole and compared with the records; watches only say when to do that again.

mod decisions;
mod profiles;

use super::{Site, contact};
use crate::factory::ClusterFactory;
use crate::limits::{HUB_LOOK_MS, HUB_LOOK_MS_MIN, HUB_PAUSE_MS_MAX, HUB_REST_MS};
use decisions::Settling;
use futures::StreamExt;
use std::time::Duration;
use tallyman_cluster::{ClusterApi, RefusedKind, WatchEvent, WatchStream, words};
use tallyman_model::Command;
use tallyman_model::command::TellHub;
use tallyman_model::record::{Cluster, Extent, Kind};

/// What a look at a hub found.
#[derive(Default)]
struct Seen {
    /// How far its history had come, of each kind that it serves.
    versions: Vec<(Kind, String)>,
    /// What cannot be followed, in words.
    wrong: Vec<String>,
    /// Something of it was to be recorded.
    is_news: bool,
    /// When there is more to do though nothing changes.
    again: Option<Duration>,
}

pub(super) async fn run(site: &Site, factory: &dyn ClusterFactory) {
    let mut record = site.record.clone();
    let mut confirmed = site.confirmed.subscribe();
    loop {
        let Ok(namespaces) = record.wait_for(|record| record.hub.is_some()).await.map(|it| namespaces(&it))
        else {
            return;
        };
        if confirmed.wait_for(|confirmed| *confirmed).await.is_err() {
            return;
        }
        let is_over = tokio::select! {
            () = follow(site, factory, &namespaces) => false,
            ended = confirmed.wait_for(|confirmed| !*confirmed) => ended.is_err(),
            ended = record.wait_for(|record| self::namespaces(record) != namespaces) => ended.is_err(),
        };
        if is_over {
            return;
        }
        [Kind::cluster_profile(), Kind::placement_decision()]
            .iter()
            .for_each(|kind| site.denials.forget(&Extent::everywhere(kind.clone())));
    }
}

fn namespaces(record: &Cluster) -> Vec<String> {
    record.hub.as_ref().map(|hub| hub.namespaces.clone()).unwrap_or_default()
}

async fn follow(site: &Site, factory: &dyn ClusterFactory, namespaces: &[String]) {
    let least = Duration::from_millis(HUB_LOOK_MS_MIN);
    let mut pause = least;
    let mut settling = Settling::default();
    loop {
        let Some(seen) = look(site, factory, namespaces, &mut settling).await else {
            tokio::time::sleep(Duration::from_millis(HUB_REST_MS)).await;
            continue;
        };
        tell(site, &seen.wrong).await;
        let is_told = until_changed(site, &seen).await;
        // Heartbeats in profiles are changes, too: a hub that has many of them is not read all the time.
        pause = match is_told && !seen.is_news {
            true => (pause * 2).min(Duration::from_millis(HUB_PAUSE_MS_MAX)),
            false => least,
        };
        tokio::time::sleep(pause).await;
    }
}

/// Compares all that the hub tells with the records; `None` if it does not answer, which contact says of it.
async fn look(
    site: &Site,
    factory: &dyn ClusterFactory,
    namespaces: &[String],
    settling: &mut Settling,
) -> Option<Seen> {
    let mut seen = Seen::default();
    let reader = site.reader()?;
    match reader.objects(&Kind::cluster_profile(), namespaces).await {
        Ok(told) => match profiles::follow(site, factory, &told.items, &mut seen).await {
            Ok(()) => seen.versions.push((Kind::cluster_profile(), told.resource_version)),
            Err(why) => seen.wrong.push(why),
        },
        Err(error) if error.was_answered() => seen.wrong.push(words(&error)),
        Err(_) => return None,
    }
    match reader.objects(&Kind::placement_decision(), namespaces).await {
        Ok(told) => {
            decisions::follow(site, &told.items, settling, &mut seen).await;
            seen.versions.push((Kind::placement_decision(), told.resource_version));
        }
        // Many hubs have none. What was known stays.
        Err(error) if error.refused_kind() == Some(RefusedKind::KindMissing) => {}
        Err(error) if error.was_answered() => seen.wrong.push(words(&error)),
        Err(_) => return None,
    }
    Some(seen)
}

/// What the log does not take is said again at the next look.
async fn tell(site: &Site, wrong: &[String]) {
    let mut message = wrong.join("; ");
    tallyman_model::rule::truncate(&mut message);
    let known = contact::current(site).and_then(|record| record.hub);
    if known.is_some_and(|hub| hub.message != message) {
        if !message.is_empty() {
            tracing::warn!(cluster = site.name, why = message, "not all that a hub tells is followed");
        }
        let _ = site.term.propose(Command::TellHub(TellHub { hub: site.cluster, message })).await;
    }
}

/// Waits until the hub says that something has changed, or for a while. True if it said so.
async fn until_changed(site: &Site, seen: &Seen) -> bool {
    let Some(events) = watches(site, seen).await else {
        tokio::time::sleep(Duration::from_millis(HUB_REST_MS)).await;
        return false;
    };
    let mut events = futures::stream::select_all(events);
    let changed = async { while let Some(WatchEvent::Bookmark { .. }) = events.next().await {} };
    let longest = seen.again.unwrap_or(Duration::from_millis(HUB_LOOK_MS));
    tokio::time::timeout(longest, changed).await.is_ok()
}

/// Those of all that was read; `None` if there are not so many.
async fn watches(site: &Site, seen: &Seen) -> Option<Vec<WatchStream>> {
    let reader = site.reader()?;
    let mut watches = Vec::new();
    for (kind, from) in &seen.versions {
        watches.push(reader.watch(&Extent::everywhere(kind.clone()), "", from).await.ok()?);
    }
    (!watches.is_empty()).then_some(watches)
}
