//! `tallyman drill run`.

use super::show;
use crate::client::Client;
use crate::drill::group::Group;
use crate::drill::load::KEY;
use crate::drill::page;
use crate::drill::promise::Kept;
use crate::drill::report::Report;
use crate::drill::run::Drill;
use crate::drill::scenario::Scenario;
use crate::drill::seal::Key;
use crate::env::Machine;
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::runnable;
use crate::screen::Screen;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tallyman_model::Env as _;
use tokio::signal::unix::{SignalKind, signal};

const AFTER_HELP: &str = "\
Examples:
  tallyman drill run leader-loss
  tallyman drill run planned-handover --report drill.html
  tallyman drill run leader-loss --dry-run --server https://tallyman-0.example.com:7001
  tallyman drill run leader-loss --yes-this-is night --server https://tallyman-0.example.com:7001

A small load of submissions that nobody can approve goes on through all replicas meanwhile, in a namespace of its own, and
is removed at the end. `tallyman dev` is drilled without asking; any other group only when its name is typed: a group has no
other mark that says that it is in use. What `dev` broke for a drill it heals when the drill ends, however it ends, and
after --heal-after at the latest; Ctrl-C aborts, and heals.

Exit codes: 0 every promise was kept, 1 one was broken, or it was refused, 7 not everything could be measured, or it was
            aborted";

/// Run a drill, and say which promises were kept
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Run {
    /// What happens
    #[arg(value_enum, value_name = "SCENARIO")]
    scenario: Scenario,
    /// Write the signed report into this new file; as a page with plots if it ends in .html
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// What `tallyman dev` broke is healed after this, also if this program is gone
    #[arg(long, default_value = "60s", value_parser = runnable::duration, value_name = "TIME")]
    heal_after: Duration,
    /// Leave it broken for so much longer than the scenario needs
    #[arg(long, default_value = "0s", value_parser = runnable::duration, value_name = "TIME")]
    hold: Duration,
    /// The longest time without an acknowledged write that is promised (default: as `drill list` says)
    #[arg(long, value_parser = runnable::duration, value_name = "TIME")]
    write_gap: Option<Duration>,
    /// The name or id of the group, for one that is no `tallyman dev`
    #[arg(long, value_name = "GROUP")]
    yes_this_is: Option<String>,
    /// The key that signs the report, made if it is not there (default: ~/.config/tallyman/drill.key)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Run {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        if client.is_curl() {
            let message = "a drill is more than requests";
            return Err(Failure::new(Exit::Usage, message, "--dry-run says what it would do"));
        }
        let group = Group::find(client).await?;
        let is_dev = group.control.is_some();
        let card = self.scenario.card();
        if card.steps(is_dev).is_empty() {
            let message = format!("{} cannot be done {}", self.scenario.name(), place(is_dev));
            return Err(Failure::new(Exit::Failed, message, "tallyman drill list"));
        }
        let uid = Machine.uid().to_string();
        let namespace = format!("drill-{}", uid.get(..8).unwrap_or(&uid));
        self.introduce(&group, &namespace);
        if self.dry_run {
            return group.guard(self.yes_this_is.as_deref());
        }
        group.guard(self.yes_this_is.as_deref())?;
        // What cannot be written is to be known before anything is broken.
        let output = self.report.as_deref().map(|file| self.output(file)).transpose()?;
        let promises = card.promises(self.write_gap);
        let drill = Drill {
            client,
            group: &group,
            scenario: self.scenario,
            promises: &promises,
            heal_after: self.heal_after,
            hold: self.hold,
            namespace: &namespace,
        };
        let report = tokio::select! {
            report = drill.run() => report?,
            aborted = aborted() => return Err(aborted.err().unwrap_or_else(|| told(&namespace))),
        };
        show::table(&report);
        if let (Some((mut file, key)), Some(path)) = (output, &self.report) {
            let sealed = key.seal(&report);
            let is_page = path.extension().is_some_and(|extension| extension == "html");
            let text = if is_page { page::page(&report, &sealed, &key.public()) } else { sealed };
            write(&mut file, path, &text)?;
            Screen::stdout().line(&format!("report   {}, signed by {}", path.display(), key.public()));
        }
        judged(&report)
    }

    fn introduce(&self, group: &Group, namespace: &str) {
        let screen = Screen::stdout();
        let replicas: Vec<&str> = group.replicas.iter().map(|replica| replica.id.as_str()).collect();
        let (name, id) = (&group.of.name, &group.of.id);
        let is_dev = group.control.is_some();
        screen.line(&format!(
            "drill    {}: {}",
            screen.bold(self.scenario.name()),
            self.scenario.card().sentence
        ));
        screen.line(&format!("group    {name} ({id}), {}: {}", place(is_dev), replicas.join(", ")));
        for promise in self.scenario.card().promises(self.write_gap) {
            screen.line(&format!(
                "promise  {}: at most {}",
                promise.what.words(),
                promise.what.figure(promise.max)
            ));
        }
        if self.dry_run {
            let steps = self.scenario.card().steps(is_dev);
            screen.line(&format!(
                "step 1   submit all the time through all replicas, to the namespace {namespace}"
            ));
            for (number, step) in (2..).zip(steps) {
                screen.line(&format!("step {number}   {step}"));
            }
            let last = steps.len() + 2;
            screen.line(&format!("step {last}   read everything back from every replica, and remove it"));
        }
    }

    /// The new file, and the key that will sign what comes into it.
    fn output(&self, path: &Path) -> Result<(File, Key), Failure> {
        let key =
            self.key.clone().or_else(|| Some(environment::path("HOME")?.join(".config/tallyman/drill.key")));
        let key = key
            .ok_or_else(|| Failure::new(Exit::Usage, "there is no home directory for a key", "--key FILE"))?;
        let key = Key::at(&key)?;
        let file = File::options().create_new(true).write(true).open(path);
        let file = file.map_err(|error| unwritten(path, &error))?;
        Ok((file, key))
    }
}

fn place(is_dev: bool) -> &'static str {
    if is_dev { "a `tallyman dev` on this machine" } else { "no `tallyman dev` on this machine" }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("failed to write {}: {error}", path.display());
    Failure::new(Exit::Failed, message, "--report with the name of a new file")
}

fn write(file: &mut File, path: &Path, text: &str) -> Result<(), Failure> {
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| unwritten(path, &error))
}

/// Ready when somebody wants it to end.
async fn aborted() -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::of(&error, "start it in a usual shell"));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

fn told(namespace: &str) -> Failure {
    let message = "the drill was aborted; what it broke in `tallyman dev` is healed";
    let attempt = format!("tallyman delete -n {namespace} -l {KEY} --yes removes what it submitted");
    Failure::new(Exit::Unknown, message, attempt)
}

/// The exit code that the promises stand for.
pub(super) fn judged(report: &Report) -> Result<(), Failure> {
    match report.kept {
        Kept::True => Ok(()),
        Kept::False => {
            Err(Failure::new(Exit::Failed, "not every promise was kept", "look at what is broken above"))
        }
        Kept::Unknown => {
            let why = match report.did_not_bite.as_str() {
                "" => "not everything could be measured".to_owned(),
                why => format!("it proves nothing: {why}"),
            };
            Err(Failure::new(Exit::Unknown, why, "run it again"))
        }
    }
}
