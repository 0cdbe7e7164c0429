//! What `tallyman pool` and `tallyman lock` have in common: records that are applied from files, listed, read, removed.

use super::ChangeOptions;
use super::submit::read_file;
use crate::bundle::documents;
use crate::client::{Client, Request, Where, request, text};
use crate::exit::{Exit, Failure};
use crate::output::{Columns, OutputOptions};
use crate::screen::Screen;
use crate::select;
use crate::verb::many::Outcomes;
use reqwest::Method;
use serde_json::Value;

/// A resource, as its commands need to know it.
#[derive(Clone, Copy)]
pub(super) struct Sort {
    /// As in a document.
    pub(super) kind: &'static str,
    /// As in a path.
    pub(super) plural: &'static str,
    /// As in `tallyman WORD apply`.
    pub(super) word: &'static str,
    pub(super) columns: &'static Columns,
}

impl Sort {
    /// The path of a namespace's records, or of those of all.
    pub(super) fn all(self, namespace: Option<&str>) -> String {
        let namespace =
            namespace.map_or_else(String::new, |one| format!("/namespaces/{}", request::escape(one)));
        format!("{}{namespace}/{}", request::API, self.plural)
    }

    /// The path of one.
    pub(super) fn one(self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.all(Some(namespace)), request::escape(name))
    }
}

/// What is written in a file.
#[derive(Debug, clap::Args)]
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
    pub(super) async fn run(self, client: &Client, sort: Sort) -> Result<(), Failure> {
        let documents = documents(&read_file(&self.file)?, &self.file)?;
        let is_one = |document: &Value| {
            text(document, "/kind") == sort.kind && !text(document, "/metadata/name").is_empty()
        };
        if !documents.iter().all(is_one) {
            let (file, kind) = (&self.file, sort.kind);
            let message = format!("{file}: it holds something that is no {kind} with a name");
            return Err(Failure::new(Exit::Usage, message, format!("kind: {kind} and metadata.name")));
        }
        for (i, document) in (1..).zip(&documents) {
            self.one(client, sort, document, (i, documents.len())).await?;
        }
        Ok(())
    }

    async fn one(
        &self,
        client: &Client,
        sort: Sort,
        document: &Value,
        (i, count): (usize, usize),
    ) -> Result<(), Failure> {
        let namespace = match text(document, "/metadata/namespace") {
            "" => self.place.namespace(),
            namespace => namespace,
        };
        let name = text(document, "/metadata/name");
        let mut request = Request::new(Method::PATCH, sort.one(namespace, name))
            .header("content-type", "application/apply-patch+yaml".to_owned())
            .query("fieldManager", "tallyman-client")
            .query_some("dryRun", self.dry_run.then_some("All"));
        request.body = Some(document.to_string());
        let key = self.change.key().map(|key| if count == 1 { key.to_owned() } else { format!("{key}-{i}") });
        let repeat = format!("tallyman {} apply {}", sort.word, self.file);
        let answer = client.change(request.keyed(key.as_deref()), &repeat).await?;
        if client.is_curl() {
            return Ok(());
        }
        if !self.output.output.is_table() {
            return self.output.print(&answer.body, sort.columns);
        }
        let kept = if self.dry_run { " (dry run)" } else { "" };
        Screen::stdout().line(&format!("{namespace}/{name}   applied{kept}   rev {}", answer.revision()));
        Ok(())
    }
}

/// Which ones are listed.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Where,
    /// All namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only those with these labels, as desk=rates
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Answer at once from the asked server's own state, also without a leader
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl List {
    pub(super) async fn run(self, client: &Client, sort: Sort) -> Result<(), Failure> {
        let namespace = (!self.all_namespaces).then(|| self.place.namespace());
        let request = Request::get(sort.all(namespace))
            .query_some("labelSelector", self.selector.as_deref())
            .query_some("consistency", self.stale.then_some("stale"));
        self.output.print(&select::list(client, &request).await?, sort.columns)
    }
}

/// Which ones are read.
#[derive(Debug, clap::Args)]
pub(super) struct Get {
    /// NAME or NS/NAME
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    output: OutputOptions,
}

impl Get {
    pub(super) async fn run(self, client: &Client, sort: Sort) -> Result<(), Failure> {
        let mut found = Vec::new();
        for (namespace, name) in self.place.split_all(&self.names)? {
            found.push(client.read(&Request::get(sort.one(namespace, name))).await?.body);
        }
        self.output.print_all(&found, sort.columns)
    }
}

/// Which ones are removed.
#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    /// NAME or NS/NAME
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Delete {
    /// `done` says what became of each.
    pub(super) async fn run(self, client: &Client, sort: Sort, done: &str) -> Result<(), Failure> {
        let mut outcomes = Outcomes::default();
        for (namespace, name) in self.place.split_all(&self.names)? {
            let reference = format!("{namespace}/{name}");
            let request = Request::new(Method::DELETE, sort.one(namespace, name));
            let verb = if sort.plural == "allocations" { "release" } else { "delete" };
            let repeat = format!("tallyman {} {verb} {reference}", sort.word);
            let answer = client.change(request.keyed(self.change.key()), &repeat).await;
            if let Ok(answer) = &answer {
                Screen::stdout().line(&format!("{reference}   {done}   rev {}", answer.revision()));
            }
            outcomes.add(&reference, answer.map(|_| ()));
        }
        outcomes.conclude()
    }
}
