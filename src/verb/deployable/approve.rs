//! `tallyman deployable approve`: shows what the newest revision would change, and decides on exactly that.

use super::{diff, one};
use crate::client::{Client, Request, Where, text};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::json;
use tallyman_model::record::Decision;

const AFTER_HELP: &str = "\
Examples:
  tallyman deployable approve risk/settings
  tallyman deployable approve risk/settings --digest sha256:61c0cd...
  tallyman deployable approve risk/settings --digest sha256:61c0cd... --reject --reason 'wrong level'

Exit codes: 3 not found, 4 it has changed or does not wait for approval, 6 you may not decide on it,
            7 unknown (repeat it with the key that is named)";

/// Look at the newest revision of a deployable, and approve or reject it
///
/// Without --digest it shows what would change on each cluster and the digest of that; with it, it decides. If that is
/// not the digest any more, nothing is decided.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Approve {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// The digest of what was looked at
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Reject it: one rejection is enough, and what is on the clusters stays
    #[arg(long, requires = "digest")]
    reject: bool,
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "WORDS", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Approve {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let (one, screen) = (one(namespace, name), Screen::stdout());
        let Some(digest) = self.digest else {
            let deployable = client.read(&Request::get(one.clone())).await?.body;
            let diff = client.read(&Request::get(format!("{one}/diff"))).await?.body;
            diff::lines(&diff).iter().for_each(|line| screen.line(line));
            let digest = text(&deployable, "/status/digest");
            screen.line(text(&deployable, "/status/message"));
            screen.line(&format!("tallyman deployable approve {namespace}/{name} --digest {digest}"));
            return Ok(());
        };
        let decision = if self.reject { Decision::Reject } else { Decision::Approve };
        let body = json!({"decision": decision.as_str(), "digest": digest, "reason": self.reason});
        let request = Request::send(Method::POST, format!("{one}/approvals"), &body);
        let reject = if self.reject { " --reject" } else { "" };
        let repeat = format!("tallyman deployable approve {namespace}/{name} --digest {digest}{reject}");
        let answer = client.change(request.keyed(self.change.key()), &repeat).await?;
        let message = text(&answer.body, "/status/message");
        screen.line(&format!(
            "{namespace}/{name}   {}   rev {}   {message}",
            decision.as_str(),
            answer.revision()
        ));
        Ok(())
    }
}
