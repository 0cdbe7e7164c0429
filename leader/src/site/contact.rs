//! Contact: is the cluster there, and is it the one that it was?

use super::{Site, loss};
use crate::factory::{ClusterFactory, FactoryError};
use crate::limits::{
    CONTACT_DELAY_MS_MAX, CONTACT_DELAY_MS_MIN, CONTACT_FAILURES_RECONNECT, CONTACT_FAILURES_TOLD,
};
use crate::term::Stuck;
use std::sync::Arc;
use std::time::Duration;
use tallyman_cluster::{CallError, ClusterApi, Identity, NotSent, words};
use tallyman_model::command::Contact;
use tallyman_model::limits::WATCHED_NAMESPACES_MAX;
use tallyman_model::record::{Cluster, Credentials, Record};
use tallyman_model::{Command, query};
use thiserror::Error;

/// Why there is no contact.
#[derive(Debug, Error)]
enum NoContact {
    #[error(transparent)]
    Credentials(#[from] FactoryError),
    #[error(transparent)]
    Call(#[from] CallError),
}

impl NoContact {
    /// True if the client cannot go on with the credentials that it has.
    fn is_of_credentials(&self) -> bool {
        matches!(self, Self::Call(CallError::NotSent { why: NotSent::Credentials, .. }))
    }
}

pub(super) async fn run(site: &Site, factory: &dyn ClusterFactory) {
    let mut record = site.record.clone();
    let mut used: Option<Way> = None;
    let mut failures: u32 = 0;
    let mut denials = site.denials.changes();
    loop {
        denials.mark_unchanged();
        let known = record.borrow_and_update().clone();
        let result = match connect(site, factory, &known, &mut used).await {
            Ok(()) => identity(site).await,
            Err(error) => Err(error),
        };
        let wait = match result {
            Ok(identity) => {
                failures = 0;
                match reached(site, &identity).await {
                    Ok(()) => spread(site, site.term.options.contact_every),
                    // The log did not take it.
                    Err(_) => Duration::from_millis(CONTACT_DELAY_MS_MIN),
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                if error.is_of_credentials() || failures.is_multiple_of(CONTACT_FAILURES_RECONNECT) {
                    drop_client(site, &mut used);
                }
                missed(site, failures, &error).await;
                let doublings = (failures - 1).min(16);
                let delay =
                    Duration::from_millis((CONTACT_DELAY_MS_MIN << doublings).min(CONTACT_DELAY_MS_MAX));
                loss::tell_in(site)
                    .map_or(delay, |due| due.clamp(Duration::from_millis(CONTACT_DELAY_MS_MIN), delay))
            }
        };
        // Whoever was kept waiting looks again.
        site.bell.notify_one();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = site.contact_now.notified() => {}
            Ok(()) = denials.changed() => {}
            changed = record.wait_for(|now| settings(now) != settings(&known)) => if changed.is_err() {
                return;
            },
        }
    }
}

/// What a client is made of.
#[derive(Clone, PartialEq, Eq)]
struct Way {
    credentials: Credentials,
    via: String,
}

impl Way {
    fn of(record: &Cluster) -> Self {
        Self { credentials: record.credentials.clone(), via: record.via.clone() }
    }
}

/// What of a record contact depends on.
fn settings(record: &Cluster) -> (Way, Option<&String>, bool) {
    (Way::of(record), record.kube_system_uid.as_ref(), record.quarantined)
}

/// Makes a client where there is none for these credentials and this way.
async fn connect(
    site: &Site,
    factory: &dyn ClusterFactory,
    known: &Cluster,
    used: &mut Option<Way>,
) -> Result<(), NoContact> {
    let way = Way::of(known);
    if used.as_ref() == Some(&way) {
        return Ok(());
    }
    drop_client(site, used);
    let client = factory.connect(known, site.term.rules.subscribe()).await?;
    site.client.send_replace(Some(client));
    *used = Some(way);
    Ok(())
}

/// What is behind other credentials, or on another way, must show who it is first.
fn drop_client(site: &Site, used: &mut Option<Way>) {
    site.confirmed.send_replace(false);
    site.client.send_replace(None);
    *used = None;
}

async fn identity(site: &Site) -> Result<Identity, NoContact> {
    let Some(reader) = site.reader() else {
        return Err(FactoryError { message: "they have not been read yet".to_owned(), source: None }.into());
    };
    Ok(reader.identity().await?)
}

/// Somewhat more than `every`, so that clusters are not all asked in the same moment.
fn spread(site: &Site, every: Duration) -> Duration {
    let share = u32::try_from(site.term.options.env.number() % SPREAD).unwrap_or(0);
    every + every * share / u32::try_from(4 * SPREAD).unwrap_or(u32::MAX)
}

/// Steps in which delays are spread.
const SPREAD: u64 = 256;

async fn reached(site: &Site, identity: &Identity) -> Result<(), Stuck> {
    let Some(record) = current(site) else { return Err(Stuck::Outdated) };
    let other = record.kube_system_uid.as_ref() != Some(&identity.kube_system_uid);
    if other {
        // Until the log has said what that means, nothing is sent and nothing is believed.
        site.confirmed.send_replace(false);
    }
    // There, but not all of it may be read.
    let (message, unwatched) = (lacks(site), site.denials.unwatched());
    let relayed_by = site.client.borrow().as_ref().and_then(|client| client.relayed_by());
    let news = record.reachable != Some(true)
        || record.relayed_by != relayed_by
        || record.version != identity.version
        || record.unwatched != unwatched
        || (!record.quarantined && (other || record.message != message));
    let record = if news {
        let contact = Contact {
            cluster: site.cluster,
            reachable: true,
            kube_system_uid: Some(identity.kube_system_uid.clone()),
            version: identity.version.clone(),
            rewound: false,
            relayed_by,
            unwatched,
            message,
        };
        match site.term.propose(Command::Contact(contact)).await?.record.map(Arc::unwrap_or_clone) {
            Some(Record::Cluster(record)) => record,
            _ => return Err(Stuck::Outdated),
        }
    } else {
        record
    };
    // One that was written off gets nothing, and is looked at for what it has of ours.
    let is_looked_at = !record.quarantined || record.written_off.is_some();
    let confirmed = record.kube_system_uid.as_ref() == Some(&identity.kube_system_uid) && is_looked_at;
    let before = site.confirmed.send_replace(confirmed);
    match (before, confirmed) {
        (false, true) => {
            let relayed_by = relayed_by.map(|replica| replica.to_string());
            tracing::info!(cluster = site.name, version = identity.version, relayed_by, "cluster reached");
        }
        (_, false) => tracing::warn!(cluster = site.name, why = record.message, "cluster gets nothing"),
        (true, true) => {}
    }
    Ok(())
}

/// What of it cannot be looked at.
fn lacks(site: &Site) -> String {
    let denied = site.denials.words();
    if !site.tracked.borrow().is_cut {
        return denied;
    }
    let more = format!(
        "there is work in more than {WATCHED_NAMESPACES_MAX} namespaces: what happens in the others is seen by sweeps only"
    );
    if denied.is_empty() { more } else { format!("{more}; {denied}") }
}

async fn missed(site: &Site, failures: u32, error: &NoContact) {
    tracing::debug!(cluster = site.name, failures, %error, "no contact");
    let Some(record) = current(site) else { return };
    let message = why(error);
    let told = match record.reachable {
        Some(false) => record.message == message && loss::tell_in(site).is_none_or(|due| !due.is_zero()),
        Some(true) => failures < CONTACT_FAILURES_TOLD,
        None => false,
    };
    if told {
        return;
    }
    tracing::warn!(cluster = site.name, why = message, "cluster out of reach");
    let contact = Contact {
        cluster: site.cluster,
        reachable: false,
        kube_system_uid: None,
        version: String::new(),
        rewound: false,
        relayed_by: None,
        unwatched: Vec::new(),
        message,
    };
    // Not taken: the next failure says it again.
    let _ = site.term.propose(Command::Contact(contact)).await;
}

/// What is in the way, in words: what recent calls met where this one was held back because of them.
fn why(error: &NoContact) -> String {
    match error {
        NoContact::Call(CallError::NotSent { why: NotSent::BreakerOpen, source: Some(met) }) => {
            met.to_string()
        }
        _ => words(error),
    }
}

/// The record as it is now; `None` if it is gone.
pub(super) fn current(site: &Site) -> Option<Cluster> {
    match site.term.look(|view| query::record(view, site.cluster))?? {
        Record::Cluster(cluster) => Some(cluster),
        _ => None,
    }
}
