//! `tallyman cluster release`: when Tallyman is gone for good, its holds keep Jobs and Workflows from being deleted. This removes
//! them from one cluster, asking only that cluster.

mod manifest;

use crate::env::Machine;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use serde_json::json;
use std::path::PathBuf;
use tallyman_cluster::{CallError, ClusterApi, ConnectOptions, KubeApi, RefusedKind};
use tallyman_model::command::Observation;
use tallyman_model::manifest::marks;
use tallyman_model::record::{Extent, Kind};
use tallyman_model::{Env as _, GroupId, explain, time};

/// Objects of one page.
const PAGE_MAX: u32 = 500;

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster release --kubeconfig east.kubeconfig --dry-run
  tallyman cluster release --kubeconfig east.kubeconfig
  tallyman cluster release --manifest | kubectl apply --server-side -f -

With --manifest it asks nobody, and prints a CronJob that releases what is overdue, every day, from inside of the cluster:
then nothing is held for ever, whatever becomes of Tallyman. Otherwise it asks only that cluster: it is for the day when
Tallyman is gone for good.

Exit codes: 4 some holds are not over yet";

/// Remove Tallyman's holds from a cluster when Tallyman is gone
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Release {
    /// The cluster's kubeconfig
    #[arg(long, value_name = "PATH", required_unless_present = "manifest")]
    kubeconfig: Option<PathBuf>,
    /// The context in it (default: its current one)
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Only what this group made (default: all groups)
    #[arg(long, value_name = "UID", value_parser = group)]
    group: Option<GroupId>,
    /// Also holds whose time has not passed: their ends may not be in any ledger then
    #[arg(long)]
    force: bool,
    /// Leave holds alone whose time has not passed, and do not fail because of them
    #[arg(long, conflicts_with = "force")]
    overdue: bool,
    /// Only say what would be released
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    manifest: manifest::Manifest,
}

/// The kinds that are held: those that run to completion.
fn kinds() -> impl Iterator<Item = Kind> {
    Kind::KNOWN.into_iter().filter(Kind::completes)
}

/// What became of the holds.
#[derive(Default)]
struct Told {
    released: usize,
    early: usize,
    failed: usize,
}

impl Release {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if self.manifest.is_wanted() {
            Screen::stdout().text(&self.manifest.yaml(self.group)?);
            return Ok(());
        }
        let file = self.kubeconfig.clone().unwrap_or_default();
        let options = ConnectOptions::new(file).context(self.context.clone());
        let api = KubeApi::connect(options).await.map_err(|error| {
            Failure::new(
                Exit::Failed,
                explain(&error),
                "kubectl --kubeconfig FILE get ns kube-system shows more",
            )
        })?;
        let mut told = Told::default();
        for kind in kinds() {
            self.release_kind(&api, &kind, &mut told).await?;
        }
        self.conclude(&told)
    }

    async fn release_kind(&self, api: &KubeApi, kind: &Kind, told: &mut Told) -> Result<(), Failure> {
        let selector = match &self.group {
            Some(group) => format!("{}={group}", marks::GROUP),
            None => marks::GROUP.to_owned(),
        };
        let everywhere = Extent::everywhere(kind.clone());
        let mut next: Option<String> = None;
        loop {
            let page = match api.list(&everywhere, &selector, next.as_deref(), PAGE_MAX).await {
                Ok(page) => page,
                // A kind that is not installed there has nothing to be released.
                Err(error)
                    if !kind.is_everywhere() && error.refused_kind() == Some(RefusedKind::KindMissing) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(refused(&error)),
            };
            for item in page.items.iter().filter(|item| item.held) {
                self.release_one(api, item, told).await;
            }
            next = page.continue_token;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    async fn release_one(&self, api: &KubeApi, item: &Observation, told: &mut Told) {
        let screen = Screen::stdout();
        let name = format!("{} {}/{}", item.kind, item.namespace, item.name);
        let until_ms = api.hold_until(&item.kind, &item.namespace, &item.name, &item.uid).await;
        let until = until_ms.as_ref().ok().copied().flatten();
        if !self.force && until.is_none_or(|until_ms| until_ms > Machine.now_ms()) {
            told.early += 1;
            let until = until.map_or_else(|| "an unknown time".to_owned(), time::format);
            return screen.line(&format!("{name}   held until {until}"));
        }
        if self.dry_run {
            told.released += 1;
            return screen.line(&format!("{name}   would be released"));
        }
        // Others may hold the object too; the patch holds only for what was read.
        let patch = json!({"metadata": {"finalizers": item.seen.finalizers}});
        let version = Some(item.resource_version.as_str());
        match api.patch(&item.kind, &item.namespace, &item.name, &item.uid, version, &patch).await {
            Ok(_) => {
                told.released += 1;
                screen.line(&format!("{name}   released"));
            }
            Err(error) => {
                told.failed += 1;
                screen.line(&format!("{name}   {}", explain(&error)));
            }
        }
    }

    fn conclude(&self, told: &Told) -> Result<(), Failure> {
        let verb = if self.dry_run { "would be released" } else { "released" };
        Screen::stdout().line(&format!("{} {verb}", told.released));
        if told.failed > 0 {
            let message = format!("{} holds were not released", told.failed);
            return Err(Failure::new(Exit::Failed, message, "repeat it: what was released stays released"));
        }
        if told.early > 0 && !self.overdue {
            let message = format!("{} holds are not over yet", told.early);
            return Err(Failure::new(
                Exit::Conflict,
                message,
                "if Tallyman is gone for good: repeat it with --force",
            ));
        }
        Ok(())
    }
}

/// A mistyped group would match nothing, and look as if nothing were held.
fn group(text: &str) -> Result<GroupId, String> {
    GroupId::parse(text).ok_or_else(|| format!("it must be a UID, as the label {} has it", marks::GROUP))
}

fn refused(error: &CallError) -> Failure {
    Failure::new(
        Exit::Failed,
        explain(error),
        "check the kubeconfig: listing and patching Jobs and Workflows must be allowed",
    )
}
