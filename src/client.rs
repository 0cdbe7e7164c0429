//! The client: requests to any replica of a group, tried over all that are named, and safe to repeat.
//!
//! A read is tried on the servers in turn until one answers; the one that did is asked first from then on. A change
//! carries an idempotency key of its own, so that it can be sent again after a lost connection: nothing is done
//! twice. What a read has shown once, no later read on another server takes back.

mod answer;
mod curl;
mod lost;
mod once;
mod options;
mod refused;
mod stream;

pub(crate) mod request;

pub(crate) use answer::{Answer, text};
pub(crate) use options::{ClientOptions, Where};
pub(crate) use request::Request;
pub(crate) use stream::Lines;
pub(crate) use stream::Opened;

use crate::env::Machine;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use lost::Lost;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
/// How long one server is given to answer a read: a little more than it waits itself for a revision that is asked for.
const READ_ANSWER_S_MAX: u64 = 6;
/// How long one server is given to answer a change, which may need a new leader first.
const CHANGE_ANSWER_S_MAX: u64 = 12;
/// How long a server is given to say whether it serves.
const READY_ANSWER_S_MAX: u64 = 3;
/// How long a connection may take.
const CONNECT_S_MAX: u64 = 3;
const RETRY_DELAY_MS_MIN: u64 = 50;
const RETRY_DELAY_MS_MAX: u64 = 1000;
/// How long an answer may tell us to wait before we ask again.
const RETRY_AFTER_S_MAX: u64 = 5;
/// How a try begins to be told that nobody answered.
const NO_ANSWER: &str = "no answer within";
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
    /// Which server is asked first: the last one that answered.
    first: Arc<AtomicUsize>,
    /// The highest revision that was shown: what is read after it includes it.
    seen: Arc<AtomicU64>,
    /// Where the servers' URLs are from, for people.
    origin: &'static str,
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
        options::build(servers, "from the command line", None, None, false)
    }

    /// The same, of another server.
    pub(crate) fn at(&self, server: &str) -> Self {
        Self { servers: vec![server.to_owned()], first: Arc::default(), ..self.clone() }
    }

    /// The same, beginning with another of the servers.
    pub(crate) fn starting_with(&self, first: usize) -> Self {
        Self { first: Arc::new(AtomicUsize::new(first)), ..self.clone() }
    }

    /// The same, giving up after `limit`.
    pub(crate) fn within(&self, limit: Duration) -> Self {
        Self { read_for: limit, change_for: limit, ..self.clone() }
    }

    /// Requests are printed instead of being sent.
    pub(crate) fn is_curl(&self) -> bool {
        self.is_curl
    }

    /// Where requests are printed: says what those that follow depend on.
    pub(crate) fn remark(&self, words: &str) {
        if self.is_curl {
            Screen::stdout().line(&format!("# {words}"));
        }
    }

    /// The highest revision that was shown.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// The servers with their places, the one that answered last first.
    fn in_turn(&self) -> impl Iterator<Item = (usize, &str)> {
        let count = self.servers.len();
        let first = self.first.load(Ordering::Relaxed);
        let places = (0..count).map(move |i| (first + i) % count.max(1));
        places.filter_map(|place| Some((place, self.servers.get(place)?.as_str())))
    }

    /// Begins with the server behind that one from now on.
    pub(crate) fn turn_from(&self, place: usize) {
        self.first.store((place + 1) % self.servers.len().max(1), Ordering::Relaxed);
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

    /// Reads; the answer's status is 2xx. A read that may be stale includes at least what was shown before.
    ///
    /// # Errors
    /// Refused, or no server answered.
    pub(crate) async fn read(&self, request: &Request) -> Result<Answer, Failure> {
        let request = request.clone().not_older_than(self.seen());
        let answer = self.tries(&request, self.read_for, READ_ANSWER_S_MAX).await;
        answer.map_err(|lost| lost.of_read(self))?.ok(&request)
    }

    /// Changes something, at most once; the answer's status is 2xx. `repeat` is the command line that a person
    /// repeats; the idempotency key is added to it where it has none.
    ///
    /// # Errors
    /// Refused, not sent, or unknown: then the failure says how to repeat it safely.
    pub(crate) async fn change(&self, request: Request, repeat: &str) -> Result<Answer, Failure> {
        self.ask_change(&request, repeat).await?.ok(&request)
    }

    /// As [`change`](Self::change), with the answer also where it was refused.
    ///
    /// # Errors
    /// Not sent, or unknown.
    pub(crate) async fn ask_change(&self, request: &Request, repeat: &str) -> Result<Answer, Failure> {
        let key = request.key.clone().unwrap_or_else(|| Machine.uid().to_string());
        let request = request.clone().with_key(&key);
        let lost = match self.tries(&request, self.change_for, CHANGE_ANSWER_S_MAX).await {
            Ok(answer) => return Ok(answer),
            Err(lost) => lost,
        };
        let repeat = match repeat.contains("--idempotency-key") {
            true => repeat.to_owned(),
            false => format!("{repeat} --idempotency-key {key}"),
        };
        Err(lost.of_change(self, &repeat))
    }

    /// Opens a watch on the first server that takes it.
    ///
    /// # Errors
    /// Refused, or no server answered.
    pub(crate) async fn watch(&self, request: &Request) -> Result<Opened, Failure> {
        self.print_curl(request)?;
        let deadline = Instant::now() + self.read_for;
        let mut lost = Lost::default();
        let mut delay_ms = RETRY_DELAY_MS_MIN;
        loop {
            let mut is_served = false;
            for (place, server) in self.in_turn() {
                let tried = match self.send(request, server, deadline, READ_ANSWER_S_MAX).await {
                    Ok(response) if response.status().is_success() => {
                        self.first.store(place, Ordering::Relaxed);
                        return Ok(Opened::Lines(Lines::new(response, place)));
                    }
                    Ok(response) => self.answer(response, server).await,
                    Err(tried) => tried,
                };
                is_served |= !matches!(tried, Tried::NotServed { .. });
                match tried {
                    Tried::Answered(answer) if answer.status == 410 => return Ok(Opened::Expired),
                    // It does not have that revision yet; another one may.
                    Tried::Answered(answer) if answer.is_too_new() => lost.add(server, answer.words()),
                    Tried::Answered(answer) => return Err(refused::failure(&answer, request)),
                    Tried::NotSent { why, .. }
                    | Tried::Nobody { why }
                    | Tried::NotServed { why }
                    | Tried::Unknown { why } => lost.add(server, why),
                }
            }
            if !is_served || Instant::now() >= deadline {
                return Err(lost.of_read(self));
            }
            sleep(Duration::from_millis(delay_ms)).await;
            delay_ms = (delay_ms * 2).min(RETRY_DELAY_MS_MAX);
        }
    }

    /// Reads an answer that is no JSON document into `file`, from the first server that gives it, and says which.
    ///
    /// # Errors
    /// Refused, no server answered, or it broke off: then what is in the file is not all of it.
    pub(crate) async fn download(
        &self,
        request: &Request,
        answer_s_max: u64,
        file: &mut impl std::io::Write,
    ) -> Result<String, Failure> {
        self.print_curl(request)?;
        let deadline = Instant::now() + Duration::from_secs(answer_s_max);
        let mut lost = Lost::default();
        for (_, server) in self.in_turn() {
            let tried = match self.send(request, server, deadline, answer_s_max).await {
                Ok(response) if response.status().is_success() => {
                    stream::save(response, file).await?;
                    return Ok(server.to_owned());
                }
                Ok(response) => self.answer(response, server).await,
                Err(tried) => tried,
            };
            match tried {
                Tried::Answered(answer) => return Err(refused::failure(&answer, request)),
                Tried::NotSent { why, .. }
                | Tried::Nobody { why }
                | Tried::NotServed { why }
                | Tried::Unknown { why } => lost.add(server, why),
            }
        }
        Err(lost.of_read(self))
    }

    /// Whether the server in that place is there and serves.
    pub(crate) async fn is_ready(&self, place: usize) -> bool {
        let Some(server) = self.servers.get(place) else { return false };
        let deadline = Instant::now() + Duration::from_secs(READY_ANSWER_S_MAX);
        let ready = self.send(&Request::get("/readyz"), server, deadline, READY_ANSWER_S_MAX).await;
        ready.is_ok_and(|response| response.status().is_success())
    }

    async fn tries(&self, request: &Request, limit: Duration, answer_s_max: u64) -> Result<Answer, Lost> {
        self.print_curl(request).map_err(|_| Lost::printed())?;
        let begun = Instant::now();
        let deadline = begun + limit;
        let mut lost = Lost::default();
        let mut delay_ms = RETRY_DELAY_MS_MIN;
        loop {
            let mut wait = Duration::from_millis(delay_ms);
            let (mut is_nobody_there, mut is_served) = (true, false);
            for (place, server) in self.in_turn() {
                let tried = match self.send(request, server, deadline, answer_s_max).await {
                    Ok(response) => {
                        let limit = deadline.min(Instant::now() + Duration::from_secs(answer_s_max));
                        let broken = || Tried::Unknown { why: "the answer broke off".to_owned() };
                        timeout_at(limit, self.answer(response, server)).await.unwrap_or_else(|_| broken())
                    }
                    Err(tried) => tried,
                };
                is_nobody_there &= matches!(tried, Tried::Nobody { .. } | Tried::NotServed { .. });
                is_served |= !matches!(tried, Tried::NotServed { .. });
                match tried {
                    Tried::Answered(answer) => {
                        self.first.store(place, Ordering::Relaxed);
                        self.seen.fetch_max(answer.revision(), Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Tried::NotSent { why, retry_after } => {
                        lost.add(server, why);
                        wait = wait.max(retry_after.unwrap_or_default());
                    }
                    Tried::Nobody { why } | Tried::NotServed { why } => lost.add(server, why),
                    Tried::Unknown { why } => {
                        lost.add(server, why);
                        lost.is_unknown = true;
                    }
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

    /// Sends a request to one server and waits for the head of its answer.
    async fn send(
        &self,
        request: &Request,
        server: &str,
        deadline: Instant,
        answer_s_max: u64,
    ) -> Result<reqwest::Response, Tried> {
        let begun = Instant::now();
        let limit = deadline.min(begun + Duration::from_secs(answer_s_max));
        match timeout_at(limit, self.build(request, server).send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() || error.is_builder() => {
                Err(Tried::Nobody { why: reason(&error) })
            }
            Ok(Err(error)) => Err(Tried::Unknown { why: reason(&error) }),
            Err(_) => {
                let waited = begun.elapsed().as_secs_f64().round();
                Err(Tried::Unknown { why: format!("{NO_ANSWER} {waited} s") })
            }
        }
    }

    async fn answer(&self, response: reqwest::Response, server: &str) -> Tried {
        match Answer::read(response, server, ANSWER_BYTES_MAX).await {
            Ok(answer) => match answer.status {
                429 | 503 => Tried::NotSent { why: answer.words(), retry_after: answer.retry_after() },
                404 if !answer.is_not_found() => Tried::NotServed {
                    why: format!(
                        "it is not a Tallyman, or does not serve that ({NOT_SERVED}): {}",
                        answer.words()
                    ),
                },
                502 | 504 if !answer.is_too_new() => Tried::Unknown { why: answer.words() },
                _ => Tried::Answered(answer),
            },
            Err(why) => Tried::Unknown { why },
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
        let server = self.in_turn().next().map_or("", |(_, server)| server);
        let command = curl::command(request, server, self.token.is_some(), self.ca_file.as_deref());
        Screen::stdout().line(&command);
        Err(Failure::printed(Exit::Ok))
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
