//! `tallyman operator confirm-stops`: somebody agrees to what a brake holds back.

use crate::client::{Client, Request};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::json;

const AFTER_HELP: &str = "\
Examples:
  tallyman operator confirm-stops --cluster east --reason 'the release was wrong: all of it is to go'
  tallyman operator confirm-stops --tenant risk

When more than 50 runs, and more than 30 % of those under way on a cluster or of a tenant, are to be cancelled, deleted or
stopped within ten minutes, the others go on running until somebody has looked: tallyman operator status names them.
Cleaning up behind runs that have ended never waits for this.

Exit codes: 3 there is no such cluster, 4 nothing waits for it, 6 not an operator";

/// Agree to stop what a brake holds back
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ConfirmStops {
    #[command(flatten)]
    of: Of,
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "WORDS", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    change: ChangeOptions,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// Of the runs on this cluster
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Of the runs of this tenant
    #[arg(long, value_name = "NS")]
    tenant: Option<String>,
}

impl ConfirmStops {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let what = match &self.of {
            Of { cluster: Some(cluster), .. } => format!("cluster {cluster}"),
            Of { tenant, .. } => format!("tenant {}", tenant.as_deref().unwrap_or_default()),
        };
        let body = json!({"cluster": self.of.cluster, "tenant": self.of.tenant, "reason": self.reason});
        let request = Request::send(Method::POST, "/operator/confirm-stops", &body).keyed(self.change.key());
        client.change(request, &format!("tallyman operator confirm-stops --{what}")).await?;
        Screen::stdout().line(&format!("{what}: what is to be stopped is stopped"));
        Ok(())
    }
}
