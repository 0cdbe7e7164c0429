//! `tallyman submit`: hands in runnables.

mod files;

pub(crate) use files::read_file;

use super::ChangeOptions;
use super::many::Outcomes;
use crate::bundle::{Bundle, Given};
use crate::client::{Answer, Client, Request, Where, request};
use crate::env::Machine;
use crate::exit::Failure;
use crate::output::{Form, OutputOptions};
use crate::runnable;
use crate::screen::Screen;
use crate::select::Scope;
use crate::waiting::{For, wait, wait_one};
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_model::Env as _;

const AFTER_HELP: &str = "\
Examples:
  tallyman submit examples/nightly-report.yaml
  tallyman submit examples/nightly-report.yaml --cluster east --wait --timeout 10m
  tallyman submit runs/ more.yaml -n risk -o name
  kubectl create job once --image=busybox --dry-run=client -o yaml -- date | tallyman submit - -n risk

A file holds one Runnable or several, or a Job or Workflow and what it needs. Of a directory, every .yaml, .yml and .json file is
taken. Everything is read before anything is sent. YAML is read as kubectl reads it: 0644 is octal.

Exit codes: 1 refused, 4 the name is taken, or what was taken under the key is deleted since, 7 unknown, or still waiting (it says how to repeat it safely),
            8 with --wait: a run ended without success";

/// Hand in runnables
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Submit {
    /// Files or directories; - reads standard input
    #[arg(value_name = "FILE", required_unless_present = "filename")]
    files: Vec<String>,
    /// The same, for hands that are used to it
    #[arg(short, long, value_name = "FILE")]
    filename: Vec<String>,
    #[command(flatten)]
    place: Where,
    /// Run on this cluster (default: any, one is chosen)
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Wait until they are created on a cluster, or (without a value) have finished
    #[arg(
        long,
        value_name = "STATE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "finished",
        value_parser = For::parse
    )]
    wait: Option<For>,
    /// How long to wait, as 90s or 2h (default: as long as it takes)
    #[arg(long, value_parser = runnable::duration, requires = "wait", value_name = "TIME")]
    timeout: Option<Duration>,
    /// Let the server check everything and keep nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Submit {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let bundles = self.bundles()?;
        let base = match self.change.key() {
            Some(key) => key.to_owned(),
            None => Machine.uid().to_string(),
        };
        let mut outcomes = Outcomes::default();
        let mut runs: Vec<Value> = Vec::new();
        for (i, bundle) in (1..).zip(&bundles) {
            let key = if bundles.len() == 1 { base.clone() } else { format!("{base}-{i}") };
            match self.send(client, bundle, &key, &base).await {
                Ok(answer) => {
                    self.tell(&answer);
                    runs.push(answer.body);
                }
                Err(failure) => outcomes.add(&bundle.title(), Err(failure)),
            }
        }
        if let Some(until) = self.wait.as_ref().filter(|_| client.is_curl()) {
            client.remark("for each run accepted, by the name in its answer:");
            let namespace = bundles.first().map(|bundle| bundle.namespace.clone()).unwrap_or_default();
            return wait_one(client, (&namespace, "NAME"), until, None).await.map(|_| ());
        }
        match &self.wait {
            Some(until) if !runs.is_empty() => runs = self.wait(client, until, runs, &mut outcomes).await?,
            _ => runs.iter().for_each(|run| outcomes.add(&runnable::reference(run), Ok(()))),
        }
        self.show(&runs)?;
        outcomes.conclude()
    }

    /// Everything that is to be submitted, before anything is.
    fn bundles(&self) -> Result<Vec<Bundle>, Failure> {
        let given = Given { namespace: self.place.namespace.as_deref(), cluster: self.cluster.as_deref() };
        let mut bundles = Vec::new();
        for file in files::all(self.files.iter().chain(&self.filename))? {
            bundles.extend(Bundle::read_all(&read_file(&file)?, &file, given)?);
        }
        Ok(bundles)
    }

    async fn send(&self, client: &Client, bundle: &Bundle, key: &str, base: &str) -> Result<Answer, Failure> {
        let path = request::runnables(Some(&bundle.namespace));
        let request = Request::send(reqwest::Method::POST, path, &bundle.document)
            .query_some("dryRun", self.dry_run.then_some("All"))
            .keyed(Some(key));
        let repeat = format!("{} --idempotency-key {base}", self.repeat());
        let answer = client.ask_change(&request, &repeat).await?;
        if answer.is_gone() && self.output.output == Form::Name {
            // It is not there any more, and this is its name all the same.
            let (resource, name) = (runnable::COLUMNS.resource, answer.text("/details/name"));
            Screen::stdout().line(&format!("{resource}.tallyman.dev/{name}"));
        }
        answer.ok(&request)
    }

    /// On the way, for people.
    fn tell(&self, answer: &Answer) {
        if !self.output.output.is_table() {
            return;
        }
        let screen = Screen::stdout();
        let reference = screen.bold(&runnable::reference(&answer.body));
        let line = match (self.dry_run, answer.header("idempotency-replayed")) {
            (true, _) => format!("{reference}   would be accepted (dry run)"),
            (false, "true") => {
                format!("{reference}   accepted   rev {}   (it was before)", answer.revision())
            }
            (false, _) => format!("{reference}   accepted   rev {}", answer.revision()),
        };
        screen.line(&line);
    }

    /// Waits for all that were accepted; their states then.
    async fn wait(
        &self,
        client: &Client,
        until: &For,
        runs: Vec<Value>,
        outcomes: &mut Outcomes,
    ) -> Result<Vec<Value>, Failure> {
        let split = |run: &Value| {
            let reference = runnable::reference(run);
            let (namespace, name) = reference.split_once('/').unwrap_or_default();
            (namespace.to_owned(), name.to_owned())
        };
        let scope = Scope::Named(runs.iter().map(split).collect());
        let screen = Screen::stdout();
        let mut ended = Vec::new();
        wait(client, scope, until, self.timeout, |one| {
            if one.failure.is_none() && self.output.output.is_table() {
                let phase = runnable::phase(&one.run).map_or("", |phase| phase.as_str());
                screen.line(&format!("{}   {}", screen.bold(&one.reference), screen.phase(phase, 0)));
            }
            outcomes.add(&one.reference, one.failure.map_or(Ok(()), Err));
            ended.push(one.run);
        })
        .await?;
        Ok(ended)
    }

    fn show(&self, runs: &[Value]) -> Result<(), Failure> {
        let screen = Screen::stdout();
        match runs {
            [] => Ok(()),
            runs if self.output.output.is_table() => {
                if self.wait.is_none() && !self.dry_run {
                    let all: Vec<String> = runs.iter().map(runnable::reference).collect();
                    screen.line(&screen.dim(&format!("tallyman wait {}", all.join(" "))));
                }
                Ok(())
            }
            [one] => self.output.print(one, &runnable::COLUMNS),
            many => {
                let list = json!({"apiVersion": "v1", "kind": "List", "items": many});
                self.output.print(&list, &runnable::COLUMNS)
            }
        }
    }

    fn repeat(&self) -> String {
        let files = self.files.iter().chain(&self.filename).cloned().collect::<Vec<_>>().join(" ");
        let namespace = self.place.namespace.iter().map(|namespace| format!(" -n {namespace}"));
        let cluster = self.cluster.iter().map(|cluster| format!(" --cluster {cluster}"));
        format!("tallyman submit {files}{}", namespace.chain(cluster).collect::<String>())
    }
}
