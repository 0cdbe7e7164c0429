//! A server that is reached on another way than a TCP connection from here.

use super::*;
use futures::future::BoxFuture;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use tallyman_cluster::{CallError, ClusterApi, Dial, NotSent, Stream};
use tallyman_model::ReplicaId;
use tallyman_model::record::Kind;
use tokio::net::TcpStream;

/// Leads to a port of its own, whatever it is asked for, and remembers that.
#[derive(Default)]
struct Tunnel {
    port: AtomicU16,
    asked: Mutex<Vec<(String, u16)>>,
}

impl Dial for Tunnel {
    fn dial(self: Arc<Self>, host: String, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        self.asked.lock().unwrap().push((host, port));
        Box::pin(async move {
            let port = self.port.load(Ordering::SeqCst);
            let stream = TcpStream::connect(("127.0.0.1", port)).await;
            stream.map(|stream| Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn relayed_by(&self) -> Option<ReplicaId> {
        Some(ReplicaId(7))
    }
}

async fn through(tunnel: &Arc<Tunnel>, script: impl IntoIterator<Item = Say>) -> (Server, KubeApi) {
    let server = Server::start(script).await;
    tunnel.port.store(server.url.rsplit(':').next().unwrap().parse().unwrap(), Ordering::SeqCst);
    // Nobody listens there, as seen from here.
    server::write_kubeconfig(&server.kubeconfig(), "http://127.0.0.99:9");
    let dial = Some(Arc::clone(tunnel) as Arc<dyn Dial>);
    let options = ConnectOptions { timing: timing(), dial, ..ConnectOptions::new(server.kubeconfig()) };
    let api = KubeApi::connect(options).await.unwrap();
    (server, api)
}

#[tokio::test]
async fn requests_go_on_the_way_that_was_given_to_where_the_credentials_say() {
    let tunnel = Arc::new(Tunnel::default());
    let (server, api) = through(&tunnel, [Say::json(200, &job("7").to_string())]).await;
    assert!(api.get(&Kind::Job, "n", "a").await.unwrap().is_some());
    assert_eq!(*tunnel.asked.lock().unwrap(), [("127.0.0.99".to_owned(), 9)]);
    assert!(server.requests()[0].contains("host: 127.0.0.99:9"));
    assert_eq!((api.address(), api.relayed_by()), (&("127.0.0.99".to_owned(), 9), Some(ReplicaId(7))));
}

#[tokio::test]
async fn what_found_no_way_was_not_sent_and_what_broke_on_it_may_have_arrived() {
    let tunnel = Arc::new(Tunnel::default());
    let (_server, api) = through(&tunnel, [Say::Close(String::new())]).await;
    let broken = api.create(&Kind::Job, "n", b"{}").await.unwrap_err();
    assert!(matches!(broken, CallError::Unknown { .. }), "{broken:?}");
    tunnel.port.store(1, Ordering::SeqCst);
    let unsent = api.create(&Kind::Job, "n", b"{}").await.unwrap_err();
    assert!(matches!(unsent, CallError::NotSent { why: NotSent::Connect, .. }), "{unsent:?}");
}
