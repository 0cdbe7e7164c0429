//! The way to a kube-apiserver: connection, TLS and credentials, without repetition.

use super::dial::{Dial, Dialler};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Config;
use kube::client::ConfigExt;
use std::sync::Arc;
use std::time::Duration;
use tower::timeout::Timeout;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder};

/// Connections held open while nothing is asked.
const IDLE_CONNECTIONS_MAX: usize = 8;
/// How long an idle connection is kept: shorter than what servers and balancers allow, so that few die unseen.
const IDLE_MS_MAX: u64 = 30_000;
/// TCP probes on silent connections.
const KEEPALIVE_MS: u64 = 30_000;

pub(super) type Transport = BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

/// A pool of connections, which `dial` opens where it is given.
pub(super) fn transport(
    config: &Config,
    connect_deadline: Duration,
    dial: Option<Arc<dyn Dial>>,
) -> Result<Transport, BoxError> {
    // Two processes' worth of crates may have chosen already: any choice is fine, none is a panic later on.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Some(dial) = dial {
        return pool(config, config.rustls_https_connector_with_connector(Dialler(dial))?, connect_deadline);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_millis(KEEPALIVE_MS)));
    pool(config, config.rustls_https_connector_with_connector(tcp)?, connect_deadline)
}

/// hyper sends a request a second time only if the connection that it was meant for closed
/// before the request was taken from the queue, so that none of it was written.
fn pool<C, S>(config: &Config, connector: C, connect_deadline: Duration) -> Result<Transport, BoxError>
where
    C: Service<Uri, Response = S> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
    S: Read + Write + Connection + Send + Unpin + 'static,
{
    let connector = BoxCloneSyncService::new(Timeout::new(connector, connect_deadline));
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_millis(IDLE_MS_MAX))
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .build(connector);
    let mut config = config.clone();
    config.headers = headers();
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(client);
    Ok(BoxCloneSyncService::new(service))
}

fn headers() -> Vec<(HeaderName, HeaderValue)> {
    use hyper::header::{ACCEPT_ENCODING, USER_AGENT};
    let agent = HeaderValue::from_static(concat!("tallyman/", env!("CARGO_PKG_VERSION")));
    vec![(USER_AGENT, agent), (ACCEPT_ENCODING, HeaderValue::from_static("identity"))]
}
