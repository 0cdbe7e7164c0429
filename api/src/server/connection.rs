//! One connection.

use super::activity::{Activity, InFlight, Noted, Verdict};
use super::{Limits, ServeOptions, Spare};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tower::Service;

/// How often a silent HTTP/2 client is asked whether it is there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_MAX: Duration = Duration::from_secs(20);
/// Bytes that are read ahead or wait to be written. Above the head's limit, so that this is what answers 431.
const BUFFER_BYTES_EXTRA: usize = 64 * 1024;

/// Serves one connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    options: Arc<ServeOptions>,
    spare: Option<Spare>,
    drain: watch::Receiver<bool>,
) {
    let limits = if spare.is_some() { options.limits.of_spare() } else { options.limits };
    let caller = Caller { router, spare };
    // Answers are written whole; waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set nodelay");
    }
    let Some(tls) = &options.tls else {
        return http1(stream, caller, limits, drain).await;
    };
    match timeout(limits.handshake_max, tls.accept(stream)).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            http2(stream, caller, limits, drain).await;
        }
        Ok(Ok(stream)) => http1(stream, caller, limits, drain).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "failed to agree on TLS"),
        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
    }
}

/// What answers, and whether it may.
struct Caller {
    router: Router,
    spare: Option<Spare>,
}

async fn http1<T>(stream: T, caller: Caller, limits: Limits, drain: watch::Receiver<bool>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(false);
    let io = TokioIo::new(Noted { inner: stream, activity: Arc::clone(&activity) });
    let keep_alive = caller.spare.is_none();
    let service = service_fn(answer(caller, Arc::clone(&activity)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(keep_alive)
        // Heads have a deadline of ours, which does not run while a connection is idle.
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes_max)
        .max_buf_size(limits.head_bytes_max + BUFFER_BYTES_EXTRA)
        .serve_connection(io, service);
    watched(connection, &activity, limits, drain).await;
}

async fn http2<T>(stream: T, caller: Caller, limits: Limits, drain: watch::Receiver<bool>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(true);
    let io = TokioIo::new(Noted { inner: stream, activity: Arc::clone(&activity) });
    let service = service_fn(answer(caller, Arc::clone(&activity)));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams_max)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_MAX)
        .serve_connection(io, service);
    watched(connection, &activity, limits, drain).await;
}

/// The answer to one request, on its way.
type Answering = Pin<Box<dyn Future<Output = Result<Response<Guarded>, Infallible>> + Send>>;

fn answer(caller: Caller, activity: Arc<Activity>) -> impl Fn(Request<Incoming>) -> Answering {
    move |request| {
        let guard = activity.request();
        let mut router = caller.router.clone();
        let mut request = request.map(Body::new);
        if let Some(spare) = caller.spare {
            request.extensions_mut().insert(spare);
        }
        let answered = router.call(request);
        Box::pin(async move { Ok(answered.await?.map(|body| Guarded { body, guard })) })
    }
}

/// Drives a connection, and ends it when one of its deadlines passes or the server stops.
async fn watched<C>(connection: C, activity: &Activity, limits: Limits, mut drain: watch::Receiver<bool>)
where
    C: GracefulConnection,
{
    let mut connection = pin!(connection);
    let shortest =
        [limits.head_max, limits.idle_max, limits.stall_max].into_iter().min().unwrap_or(PING_EVERY);
    let mut look = interval((shortest / 4).clamp(Duration::from_millis(10), Duration::from_millis(2_500)));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut end: Option<Instant> = None;
    loop {
        let ended = end.unwrap_or_else(Instant::now);
        tokio::select! {
            // How it ended is the client's matter: it has its answers, or has gone.
            _ = connection.as_mut() => return,
            _ = look.tick() => match activity.verdict(&limits) {
                Verdict::Fine => {}
                Verdict::Idle => connection.as_mut().graceful_shutdown(),
                Verdict::Stuck => return,
            },
            stopped = drain.wait_for(|draining| *draining), if end.is_none() => {
                let grace = if stopped.is_ok() { limits.drain_max } else { Duration::ZERO };
                end = Some(Instant::now() + grace);
                connection.as_mut().graceful_shutdown();
            }
            () = sleep_until(ended), if end.is_some() => return,
        }
    }
}

/// The body of an answer: until it has been sent, its request is under way.
struct Guarded {
    body: Body,
    guard: InFlight,
}

impl hyper::body::Body for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.guard.asked();
        ready!(self.guard.poll_room(cx));
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(frame)) = &polled {
            let data = frame.as_ref().ok().and_then(Frame::data_ref);
            self.guard.gave(data.map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
