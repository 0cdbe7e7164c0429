//! The client: requests to any replica of a group, tried over all that are named, and safe to repeat.
//!
//! A read is tried on the servers in turn until one answers. A change carries an idempotency key of its own, so that
//! it can be sent again after a lost connection: the first answer is given again, and nothing is done twice.

mod answer;
mod curl;
mod options;
mod refused;
mod stream;

pub(crate) mod request;

pub(crate) use answer::{Answer, text};
pub(crate) use options::{ClientOptions, Where};
pub(crate) use request::Request;
pub(crate) use stream::Lines;

use crate::env::Machine;
use crate::exit::{Exit, Failure};
use std::time::Duration;
use tallyman_chaos::load::Target;
use tallyman_model::Env as _;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a read is tried.
const READ_FOR_S_MAX: u64 = 15;
/// How long a change is tried.
const CHANGE_FOR_S_MAX: u64 = 30;
/// How long it is tried when no server listens at all; one that was killed is back sooner.
const NOBODY_FOR_S_MAX: u64 = 3;
/// How long one server is given to answer; a write may wait for a kube-apiserver's webhooks.
const ANSWER_S_MAX: u64 = 12;
/// How long a connection may take.
const CONNECT_S_MAX: u64 = 3;
const RETRY_DELAY_MS_MIN: u64 = 50;
const RETRY_DELAY_MS_MAX: u64 = 1000;
/// How long an answer may tell us to wait before we ask again.
const RETRY_AFTER_S_MAX: u64 = 5;
/// How an answer is called that is no word about any object.
const NOT_SERVED: &str = "HTTP 404";
/// What may help when no server serves what is asked for.
const NOT_SERVED_HINT: &str =
    "name Tallyman servers in TALLYMAN_SERVER, of the same version as this program: tallyman --version";
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A way to the servers of one group. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// URLs, tried in turn.
    servers: Vec<String>,
    http: reqwest::Client,
    token: Option<Token>,
    /// Print the request instead of sending it.
    is_curl: bool,
    /// The headers that say as whom to act.
    acting: Vec<(&'static str, String)>,
    ca_file: Option<std::path::PathBuf>,
    read_for: Duration,
    change_for: Duration,
}

/// The bearer token, and the file that it is from; the token itself is never printed.
#[derive(Clone)]
struct Token {
    file: std::path::PathBuf,
    secret: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({})", self.file.display())
    }
}

/// What became of one try on one server.
enum Tried {
    Answered(Answer),
    /// It certainly did nothing: not reached, or it said so.
    NotSent {
        why: String,
        retry_after: Option<Duration>,
    },
    /// Nobody listens there.
    Nobody {
        why: String,
    },
    /// Whoever listens there does not serve what is asked for: no Tallyman, or one of another version.
    NotServed {
        why: String,
    },
    /// It may have done it.
    Unknown {
        why: String,
    },
}

impl Client {
    /// A client of these servers only, without token, for loopback.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub(crate) fn plain(servers: Vec<String>) -> Result<Self, Failure> {
        options::build(servers, None, None, false)
    }

    /// The same, of other servers.
    pub(crate) fn at(&self, server: &str) -> Self {
        Self { servers: vec![server.to_owned()], ..self.clone() }
    }

    /// The same, beginning with another of the servers.
    pub(crate) fn starting_with(&self, first: usize) -> Self {
        let mut servers = self.servers.clone();
        servers.rotate_left(first.min(self.servers.len()));
        Self { servers, ..self.clone() }
    }

    /// The same, giving up after `limit`.
    pub(crate) fn within(&self, limit: Duration) -> Self {
        Self { read_for: limit, change_for: limit, ..self.clone() }
    }

    /// The URLs that are tried.
    pub(crate) fn servers(&self) -> &[String] {
        &self.servers
    }

    /// One of its servers for a load generator, asked with the same token and authorities.
    ///
    /// # Errors
    /// The URL or the authorities cannot be used.
    pub(crate) fn load_target(&self, server: &str) -> Result<Target, Failure> {
        let token = self.token.as_ref().map(|token| token.secret.as_str());
        Target::new(server, self.ca_file.as_deref(), token).map_err(|error| {
            let hint = "http://HOST:PORT in TALLYMAN_SERVER; for https the authorities in TALLYMAN_CA_FILE";
            Failure::new(Exit::Usage, error.to_string(), hint)
        })
    }

    /// Reads; the answer's status is 2xx.
    ///
    /// # Errors
    /// Refused, or no server answered.
    pub(crate) async fn read(&self, request: &Request) -> Result<Answer, Failure> {
        let answer = self.tries(request, self.read_for).await.map_err(|lost| lost.of_read())?;
        answer.ok(request)
    }

    /// Changes something, at most once; the answer's status is 2xx. `repeat` is the command line that a person
    /// repeats, without its idempotency key.
    ///
    /// # Errors
    /// Refused, not sent, or unknown: then the failure says how to repeat it safely.
    pub(crate) async fn change(&self, request: Request, repeat: &str) -> Result<Answer, Failure> {
        let key = request.key.clone().unwrap_or_else(|| Machine.uid().to_string());
        let request = request.with_key(&key);
        let lost = match self.tries(&request, self.change_for).await {
            Ok(answer) => return answer.ok(&request),
            Err(lost) => lost,
        };
        Err(lost.of_change(&format!("{repeat} --idempotency-key {key}")))
    }

    /// Opens a watch on the first server that takes it.
    ///
    /// # Errors
    /// Refused, or no server answered.
    pub(crate) async fn lines(&self, request: &Request) -> Result<Lines, Failure> {
        self.print_curl(request)?;
        let deadline = Instant::now() + self.read_for;
        let mut delay_ms = RETRY_DELAY_MS_MIN;
        loop {
            let mut why = String::new();
            let mut is_served = false;
            for server in &self.servers {
                let sent = self.build(request, server).send();
                let is_other = std::mem::replace(&mut is_served, true);
                match timeout_at(deadline, sent).await {
                    Ok(Ok(response)) if response.status().is_success() => return Ok(Lines::new(response)),
                    Ok(Ok(response)) => match self.answer(response, server).await {
                        Tried::Answered(answer) => return Err(refused::failure(&answer, request)),
                        Tried::NotServed { why: reason } => {
                            is_served = is_other;
                            why = reason;
                        }
                        Tried::NotSent { why: reason, .. }
                        | Tried::Nobody { why: reason }
                        | Tried::Unknown { why: reason } => why = reason,
                    },
                    Ok(Err(error)) => why = reason(&error),
                    Err(_) => why = "no answer in time".to_owned(),
                }
            }
            if !is_served || Instant::now() >= deadline {
                return Err(Lost { why, is_unknown: false }.of_read());
            }
            sleep(Duration::from_millis(delay_ms)).await;
            delay_ms = (delay_ms * 2).min(RETRY_DELAY_MS_MAX);
        }
    }

    async fn tries(&self, request: &Request, limit: Duration) -> Result<Answer, Lost> {
        self.print_curl(request).map_err(|_| Lost::printed())?;
        let begun = Instant::now();
        let deadline = begun + limit;
        let mut lost = Lost { why: String::new(), is_unknown: false };
        let mut delay_ms = RETRY_DELAY_MS_MIN;
        loop {
            let mut wait = Duration::from_millis(delay_ms);
            let (mut is_nobody_there, mut is_served) = (true, false);
            for server in &self.servers {
                let tried = self.try_one(request, server, deadline).await;
                is_nobody_there &= matches!(tried, Tried::Nobody { .. } | Tried::NotServed { .. });
                is_served |= !matches!(tried, Tried::NotServed { .. });
                match tried {
                    Tried::Answered(answer) => return Ok(answer),
                    Tried::NotSent { why, retry_after } => {
                        lost.why = why;
                        wait = wait.max(retry_after.unwrap_or_default());
                    }
                    Tried::Nobody { why } | Tried::NotServed { why } => lost.why = why,
                    Tried::Unknown { why } => lost = Lost { why, is_unknown: true },
                }
            }
            let is_late = begun.elapsed() >= Duration::from_secs(NOBODY_FOR_S_MAX);
            let is_hopeless = !is_served || (is_nobody_there && is_late);
            if is_hopeless || Instant::now() + wait >= deadline {
                return Err(lost);
            }
            sleep(wait).await;
            delay_ms = (delay_ms * 2).min(RETRY_DELAY_MS_MAX);
        }
    }

    async fn try_one(&self, request: &Request, server: &str, deadline: Instant) -> Tried {
        let limit = deadline.min(Instant::now() + Duration::from_secs(ANSWER_S_MAX));
        match timeout_at(limit, self.build(request, server).send()).await {
            Ok(Ok(response)) => match timeout_at(limit, self.answer(response, server)).await {
                Ok(tried) => tried,
                Err(_) => Tried::Unknown { why: format!("{server}: the answer broke off") },
            },
            Ok(Err(error)) if error.is_connect() || error.is_builder() => {
                Tried::Nobody { why: format!("{server}: {}", reason(&error)) }
            }
            Ok(Err(error)) => Tried::Unknown { why: format!("{server}: {}", reason(&error)) },
            Err(_) => Tried::Unknown { why: format!("{server}: no answer in time") },
        }
    }

    async fn answer(&self, response: reqwest::Response, server: &str) -> Tried {
        match Answer::read(response, server, ANSWER_BYTES_MAX).await {
            Ok(answer) => match answer.status {
                429 | 503 => Tried::NotSent { why: answer.words(), retry_after: answer.retry_after() },
                404 if !answer.is_not_found() => Tried::NotServed {
                    why: format!(
                        "{}; {server} is not a Tallyman, or does not serve that ({NOT_SERVED})",
                        answer.words()
                    ),
                },
                502 | 504 if !answer.is_too_new() => Tried::Unknown { why: answer.words() },
                _ => Tried::Answered(answer),
            },
            Err(why) => Tried::Unknown { why: format!("{server}: {why}") },
        }
    }

    fn build(&self, request: &Request, server: &str) -> reqwest::RequestBuilder {
        let mut builder = self.http.request(request.method.clone(), request.url(server));
        for (name, value) in request.headers.iter().chain(&self.acting) {
            builder = builder.header(*name, value);
        }
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(&token.secret);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        builder
    }

    fn print_curl(&self, request: &Request) -> Result<(), Failure> {
        if !self.is_curl {
            return Ok(());
        }
        let mut request = request.clone();
        request.headers.extend(self.acting.iter().cloned());
        let request = &request;
        let server = self.servers.first().map(String::as_str).unwrap_or_default();
        let token = self.token.as_ref().map(|token| token.file.as_path());
        crate::screen::Screen::stdout().line(&curl::command(request, server, token, self.ca_file.as_deref()));
        Err(Failure::printed(Exit::Ok))
    }
}

/// No server gave an answer that counts.
struct Lost {
    why: String,
    is_unknown: bool,
}

impl Lost {
    /// Not lost at all: it was printed.
    fn printed() -> Self {
        Self { why: String::new(), is_unknown: false }
    }

    fn of_read(self) -> Failure {
        self.of(Exit::Unavailable, "a read with --stale needs no leader; `tallyman operator status`")
    }

    fn of_change(self, repeat: &str) -> Failure {
        if !self.is_unknown {
            return self.of(Exit::Unavailable, "nothing was done; repeat it when a server answers");
        }
        let message = format!("the outcome is unknown, it may or may not have been done: {}", self.why);
        Failure::new(Exit::Unknown, message, format!("{repeat}   (the same key never does it twice)"))
    }

    fn of(self, exit: Exit, attempt: &str) -> Failure {
        if self.why.is_empty() {
            return Failure::printed(Exit::Ok);
        }
        let hint = match &self.why {
            why if why.contains("certificate") => "name the authority that signed it in TALLYMAN_CA_FILE",
            why if why.contains(NOT_SERVED) => NOT_SERVED_HINT,
            why if why.contains("connect") => {
                "start a server (`tallyman dev`), or name others in TALLYMAN_SERVER"
            }
            _ => attempt,
        };
        Failure::new(exit, format!("no answer that counts; the last one: {}", self.why), hint)
    }
}

/// The innermost words of an error: the outer ones repeat the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    if error.is_connect() { format!("failed to connect: {source}") } else { source.to_string() }
}

#[cfg(test)]
mod tests;
