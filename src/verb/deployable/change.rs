//! `tallyman deployable rollback` and `delete`.

use super::one;
use crate::client::{Client, Request, Where};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::{Value, json};

const ROLLBACK_HELP: &str = "\
Examples:
  tallyman deployable rollback risk/settings
  tallyman deployable rollback settings -n risk --to 3

Exit codes: 1 that revision is not kept, 3 not found, 7 unknown (repeat it with the key that is named)";
const PAUSE_HELP: &str = "\
Examples:
  tallyman deployable pause risk/settings
  tallyman deployable resume risk/settings

What is begun on a cluster is not stopped by it.

Exit codes: 3 not found, 7 unknown (repeat it with the key that is named)";
const DELETE_HELP: &str = "\
Examples:
  tallyman deployable delete risk/settings
  tallyman deployable delete risk/settings --orphan

Exit codes: 3 not found, 7 unknown (repeat it with the key that is named)";

/// Take up an earlier revision of a deployable again
#[derive(Debug, clap::Args)]
#[command(after_help = ROLLBACK_HELP)]
pub(super) struct Rollback {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// The revision (default: the one before the newest)
    #[arg(long, value_name = "REVISION")]
    to: Option<u32>,
    #[command(flatten)]
    change: ChangeOptions,
}

/// Begin a deployable's newest revision on no more clusters
#[derive(Debug, clap::Args)]
#[command(after_help = PAUSE_HELP)]
pub(super) struct Pause {
    #[command(flatten)]
    which: Which,
}

/// Let a deployable's rollout go on
#[derive(Debug, clap::Args)]
#[command(after_help = PAUSE_HELP)]
pub(super) struct Resume {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Pause {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        self.which.rollout(client, true).await
    }
}

impl Resume {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        self.which.rollout(client, false).await
    }
}

impl Which {
    async fn rollout(self, client: &Client, paused: bool) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let body = json!({ "paused": paused });
        let request = Request::send(Method::POST, format!("{}/rollout", one(namespace, name)), &body);
        let verb = if paused { "pause" } else { "resume" };
        let repeat = format!("tallyman deployable {verb} {namespace}/{name}");
        let answer = client.change(request.keyed(self.change.key()), &repeat).await?;
        let word = if paused { "paused" } else { "goes on" };
        Screen::stdout().line(&format!("{namespace}/{name}   {word}   rev {}", answer.revision()));
        Ok(())
    }
}

/// Remove a deployable from its clusters, then its record
#[derive(Debug, clap::Args)]
#[command(after_help = DELETE_HELP)]
pub(super) struct Delete {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// Leave its objects on the clusters, and let go of them
    #[arg(long)]
    orphan: bool,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Rollback {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let body = self.to.map_or_else(|| json!({}), |to| json!({ "revision": to }));
        let request = Request::send(Method::POST, format!("{}/rollback", one(namespace, name)), &body);
        let to = self.to.map_or_else(String::new, |to| format!(" --to {to}"));
        let repeat = format!("tallyman deployable rollback {namespace}/{name}{to}");
        let answer = client.change(request.keyed(self.change.key()), &repeat).await?;
        let revision = answer.body.pointer("/status/revision").and_then(Value::as_u64).unwrap_or_default();
        Screen::stdout()
            .line(&format!("{namespace}/{name}   revision {revision}   rev {}", answer.revision()));
        Ok(())
    }
}

impl Delete {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let request = Request::new(Method::DELETE, one(namespace, name))
            .query_some("propagationPolicy", self.orphan.then_some("Orphan"));
        let orphan = if self.orphan { " --orphan" } else { "" };
        let repeat = format!("tallyman deployable delete {namespace}/{name}{orphan}");
        let answer = client.change(request.keyed(self.change.key()), &repeat).await?;
        Screen::stdout().line(&format!("{namespace}/{name}   being removed   rev {}", answer.revision()));
        Ok(())
    }
}
