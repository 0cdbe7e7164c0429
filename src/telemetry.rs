//! Structured logs of a replica: JSON lines on standard error, apart from what a person reads.

use crate::environment;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Our own crates at `info`, others when they warn.
const USUAL: &str = "warn,tallyman=info";

/// Starts logging what `TALLYMAN_LOG` asks for, or the usual. A second call changes nothing.
pub(crate) fn start() {
    let wanted = environment::read(environment::LOG).unwrap_or_else(|| USUAL.to_owned());
    let (filter, problem) = match EnvFilter::try_new(&wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(USUAL), Some(error)),
    };
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .finish();
    let is_first = subscriber.try_init().is_ok();
    if let (true, Some(error)) = (is_first, problem) {
        tracing::warn!(%error, wanted, "{} is not a log filter; logging as usual", environment::LOG);
    }
}
