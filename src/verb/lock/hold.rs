//! `tallyman lock acquire`, `renew` and `release`.

use super::LOCKS;
use crate::client::{Answer, Client, Request, Where, text};
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::{Value, json};

const ACQUIRE_HELP: &str = "\
Examples:
  tallyman lock acquire risk/leaf-7 --owner upgrader --ttl 5m
  tallyman lock acquire leaf-7 -n risk --owner upgrader --permits 2 -o json

The token is the fencing token: show it to whatever the lock protects, which refuses one that is smaller than the
greatest that it has seen. Asked again by an owner that holds the lock, it is the same grant.

Exit codes: 3 not found, 4 others hold it, 7 unknown (repeat it: the owner makes it safe)";
const RENEW_HELP: &str = "\
Examples:
  tallyman lock renew risk/leaf-7 --token 4711 --ttl 5m

Exit codes: 3 not found, 4 that grant is over: stop what it was for, 7 unknown (repeat it)";
const RELEASE_HELP: &str = "\
Examples:
  tallyman lock release risk/leaf-7 --token 4711

Exit codes: 3 not found, 4 that grant is over already, 7 unknown (repeat it with the key that is named)";

/// Take a lock, or permits of a semaphore, for a while
#[derive(Debug, clap::Args)]
#[command(after_help = ACQUIRE_HELP)]
pub(super) struct Acquire {
    #[command(flatten)]
    which: Which,
    /// Who asks
    #[arg(long, value_name = "OWNER")]
    owner: String,
    /// How many permits
    #[arg(long, value_name = "N", default_value_t = 1)]
    permits: u32,
    /// For how long
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    ttl: String,
}

/// Hold a lock for longer
#[derive(Debug, clap::Args)]
#[command(after_help = RENEW_HELP)]
pub(super) struct Renew {
    #[command(flatten)]
    which: Which,
    /// The token that it was granted with
    #[arg(long, value_name = "TOKEN")]
    token: u64,
    /// For how long from now
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    ttl: String,
}

/// Give a lock back
#[derive(Debug, clap::Args)]
#[command(after_help = RELEASE_HELP)]
pub(super) struct Release {
    #[command(flatten)]
    which: Which,
    /// The token that it was granted with
    #[arg(long, value_name = "TOKEN")]
    token: u64,
}

/// Which lock, and how the answer is shown.
#[derive(Debug, clap::Args)]
struct Which {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Which {
    /// Asks that of the lock, and says what `words` make of the answer.
    async fn ask(
        &self,
        client: &Client,
        (verb, body, options): (&str, Value, String),
        words: impl FnOnce(&Answer) -> String,
    ) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let path = format!("{}/{verb}", LOCKS.one(namespace, name));
        let repeat = format!("tallyman lock {verb} {namespace}/{name}{options}");
        let request = Request::send(Method::POST, path, &body).keyed(self.change.key());
        let answer = client.change(request, &repeat).await?;
        if !self.output.output.is_table() {
            return self.output.print(&answer.body, LOCKS.columns);
        }
        if !client.is_curl() {
            let line = format!("{namespace}/{name}   {}   rev {}", words(&answer), answer.revision());
            Screen::stdout().line(&line);
        }
        Ok(())
    }
}

/// The grant for which that holds, in words.
fn grant(answer: &Answer, is: impl Fn(&Value) -> bool) -> String {
    let holders = answer.body.pointer("/status/holders").and_then(Value::as_array);
    let Some(hold) = holders.into_iter().flatten().find(|hold| is(hold)) else {
        return "not held".to_owned();
    };
    let token = hold.pointer("/token").and_then(Value::as_u64).unwrap_or_default();
    format!("held by {}   token {token}   until {}", text(hold, "/owner"), text(hold, "/expiresAt"))
}

impl Acquire {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let Self { which, owner, permits, ttl } = self;
        let body = json!({"owner": owner, "permits": permits, "ttl": ttl});
        let options = format!(" --owner {owner} --permits {permits} --ttl {ttl}");
        let words = |answer: &Answer| grant(answer, |hold| text(hold, "/owner") == owner);
        which.ask(client, ("acquire", body, options), words).await
    }
}

impl Renew {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let Self { which, token, ttl } = self;
        let body = json!({"token": token, "ttl": ttl});
        let options = format!(" --token {token} --ttl {ttl}");
        let words = |answer: &Answer| grant(answer, |hold| hold.get("token") == Some(&json!(token)));
        which.ask(client, ("renew", body, options), words).await
    }
}

impl Release {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let Self { which, token } = self;
        let options = format!(" --token {token}");
        which.ask(client, ("release", json!({"token": token}), options), |_| "released".to_owned()).await
    }
}
