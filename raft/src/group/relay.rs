//! Connections to clusters that only one datacenter can reach: a replica there opens them for the leader.
//!
//! It opens none but to the server of a registered cluster that is to be reached through its own datacenter, by its
//! own reading of that cluster's credentials, and for nobody but the leader that it knows; and it closes what it would
//! not open any more.

use super::inner::Inner;
use crate::permit::boot_time;
use crate::transport::client::Relayed;
use crate::transport::wire::Relay;
use crate::transport::{Hello, relay};
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tallyman_model::record::{Cluster, Record};
use tallyman_model::{Ordinal, ReplicaId, query};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

/// Relayed connections of one cluster: all writes that are under way to it at once, its watches, and some reads.
const RELAYS_OF_CLUSTER_MAX: usize = 160;
/// How long a leader waits for a connection, over all replicas that it asks for one.
const DIAL_MS_MAX: u64 = 4_000;
/// How long a relay waits to hear of a leader, or of a cluster, that it does not know yet.
const KNOWN_MS_MAX: u64 = 500;
/// How often it looks whether it knows now.
const KNOWN_LOOK_MS: u64 = 20;
/// How often it is looked whether what is open may stay.
const LOOK_MS: u64 = 1_000;
/// A replica that did not look for this long stood still: what it holds is too old to be passed on.
const STOOD_STILL_MS: u64 = 10_000;

/// Where the kube-apiservers of clusters are.
pub trait Servers: Send + Sync + 'static {
    /// Host and port of the server of a cluster, as this replica's own copy of its credentials says.
    ///
    /// # Errors
    /// Why it is not known, in words, without secrets.
    fn server<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<(String, u16), String>>;
}

/// What a replica relays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relaying {
    /// Connections that are open.
    pub open: u64,
    /// Connections that were asked for and not opened.
    pub refused: u64,
    /// Bytes that were passed on to clusters.
    pub sent_bytes: u64,
    /// Bytes that were passed on from clusters.
    pub received_bytes: u64,
}

/// What this replica relays.
#[derive(Default)]
pub(crate) struct Relays {
    /// Where servers are, and how many connections may be open; before it is set, nothing is relayed.
    servers: OnceLock<(Arc<dyn Servers>, usize)>,
    places: Mutex<Places>,
    /// When it was last looked, on the clock that counts suspension, in ms.
    looked_ms: AtomicU64,
    refused: AtomicU64,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
}

#[derive(Default)]
struct Places {
    next: u64,
    open: BTreeMap<u64, Open>,
}

struct Open {
    cluster: Ordinal,
    leader: u64,
    closed: CancellationToken,
}

/// Room for one connection, until it is dropped.
struct Place {
    relays: Arc<Relays>,
    number: u64,
    closed: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.relays.places().open.remove(&self.number);
    }
}

fn boot_ms() -> u64 {
    u64::try_from(boot_time().as_millis()).unwrap_or(u64::MAX)
}

impl Relays {
    /// See [`Group::relay_to`](crate::Group::relay_to).
    pub(crate) fn serve(&self, servers: Arc<dyn Servers>, connections_max: usize) {
        // Asked for once, at the start.
        let _ = self.servers.set((servers, connections_max));
    }

    pub(crate) fn relaying(&self) -> Relaying {
        Relaying {
            open: self.places().open.len() as u64,
            refused: self.refused.load(Ordering::Relaxed),
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
            received_bytes: self.received_bytes.load(Ordering::Relaxed),
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, cluster: Ordinal, leader: u64, max: usize) -> Result<Place, String> {
        let mut places = self.places();
        if places.open.len() >= max {
            return Err(format!("it relays {max} connections already, which is the most"));
        }
        if places.open.values().filter(|open| open.cluster == cluster).count() >= RELAYS_OF_CLUSTER_MAX {
            let most = RELAYS_OF_CLUSTER_MAX;
            return Err(format!("it relays {most} connections of this cluster already, which is the most"));
        }
        places.next += 1;
        let (number, closed) = (places.next, CancellationToken::new());
        places.open.insert(number, Open { cluster, leader, closed: closed.clone() });
        Ok(Place { relays: Arc::clone(self), number, closed })
    }

    /// Whether what came for `place` may still be passed on to its cluster.
    fn may_pass(&self, place: &Place) -> bool {
        let looked_ms = self.looked_ms.load(Ordering::Relaxed);
        !place.closed.is_cancelled() && boot_ms().saturating_sub(looked_ms) < STOOD_STILL_MS
    }

    /// Closes what may not stay, and all when this replica stood still since the last look.
    fn look(&self, may: impl Fn(Ordinal, u64) -> Result<(), String>) {
        let now_ms = boot_ms();
        let gap_ms = now_ms.saturating_sub(self.looked_ms.load(Ordering::Relaxed));
        let places = self.places();
        let pairs: BTreeSet<(Ordinal, u64)> =
            places.open.values().map(|open| (open.cluster, open.leader)).collect();
        let close: BTreeMap<(Ordinal, u64), String> = if gap_ms >= STOOD_STILL_MS {
            let why = format!("this replica stood still for {gap_ms} ms");
            pairs.into_iter().map(|pair| (pair, why.clone())).collect()
        } else {
            pairs.into_iter().filter_map(|pair| Some((pair, may(pair.0, pair.1).err()?))).collect()
        };
        for open in places.open.values() {
            if let Some(why) = close.get(&(open.cluster, open.leader)) {
                tracing::debug!(cluster = open.cluster.0, why, "a relayed connection is closed");
                open.closed.cancel();
            }
        }
        drop(places);
        self.looked_ms.store(now_ms, Ordering::Relaxed);
    }
}

/// Closes relayed connections that may not stay.
pub(crate) async fn look_after(inner: Arc<Inner>) {
    loop {
        inner.relays.look(|cluster, leader| inner.may_relay(cluster, leader).map(drop));
        sleep(Duration::from_millis(LOOK_MS)).await;
    }
}

impl Inner {
    /// The cluster, if this replica may connect to it for `leader`.
    fn may_relay(&self, cluster: Ordinal, leader: u64) -> Result<Cluster, String> {
        if self.member().and_then(|member| member.leader()).map(|(id, _)| id) != Some(leader) {
            return Err(format!("r{leader} does not lead, as far as it knows"));
        }
        let record = self.reader.now(|view, _| query::record(view, cluster));
        let Ok(Some(Record::Cluster(record))) = record else {
            return Err("it knows no such cluster".to_owned());
        };
        let here = &self.options.datacenter;
        if record.via != *here {
            return Err(format!("cluster {} is not to be reached through {here}", record.head.name));
        }
        Ok(record)
    }

    /// The same, after waiting for what it may be about to hear.
    async fn may_soon_relay(&self, cluster: Ordinal, leader: u64) -> Result<Cluster, String> {
        let deadline = Instant::now() + Duration::from_millis(KNOWN_MS_MAX);
        loop {
            match self.may_relay(cluster, leader) {
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(KNOWN_LOOK_MS)).await,
                known => return known,
            }
        }
    }

    async fn open_relay(&self, from: &Hello, asked: &Relay) -> Result<(TcpStream, Place), String> {
        let wait_ms = asked.wait_ms.min(DIAL_MS_MAX);
        // Somewhat less than the leader waits, so that it hears why not.
        let deadline = Instant::now() + Duration::from_millis(wait_ms - wait_ms / 4);
        let leader = from.replica.ok_or("a blank replica does not lead")?;
        let (servers, max) = self.relays.servers.get().ok_or("it relays nothing")?;
        let cluster = self.may_soon_relay(Ordinal(asked.cluster), leader).await?;
        let place = self.relays.enter(cluster.head.ordinal, leader, *max)?;
        let (host, port) = (asked.host.as_str(), asked.port);
        let connect = async {
            let (known, known_port) = servers.server(&cluster).await?;
            if (known.as_str(), known_port) != (host, port) {
                return Err(format!(
                    "its kubeconfig of cluster {} names {known}:{known_port}, the leader's {host}:{port}: give all \
                     replicas the same",
                    cluster.head.name
                ));
            }
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let failed = |error: io::Error| format!("{host}:{port}: {error}");
            let stream = TcpStream::connect((bare, port)).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            Ok(stream)
        };
        let stream = timeout_at(deadline, connect)
            .await
            .map_err(|_| format!("{host}:{port}: no connection in time"))??;
        Ok((stream, place))
    }

    /// See [`Service::relay`](crate::transport::server::Service::relay).
    pub(crate) async fn relay(
        &self,
        from: Hello,
        asked: Relay,
        id: u64,
        reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let (stream, place) = match self.open_relay(&from, &asked).await {
            Ok(opened) => opened,
            Err(why) => {
                tracing::debug!(cluster = asked.cluster, why, "not relayed");
                self.relays.refused.fetch_add(1, Ordering::Relaxed);
                relay::tell(&mut writer, id, Err(why)).await?;
                return writer.shutdown().await;
            }
        };
        relay::tell(&mut writer, id, Ok(())).await?;
        let may_pass = || self.relays.may_pass(&place);
        let count = |sent: u64, received: u64| {
            self.relays.sent_bytes.fetch_add(sent, Ordering::Relaxed);
            self.relays.received_bytes.fetch_add(received, Ordering::Relaxed);
        };
        tokio::select! {
            biased;
            () = place.closed.cancelled() => Ok(()),
            result = relay::carry((reader, writer), stream, may_pass, count) => result,
        }
    }

    /// See [`Group::connect_via`](crate::Group::connect_via).
    pub(crate) async fn connect_via(
        &self,
        cluster: Ordinal,
        (host, port): (&str, u16),
        datacenter: &str,
        first: Option<ReplicaId>,
    ) -> io::Result<(ReplicaId, Relayed)> {
        let own = self.who.ids().replica.map(ReplicaId);
        let members = self.reader.now(|view, _| crate::members::members(view)).unwrap_or_default();
        let mut there: Vec<_> = members
            .into_iter()
            .filter(|member| member.datacenter == datacenter && Some(member.id) != own)
            .collect();
        there.sort_by_key(|member| (Some(member.id) != first, member.id));
        let deadline = Instant::now() + Duration::from_millis(DIAL_MS_MAX);
        let mut met = Vec::new();
        for (i, member) in there.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(there.len() - i).unwrap_or(u32::MAX);
            let wait_ms = u64::try_from(share.as_millis()).unwrap_or(DIAL_MS_MAX);
            let asked = Relay { cluster: cluster.0, host: host.to_owned(), port, wait_ms };
            match self.peers.relay(&member.peer_address, member.id.0, asked).await {
                Ok(relayed) => return Ok((member.id, relayed)),
                Err(error) => met.push(format!("{}: {error}", member.id)),
            }
        }
        Err(io::Error::other(match met.as_slice() {
            [] => format!("no replica is in {datacenter}, which it is to be reached through"),
            met => format!("no replica in {datacenter} connects to it ({})", met.join("; ")),
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn relays() -> Arc<Relays> {
        let relays = Arc::new(Relays::default());
        relays.look(|_, _| Ok(()));
        relays
    }

    #[test]
    fn connections_are_bounded_for_each_cluster_and_for_all_and_room_is_given_back() {
        let relays = relays();
        let one: Vec<Place> =
            (0..RELAYS_OF_CLUSTER_MAX).map(|_| relays.enter(Ordinal(1), 1, 200).unwrap()).collect();
        let full = relays.enter(Ordinal(1), 1, 200).err().unwrap();
        assert!(full.contains("of this cluster already"), "{full}");
        let other: Vec<Place> = (0..40).map(|_| relays.enter(Ordinal(2), 1, 200).unwrap()).collect();
        assert!(relays.enter(Ordinal(3), 1, 200).is_err(), "200 are open");
        drop(other);
        assert_eq!(relays.relaying().open, one.len() as u64);
        assert!(relays.enter(Ordinal(3), 1, 200).is_ok());
    }

    #[test]
    fn what_may_not_stay_is_closed_and_nothing_of_it_is_passed_on() {
        let relays = relays();
        let (stays, goes) =
            (relays.enter(Ordinal(1), 1, 9).unwrap(), relays.enter(Ordinal(2), 1, 9).unwrap());
        relays.look(|cluster, _| if cluster == Ordinal(1) { Ok(()) } else { Err("removed".to_owned()) });
        assert!(relays.may_pass(&stays) && !relays.may_pass(&goes));
        assert!(goes.closed.is_cancelled());
    }

    #[test]
    fn a_replica_that_stood_still_passes_on_nothing_that_it_held() {
        let relays = relays();
        let place = relays.enter(Ordinal(1), 1, 9).unwrap();
        assert!(relays.may_pass(&place));
        relays.looked_ms.fetch_sub(STOOD_STILL_MS, Ordering::Relaxed);
        assert!(!relays.may_pass(&place), "before it has looked");
        relays.look(|_, _| Ok(()));
        assert!(!relays.may_pass(&place), "and after it has");
        assert!(relays.may_pass(&relays.enter(Ordinal(1), 1, 9).unwrap()), "a new one is passed on");
    }
}
