//! `tallyman approve`: shows what a held run would do, asks, and sends a decision on exactly that.

mod changes;

use super::ChangeOptions;
use crate::client::{Client, Request, Where, request, text};
use crate::exit::{Exit, Failure};
use crate::runnable;
use crate::screen::Screen;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::IsTerminal;
use tallyman_model::record::Decision;
use tallyman_model::{Phase, Uid, manifest};

const AFTER_HELP: &str = "\
Examples:
  tallyman approve risk/nightly-report-x7k2p
  tallyman approve risk/nightly-report-x7k2p --reject --reason 'wrong input'
  tallyman approve risk/nightly-report-x7k2p --digest sha256:61c0cd... --yes

Exit codes: 3 not found, 4 it has changed or does not wait for approval, 6 you may not decide on it,
            7 unknown (repeat it with the key that is named)";

/// Look at a held runnable, and approve or reject it
///
/// Shows who submitted it, where it may go, and what has changed since the last run of that name that succeeded, or
/// else all of its manifests. The decision names the digest of what was shown: if that is not what the run is any
/// more, nothing is decided.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Approve {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// Reject it: the run ends, and one rejection is enough
    #[arg(long)]
    reject: bool,
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "WORDS", hide_default_value = true)]
    reason: String,
    /// Decide only if this is its digest (default: the one that is shown)
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Approve {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let run = match runnable::read(client, namespace, name).await {
            Err(failure) if failure.is_printed() => return self.print(client, namespace, name).await,
            read => read?,
        };
        // Whatever else it is, the server says what that means for a decision.
        if runnable::phase(&run) == Some(Phase::Held) {
            self.show(client, &run).await?;
            self.ask(&run).await?;
        }
        let digest = self.digest.as_deref().unwrap_or_else(|| text(&run, "/status/digest"));
        let request = self.request(namespace, name, digest);
        let answer = client.change(request, &self.repeat(namespace, name, digest)).await?;
        let decided = if self.reject { "rejected" } else { "approved" };
        Screen::stdout().line(&format!("{namespace}/{name}   {decided}   {}", state(&answer.body)));
        Ok(())
    }

    fn request(&self, namespace: &str, name: &str, digest: &str) -> Request {
        let mut body = json!({"decision": self.decision().as_str(), "digest": digest});
        if !self.reason.is_empty() {
            body["reason"] = json!(self.reason);
        }
        let path = format!("{}/approvals", request::runnable(namespace, name));
        Request::send(Method::POST, path, &body).keyed(self.change.key())
    }

    /// What follows the reading of the run, where requests are printed instead of being sent.
    async fn print(&self, client: &Client, namespace: &str, name: &str) -> Result<(), Failure> {
        client
            .remark("while that is Held: the earlier runs, of which the last one like it is read to compare");
        let _ = client.read(&changes::earlier(namespace, "")).await;
        if self.digest.is_none() {
            client.remark("with .status.digest of the first answer:");
        }
        let digest = self.digest.as_deref().unwrap_or("DIGEST");
        client.change(self.request(namespace, name, digest), "").await.map(|_| ())
    }

    fn decision(&self) -> Decision {
        if self.reject { Decision::Reject } else { Decision::Approve }
    }

    async fn show(&self, client: &Client, run: &Value) -> Result<(), Failure> {
        let (shown, digest) = (digest_of(run), text(run, "/status/digest"));
        if shown.as_deref() != Some(digest) {
            let message = format!("what the server shows is not what it says: {digest} is not its digest");
            return Err(Failure::new(Exit::Failed, message, "tallyman audit verify; tell an operator"));
        }
        let screen = Screen::stdout();
        let (by, at) = (text(run, "/status/submittedBy"), text(run, "/metadata/creationTimestamp"));
        screen.line(&format!("{}   submitted by {by} at {at}", screen.bold(&runnable::reference(run))));
        screen.line(&format!("waits for   {}", runnable::message(run)));
        screen.line(&format!("until       {}", text(run, "/status/approvals/expiresAt")));
        screen.line(&format!("runs on     {}", placement(run)));
        screen.line("");
        screen.text(&changes::since_last(client, run, screen).await?);
        screen.line("");
        Ok(())
    }

    async fn ask(&self, run: &Value) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let reference = runnable::reference(run);
        let verb = if self.reject { "Reject" } else { "Approve" };
        if !std::io::stdin().is_terminal() {
            let message = format!("nothing was decided on {reference}: there is no terminal to ask on");
            let digest = text(run, "/status/digest");
            return Err(Failure::new(
                Exit::Usage,
                message,
                format!("look at it, then tallyman approve {reference} --digest {digest} --yes"),
            ));
        }
        Screen::stdout().text(&format!("{verb} {reference}? [y/N] "));
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        });
        let answer = read.await.ok().and_then(Result::ok).unwrap_or_default();
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        let message = format!("nothing was decided on {reference}");
        Err(Failure::new(Exit::Failed, message, format!("tallyman approve {reference} asks again")))
    }

    fn repeat(&self, namespace: &str, name: &str, digest: &str) -> String {
        let reject = if self.reject { " --reject" } else { "" };
        let reason =
            if self.reason.is_empty() { String::new() } else { format!(" --reason '{}'", self.reason) };
        format!("tallyman approve {namespace}/{name}{reject}{reason} --digest {digest} --yes")
    }
}

/// The digest of the manifests and the placement as they are shown; `None` if they are no runnable.
fn digest_of(run: &Value) -> Option<String> {
    let mut spec = run.get("spec")?.clone();
    // It names what was generated, which is no part of what was submitted.
    spec.as_object_mut()?.remove("main");
    spec["manifests"] = changes::as_submitted(run);
    let (namespace, name) = (text(run, "/metadata/namespace"), text(run, "/metadata/name"));
    let document = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name}, "spec": spec,
    });
    let submit = manifest::accept(document, namespace, Uid::default()).ok()?;
    Some(submit.digest.to_string())
}

fn placement(run: &Value) -> String {
    let names = run.pointer("/spec/placement/clusters").and_then(Value::as_array);
    let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
    match (names.is_empty(), run.pointer("/spec/placement/clusterSelector")) {
        (true, None) => "any cluster; one is chosen".to_owned(),
        (false, None) => format!("one of {}", names.join(", ")),
        (true, Some(selector)) => format!("one of the clusters with {selector}"),
        (false, Some(selector)) => format!("one of {} with {selector}", names.join(", ")),
    }
}

/// Where the run is after the decision.
fn state(run: &Value) -> String {
    let phase = text(run, "/status/phase");
    match runnable::message(run) {
        message if message.is_empty() => phase.to_owned(),
        message => format!("{phase}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_digest_of_what_is_shown_is_the_one_that_was_accepted() {
        let spec = json!({"placement": {"clusters": ["east"]}, "manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "input"}, "data": {"a": "1"}},
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "report-"}, "spec": {"template": {}}},
        ]});
        let document = json!({"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"}, "spec": spec});
        let accepted = manifest::accept(document, "risk", Uid::default()).unwrap().digest.to_string();
        let mut shown = json!({"metadata": {"namespace": "risk", "name": "a"}, "spec": spec});
        // As the API shows it: with the name that was made for it.
        let uid = Uid::from_random([1; 16]);
        shown["metadata"]["uid"] = json!(uid.to_string());
        shown["spec"]["manifests"][1]["metadata"] =
            json!({"name": manifest::generated::of_manifest("report-", uid, 1)});
        shown["spec"]["main"] =
            json!({"kind": "Job", "name": shown["spec"]["manifests"][1]["metadata"]["name"]});
        assert_eq!(digest_of(&shown), Some(accepted.clone()));
        shown["spec"]["manifests"][0]["data"]["a"] = json!("2");
        assert_ne!(digest_of(&shown), Some(accepted));
    }

    #[test]
    fn where_it_may_go_is_told_in_words() {
        assert_eq!(placement(&json!({"spec": {}})), "any cluster; one is chosen");
        let two = json!({"spec": {"placement": {"clusters": ["east", "west"]}}});
        assert_eq!(placement(&two), "one of east, west");
    }
}
