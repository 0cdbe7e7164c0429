//! `tallyman deployable apply`: makes deployables, or gives them a new revision.

use super::{COLUMNS, one};
use crate::bundle::documents;
use crate::client::{Client, Request, Where, text};
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use crate::verb::submit::read_file;
use reqwest::Method;
use serde_json::Value;

const AFTER_HELP: &str = "\
Examples:
  tallyman deployable apply settings.yaml
  tallyman deployable apply settings.yaml -n risk --dry-run -o yaml

A file holds one Deployable or several; - reads standard input.

Exit codes: 1 refused, 4 it changed meanwhile, 7 unknown (repeat it with the key that is named)";

/// Make deployables, or give them a new revision
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Apply {
    /// The file; - reads standard input
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    place: Where,
    /// Let the server check everything and keep nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Apply {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let documents = documents(&read_file(&self.file)?, &self.file)?;
        for document in &documents {
            if text(document, "/kind") != "Deployable" || text(document, "/metadata/name").is_empty() {
                let message = format!("{}: it holds something that is no Deployable with a name", self.file);
                return Err(Failure::new(
                    Exit::Usage,
                    message,
                    "kind: Deployable, metadata.name and spec.manifests; tallyman submit takes Runnables",
                ));
            }
        }
        for (i, document) in (1..).zip(&documents) {
            self.one(client, document, i, documents.len()).await?;
        }
        Ok(())
    }

    async fn one(&self, client: &Client, document: &Value, i: usize, count: usize) -> Result<(), Failure> {
        let namespace = match text(document, "/metadata/namespace") {
            "" => self.place.namespace(),
            namespace => namespace,
        };
        let name = text(document, "/metadata/name");
        let mut request = Request::new(Method::PATCH, one(namespace, name))
            .header("content-type", "application/apply-patch+yaml".to_owned())
            .query("fieldManager", "tallyman-client")
            .query_some("dryRun", self.dry_run.then_some("All"));
        request.body = Some(document.to_string());
        let key = self.change.key().map(|key| if count == 1 { key.to_owned() } else { format!("{key}-{i}") });
        let repeat = format!("tallyman deployable apply {}", self.file);
        let answer = client.change(request.keyed(key.as_deref()), &repeat).await?;
        if client.is_curl() {
            return Ok(());
        }
        if !self.output.output.is_table() {
            return self.output.print(&answer.body, &COLUMNS);
        }
        let revision = answer.body.pointer("/status/revision").and_then(Value::as_u64).unwrap_or_default();
        let kept = if self.dry_run { " (dry run)" } else { "" };
        let line = format!("{namespace}/{name}   revision {revision}{kept}   rev {}", answer.revision());
        Screen::stdout().line(&line);
        Ok(())
    }
}
