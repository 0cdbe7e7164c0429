//! Connections to clusters that only one datacenter can reach.

use crate::cluster::{Cluster, PATIENCE};
use crate::tls::Authority;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;
use tallyman_model::command::{AddCluster, RemoveCluster, UpdateCluster};
use tallyman_model::record::{Cluster as Record, Credentials};
use tallyman_model::{Command, GROUP_VERSION, Ordinal, Principal, ReplicaId, Uid, query};
use tallyman_raft::{Group, Proposal, Relayed, Servers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

/// A server that sends back what it hears, and counts its connections.
struct Echo {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, connections) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    tokio::io::copy(&mut reader, &mut writer).await.ok();
                    writer.shutdown().await.ok();
                });
            }
        });
        Self { port, connections }
    }
}

/// All clusters are on one port of this machine.
struct OnPort(AtomicU16);

impl Servers for OnPort {
    fn server<'a>(&'a self, _: &'a Record) -> BoxFuture<'a, Result<(String, u16), String>> {
        Box::pin(async { Ok(("127.0.0.1".to_owned(), self.0.load(Ordering::SeqCst))) })
    }
}

const CONNECTIONS_MAX: usize = 4;

async fn decide(group: &Group, command: Command) {
    let by = Principal { user: "test".to_owned(), ..Principal::default() };
    group.propose(Proposal { by, key: None, command }).await.unwrap().reply.unwrap();
}

/// Registers the cluster `plant`, which is reached through `via`.
async fn register(cluster: &Cluster, via: &str) -> Ordinal {
    let leader = cluster.leader().await;
    let version = || cluster.group(leader).reader().now(|view, _| query::meta(view)).unwrap().version;
    timeout(PATIENCE, async {
        while version() < GROUP_VERSION {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all understand it");
    let add = AddCluster {
        uid: Uid([4; 16]),
        name: "plant".to_owned(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        credentials: Credentials::default(),
        via: via.to_owned(),
        cordoned: false,
        paused: false,
        ..AddCluster::default()
    };
    decide(cluster.group(leader), Command::AddCluster(add)).await;
    let found = cluster.group(leader).reader().now(|view, _| query::cluster(view, "plant"));
    found.unwrap().unwrap().head.ordinal
}

/// Replica `i` relays to `port`.
fn relays(cluster: &Cluster, i: usize, port: u16) {
    cluster.group(i).relay_to(Arc::new(OnPort(port.into())), CONNECTIONS_MAX);
}

async fn connect(cluster: &Cluster, plant: Ordinal, port: u16, via: &str) -> Result<Relayed, String> {
    let leader = cluster.group(cluster.leader().await);
    let connected = leader.connect_via(plant, ("127.0.0.1", port), via, None).await;
    connected.map(|(_, stream)| stream).map_err(|error| error.to_string())
}

async fn echoes(stream: &mut Relayed, bytes: &[u8]) -> bool {
    let mut heard = vec![0; bytes.len()];
    let exchange = async {
        stream.write_all(bytes).await?;
        stream.flush().await?;
        stream.read_exact(&mut heard).await
    };
    timeout(PATIENCE, exchange).await.expect("an end in time").is_ok() && heard == bytes
}

/// A place that does not lead, and its datacenter.
async fn elsewhere(cluster: &Cluster) -> (usize, String) {
    let relay = cluster.follower().await;
    (relay, format!("dc{relay}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_both_ways_through_a_replica_of_the_datacenter_and_each_side_ends_by_itself() {
    let mut cluster = Cluster::places(3);
    cluster.authority = Some(Authority::new());
    cluster.found().await;
    let echo = Echo::start().await;
    let (relay, via) = elsewhere(&cluster).await;
    (0..3).for_each(|i| relays(&cluster, i, echo.port));
    let plant = register(&cluster, &via).await;
    let mut stream = connect(&cluster, plant, echo.port, &via).await.unwrap();
    assert!(echoes(&mut stream, b"hello").await);
    cluster.wait(relay, "it is counted", |status| status.relaying.open == 1).await;
    // More than fits into any buffer on the way, and the end of what is sent comes before that of what is heard.
    let bytes: Vec<u8> = (0..4_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sending = async {
        writer.write_all(&bytes).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut heard = Vec::new();
    let (_, ended) = timeout(PATIENCE, async { tokio::join!(sending, reader.read_to_end(&mut heard)) })
        .await
        .expect("an end in time");
    ended.unwrap();
    assert!(heard == bytes);
    let sent = bytes.len() as u64 + 5;
    cluster
        .wait(relay, "it is over", |status| {
            let relaying = status.relaying;
            relaying.open == 0 && (relaying.sent_bytes, relaying.received_bytes) == (sent, sent)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_relays_to_nothing_but_the_servers_of_clusters_of_its_datacenter_and_only_for_the_leader() {
    let cluster = Cluster::founded(3).await;
    let (echo, other) = (Echo::start().await, Echo::start().await);
    let (relay, via) = elsewhere(&cluster).await;
    let plant = register(&cluster, &via).await;
    let refused = connect(&cluster, plant, echo.port, &via).await.err().unwrap();
    assert!(refused.contains("it relays nothing"), "{refused}");
    (0..3).for_each(|i| relays(&cluster, i, echo.port));

    let refused = connect(&cluster, plant, other.port, &via).await.err().unwrap();
    assert!(refused.contains("give all replicas the same"), "{refused}");
    let refused = connect(&cluster, Ordinal(999), echo.port, &via).await.err().unwrap();
    assert!(refused.contains("it knows no such cluster"), "{refused}");
    let leader = cluster.leader().await;
    let third = (0..3).find(|i| *i != leader && *i != relay).unwrap();
    let refused = connect(&cluster, plant, echo.port, &format!("dc{third}")).await.err().unwrap();
    assert!(refused.contains("cluster plant is not to be reached through dc"), "{refused}");
    let refused = connect(&cluster, plant, echo.port, "nowhere").await.err().unwrap();
    assert!(refused.starts_with("no replica is in nowhere"), "{refused}");
    let from_third = cluster.group(third).connect_via(plant, ("127.0.0.1", echo.port), &via, None).await;
    let refused = from_third.err().unwrap().to_string();
    assert!(refused.contains("does not lead, as far as it knows"), "{refused}");
    assert_eq!((echo.connections.load(Ordering::SeqCst), other.connections.load(Ordering::SeqCst)), (0, 0));
    cluster.wait(relay, "refusals are counted", |status| status.relaying.refused >= 3).await;

    let mut open = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        open.push(connect(&cluster, plant, echo.port, &via).await.unwrap());
    }
    let refused = connect(&cluster, plant, echo.port, &via).await.err().unwrap();
    assert!(refused.contains("which is the most"), "{refused}");
    assert!(echoes(&mut open[0], b"those that are open go on").await);
    drop(open);
    cluster.wait(relay, "room is given back", |status| status.relaying.open == 0).await;
    connect(&cluster, plant, echo.port, &via).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_the_datacenter_are_asked_in_turn_and_what_each_met_is_told() {
    let mut cluster = Cluster::places(3);
    cluster.places.iter_mut().for_each(|place| place.datacenter = "plants".to_owned());
    cluster.found().await;
    let echo = Echo::start().await;
    let leader = cluster.leader().await;
    let there: Vec<usize> = (0..3).filter(|i| *i != leader).collect();
    let plant = register(&cluster, "plants").await;
    // The first reaches nothing.
    relays(&cluster, there[0], 1);
    relays(&cluster, there[1], echo.port);
    let server = ("127.0.0.1", echo.port);
    let id = |i: usize| cluster.status(i).id.unwrap();
    let (through, _stream) = cluster.group(leader).connect_via(plant, server, "plants", None).await.unwrap();
    assert_eq!(through, id(there[1]));
    let neither = cluster.group(leader).connect_via(plant, ("127.0.0.1", 1), "plants", Some(through)).await;
    let words = neither.err().unwrap().to_string();
    let by = |i: usize| words.find(&format!("{}: ", ReplicaId(id(i).0))).expect("it is named");
    assert!(by(there[1]) < by(there[0]), "who relayed last is asked first: {words}");
    assert!(words.contains("onnection refused"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_connection_is_closed_when_its_cluster_or_its_leader_is_no_longer_what_it_was() {
    let mut cluster = Cluster::founded(3).await;
    let echo = Echo::start().await;
    let (relay, via) = elsewhere(&cluster).await;
    (0..3).for_each(|i| relays(&cluster, i, echo.port));
    let plant = register(&cluster, &via).await;
    let leader = cluster.leader().await;
    let ended = async |stream: &mut Relayed| {
        let mut byte = [0];
        let end = timeout(PATIENCE, stream.read(&mut byte)).await.expect("it ends");
        assert!(!matches!(end, Ok(1..)), "{end:?}");
    };

    let mut stream = connect(&cluster, plant, echo.port, &via).await.unwrap();
    assert!(echoes(&mut stream, b"before").await);
    let elsewhere = UpdateCluster {
        name: "plant".to_owned(),
        via: Some(format!("dc{leader}")),
        ..UpdateCluster::default()
    };
    decide(cluster.group(leader), Command::UpdateCluster(elsewhere)).await;
    ended(&mut stream).await;
    let back = UpdateCluster { name: "plant".to_owned(), via: Some(via.clone()), ..UpdateCluster::default() };
    decide(cluster.group(leader), Command::UpdateCluster(back)).await;

    let mut stream = connect(&cluster, plant, echo.port, &via).await.unwrap();
    let third = (0..3).find(|i| *i != leader && *i != relay).unwrap();
    let to = cluster.status(third).id;
    cluster.group(leader).transfer_leader(to).await.unwrap();
    ended(&mut stream).await;
    assert_eq!(cluster.leader().await, third);

    let mut stream = connect(&cluster, plant, echo.port, &via).await.unwrap();
    assert!(echoes(&mut stream, b"of the new leader").await);
    cluster.kill(relay).await;
    ended(&mut stream).await;
    let unreached = connect(&cluster, plant, echo.port, &via).await.err().unwrap();
    assert!(unreached.starts_with(&format!("no replica in {via} connects to it")), "{unreached}");
    cluster.start(relay).await;
    relays(&cluster, relay, echo.port);
    cluster.wait_until_all_serve().await;
    let mut stream = connect(&cluster, plant, echo.port, &via).await.unwrap();
    assert!(echoes(&mut stream, b"after its restart").await);
    let gone = RemoveCluster { name: "plant".to_owned(), revision: None, orphan: false };
    decide(cluster.group(third), Command::RemoveCluster(gone)).await;
    ended(&mut stream).await;
    assert!(connect(&cluster, plant, echo.port, &via).await.is_err());
}
