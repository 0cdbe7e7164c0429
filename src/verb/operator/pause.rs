//! `tallyman operator pause` and `resume`: whether anything is sent, for the group or for one tenant.

use crate::client::{Client, Request};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::json;

pub(super) const PAUSE_HELP: &str = "\
Examples:
  tallyman operator pause --reason 'the network is being worked on'
  tallyman operator pause --tenant risk --reason 'a wrong release of their jobs'

Nothing is created, stopped or deleted on any cluster until it is resumed; watching goes on, and submissions are taken.
What waits for that says so, and fails if it is not sent by its startBy. tallyman cluster pause does it for one cluster.

Exit codes: 6 not an operator";
pub(super) const RESUME_HELP: &str = "\
Examples:
  tallyman operator resume
  tallyman operator resume --tenant risk

Tenants and clusters that are paused themselves stay so. What has waited goes on, one of each tenant in turn.

Exit codes: 6 not an operator";

/// What to pause or resume.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Only this tenant
    #[arg(long, value_name = "NS")]
    tenant: Option<String>,
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "WORDS", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Which {
    pub(super) async fn run(self, client: &Client, verb: &str) -> Result<(), Failure> {
        let body = json!({"tenant": self.tenant, "reason": self.reason});
        let request =
            Request::send(Method::POST, format!("/operator/{verb}"), &body).keyed(self.change.key());
        let tenant = self.tenant.iter().map(|tenant| format!(" --tenant {tenant}")).collect::<String>();
        client.change(request, &format!("tallyman operator {verb}{tenant}")).await?;
        let what = self.tenant.map_or_else(|| "the group".to_owned(), |tenant| format!("tenant {tenant}"));
        let words = if verb == "pause" { "is paused: nothing is sent" } else { "is resumed" };
        Screen::stdout().line(&format!("{what} {words}"));
        Ok(())
    }
}
