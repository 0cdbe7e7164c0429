//! What is asked of a run with a reason: to be cancelled, to be tried again, to go on elsewhere.

use super::ChangeOptions;
use super::many::Target;
use crate::client::{Answer, Client, Request, request};
use crate::exit::Failure;
use crate::waiting::{For, wait_one};
use reqwest::Method;
use serde_json::json;

/// Why something is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Reason {
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "WORDS", hide_default_value = true)]
    reason: String,
}

impl Reason {
    /// Asks for `verb` of a run. `None`: the requests were printed instead of being sent, with those of a `wait`.
    ///
    /// # Errors
    /// As of [`Client::change`].
    pub(crate) async fn ask(
        &self,
        client: &Client,
        verb: &str,
        target: &Target,
        change: &ChangeOptions,
        wait: bool,
    ) -> Result<Option<Answer>, Failure> {
        let path = format!("{}/{verb}", request::runnable(&target.namespace, &target.name));
        let body = if self.reason.is_empty() { json!({}) } else { json!({"reason": self.reason}) };
        let mut request = Request::send(Method::POST, path, &body).keyed(change.key());
        if let Some(revision) = target.revision.as_ref().filter(|_| verb == "retry") {
            // Whoever was faster has done it: what came of that is not tried again.
            request = request.header("if-match", format!("\"{revision}\""));
        }
        let repeat = format!("tallyman {verb} {}{}", target.reference(), self.words());
        match client.change(request, &repeat).await {
            Err(failure) if failure.is_printed() && wait => {
                wait_one(client, (&target.namespace, &target.name), &For::Finished, None).await.map(|_| None)
            }
            answer => answer.map(Some),
        }
    }

    fn words(&self) -> String {
        if self.reason.is_empty() { String::new() } else { format!(" --reason '{}'", self.reason) }
    }
}
