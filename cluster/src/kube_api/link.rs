//! The connections to one server. They are replaced when the credentials change: requests that are under way, and
//! watches, end on those that they began on, and nothing has to begin anew.

use super::client::{self, Transport};
use super::connect::{ConnectError, ConnectOptions, Origin};
use super::source::{self, Read};
use crate::error::{CallError, NotSent, words};
use crate::limits::{CREDENTIALS_READ_MS, CREDENTIALS_READ_MS_MIN};
use crate::plugins::Given;
use hyper::{StatusCode, Uri};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// One of the two pools of connections, as they are now.
#[derive(Clone)]
pub(super) struct Line {
    link: Arc<Link>,
    is_watch: bool,
}

struct Link {
    state: RwLock<State>,
    /// The server did not take the credentials.
    refused: Notify,
}

enum State {
    Open {
        watch: Transport,
        write: Transport,
    },
    /// Why nothing can be sent any more: another client is to be made.
    Ended(String),
}

/// Keeps the credentials as they are on disk, until it is dropped.
#[derive(Debug)]
pub(super) struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("is_watch", &self.is_watch).finish_non_exhaustive()
    }
}

impl Line {
    /// What the next request goes through.
    pub(super) fn transport(&self) -> Result<Transport, CallError> {
        match &*self.link.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open { watch, write } => Ok(if self.is_watch { watch } else { write }.clone()),
            State::Ended(why) => Err(CallError::not_sent(NotSent::Credentials, why.clone())),
        }
    }

    /// Takes note of an answer: credentials that are not taken are read again at once.
    pub(super) fn answered(&self, status: StatusCode) {
        if status == StatusCode::UNAUTHORIZED {
            self.link.refused.notify_one();
        }
    }
}

/// The lines for watches and for writes, and who keeps them.
pub(super) fn open(
    options: ConnectOptions,
    first: Read,
    given: Option<Given>,
) -> Result<(Line, Line, Keeper), ConnectError> {
    let state = RwLock::new(connections(&options, &first)?);
    let link = Arc::new(Link { state, refused: Notify::new() });
    let line = |is_watch| Line { link: Arc::clone(&link), is_watch };
    let (watch, write) = (line(true), line(false));
    let keeper = Keeper(tokio::spawn(keep(link, options, first, given)));
    Ok((watch, write, keeper))
}

fn connections(options: &ConnectOptions, read: &Read) -> Result<State, ConnectError> {
    let transport = || {
        let dial = options.dial.clone();
        client::transport(&read.config, options.timing.connect, dial).map_err(|source| {
            ConnectError::Credentials {
                of: Origin::of(&options.credentials),
                what: "certificate, key or token",
                source,
            }
        })
    };
    Ok(State::Open { watch: transport()?, write: transport()? })
}

/// Reads the credentials again and again, and at once when the server does not take them.
async fn keep(link: Arc<Link>, options: ConnectOptions, first: Read, mut given: Option<Given>) {
    let server: Uri = first.config.cluster_url.clone();
    let mut print = first.print;
    let mut told = String::new();
    loop {
        let was_refused = tokio::select! {
            () = link.refused.notified() => true,
            () = tokio::time::sleep(until_next(&options, given.as_ref())) => false,
        };
        if was_refused && let (Some(plugins), Some(given)) = (&options.access.plugins, &given) {
            plugins.forget(given).await;
        }
        let read = match source::give(&options).await {
            Ok(now) => {
                // Also where it says the same as before: if that is refused again, this is what is to be forgotten.
                given = now;
                source::read(&options, given.clone(), Some(print)).await
            }
            Err(error) => Err(error),
        };
        let replaced = match read {
            Ok(None) => Ok(None),
            Ok(Some(read)) if read.config.cluster_url != server => {
                return link.replace(State::Ended("the credentials are for another address now".to_owned()));
            }
            Ok(Some(read)) => connections(&options, &read).map(|state| Some((read, state))),
            Err(error) => Err(error),
        };
        match replaced {
            Ok(None) => told.clear(),
            Ok(Some((read, state))) => {
                link.replace(state);
                print = read.print;
                tracing::info!(%server, "credentials have changed; the new ones are used from now on");
                told.clear();
            }
            Err(error) if was_refused => return link.replace(State::Ended(words(&error))),
            // Those that there are may do for a while.
            Err(error) if words(&error) != told => {
                told = words(&error);
                tracing::warn!(%server, why = told, "credentials cannot be read again");
            }
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(CREDENTIALS_READ_MS_MIN)).await;
    }
}

/// How long what there is stays as it is.
fn until_next(options: &ConnectOptions, given: Option<&Given>) -> Duration {
    let usual = Duration::from_millis(CREDENTIALS_READ_MS);
    let due = options.access.plugins.as_ref().zip(given).and_then(|(plugins, given)| plugins.due_in(given));
    due.map_or(usual, |due| due.min(usual))
}

impl Link {
    fn replace(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
