//! `tallyman statusrule apply`: makes rules, or changes them.

use super::one;
use crate::bundle::documents;
use crate::client::{Client, Request, text};
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use crate::verb::submit::read_file;
use reqwest::Method;

const AFTER_HELP: &str = "\
Examples:
  tallyman statusrule apply examples/spark-rule.yaml
  tallyman statusrule apply rules.yaml --dry-run

A file holds one StatusRule or several; - reads standard input.

Exit codes: 1 refused: an expression is wrong, and where; 4 another rule is for the kind,
            7 unknown (repeat it with the key that is named)";

/// Make status rules, or change them
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Apply {
    /// The file; - reads standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Let the server check everything and keep nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Apply {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let documents = documents(&read_file(&self.file)?, &self.file)?;
        for document in &documents {
            if text(document, "/kind") != "StatusRule" || text(document, "/metadata/name").is_empty() {
                let message = format!("{}: it holds something that is no StatusRule with a name", self.file);
                let words = "kind: StatusRule, metadata.name, spec.kind and spec.succeeded";
                return Err(Failure::new(Exit::Usage, message, words));
            }
        }
        for (i, document) in (1..).zip(&documents) {
            let name = text(document, "/metadata/name");
            let mut request = Request::new(Method::PATCH, one(name))
                .header("content-type", "application/apply-patch+yaml".to_owned())
                .query("fieldManager", "tallyman-client")
                .query_some("dryRun", self.dry_run.then_some("All"));
            request.body = Some(document.to_string());
            let of_many = documents.len() > 1;
            let key =
                self.change.key().map(|key| if of_many { format!("{key}-{i}") } else { key.to_owned() });
            let repeat = format!("tallyman statusrule apply {}", self.file);
            let answer = client.change(request.keyed(key.as_deref()), &repeat).await?;
            if !client.is_curl() {
                let kept = if self.dry_run { " (dry run)" } else { "" };
                let kind = text(document, "/spec/kind");
                Screen::stdout().line(&format!("{name}   for {kind}{kept}   rev {}", answer.revision()));
            }
        }
        Ok(())
    }
}
