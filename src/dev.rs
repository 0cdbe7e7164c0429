//! `tallyman dev`: the real thing on one machine. This process runs the simulated clusters; each replica is a process
//! of its own, `tallyman server`, which ends when this one goes, however it goes.

mod board;
mod boot;
mod clusters;
pub(crate) mod control;
mod kubeconfig;
mod layout;
mod leadership;
mod news;
mod parent;
mod ports;
mod read_back;
mod replica;
mod state;
mod submission;

use crate::bundle::{Bundle, Given};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::verb::submit;
use board::Board;
use boot::Started;
use clusters::Clusters;
use control::Wishes;
use layout::Layout;
use replica::{Event, Replica};
use state::State;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Replicas of one group on one machine.
const REPLICAS_MAX: u16 = 9;
/// Events of replicas that wait to be told.
const EVENTS_MAX: usize = 64;

const AFTER_HELP: &str = "\
Examples:
  tallyman dev --submit examples/nightly-report.yaml
  tallyman dev --dir ~/tallyman --replicas 5 --clusters 4
  tallyman dev --kubeconfig ~/.kube/config#kind-east=east

Every replica is a process of its own, started again when it ends. Ctrl-C stops all.

Exit codes: 8 with --exit-when-done: something ended without success";

/// Run the real thing on this machine: three replicas, two simulated clusters
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Dev {
    /// How many replicas (default: 3, or as many as DIR has)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(REPLICAS_MAX)))]
    replicas: Option<u16>,
    /// The port of the first replica's API, and those after it for the others (default: 7001, or others that are free)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..=65_000))]
    api_port: Option<u16>,
    /// How many simulated clusters (default: 2, or none with --kubeconfig)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=100))]
    clusters: Option<u16>,
    /// Use a real cluster; repeatable
    #[arg(long, value_name = "FILE[#CONTEXT][=NAME]")]
    kubeconfig: Vec<String>,
    /// Submit this file and tell what becomes of it; repeatable
    #[arg(long, value_name = "FILE")]
    submit: Vec<String>,
    /// Keep everything here, and resume from it (default: a temporary directory, removed at exit)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Stop when all that was submitted has ended; the exit code is 8 if something ended without success
    #[arg(long)]
    exit_when_done: bool,
    /// End when standard input ends
    #[arg(long, hide = true)]
    parent_pipe: bool,
    /// Simulated clusters do not make a missing namespace by themselves
    #[arg(long)]
    strict: bool,
}

/// What the parts of a running `dev` share.
struct World {
    board: Board,
    state: State,
    clusters: Clusters,
    /// Asks the replicas in turn.
    client: Client,
    /// The URL of each replica's API, by slot.
    urls: Vec<String>,
    /// What a drill wants of the replicas.
    wishes: Wishes,
}

impl Dev {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut end = parent::End::watch(self.parent_pipe)?;
        let submissions = self.submissions()?;
        let (dir, _temporary) = self.directory()?;
        let board = Board::new();
        let mut layout = Layout::open(&dir, self.replicas, self.api_port)?;
        self.introduce(&board, &layout);
        let clusters = Clusters::start(&self, &layout).await?;
        let urls: Vec<String> = layout.slots.iter().map(layout::Slot::url).collect();
        let world = Arc::new(World {
            board,
            state: State::new(&layout, &clusters)?,
            clusters,
            client: Client::plain(urls.clone())?,
            wishes: Wishes::new(urls.len()),
            urls,
        });
        let control = control::open(&layout::control_path(&dir), &world);
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let mut held = std::mem::take(&mut layout.held).into_iter();
        let mut replicas = Vec::new();
        for (i, slot) in layout.slots.iter().enumerate() {
            replicas.push(Replica::start(i, slot.clone(), held.next(), Arc::clone(&world), events.clone()));
        }
        let ended = tokio::select! {
            ended = self.work(&world, inbox, submissions) => ended,
            () = end.wait() => Ok(()),
        };
        world.board.transient("");
        drop(control);
        let stopping = replicas.into_iter().map(Replica::stop);
        futures::future::join_all(stopping).await;
        if let Ok(world) = Arc::try_unwrap(world).map_err(|_| ()) {
            world.clusters.stop().await;
        }
        ended
    }

    /// What is to be submitted, with the files that it is from: read before anything is started.
    fn submissions(&self) -> Result<Vec<(String, Bundle)>, Failure> {
        let read = |file: &String| {
            let bundle = Bundle::read(&submit::read_file(file)?, file, Given::default())?;
            Ok((file.clone(), bundle))
        };
        self.submit.iter().map(read).collect()
    }

    /// The given directory, or a temporary one, which goes when its guard goes.
    fn directory(&self) -> Result<(PathBuf, Option<TempDir>), Failure> {
        let unusable = |error: std::io::Error| {
            let message = format!("failed to make the data directory: {error}");
            Failure::new(Exit::Failed, message, "tallyman dev --dir DIR")
        };
        match &self.dir {
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(unusable)?;
                Ok((std::fs::canonicalize(dir).map_err(unusable)?, None))
            }
            None => {
                let temporary =
                    tempfile::Builder::new().prefix("tallyman-dev-").tempdir().map_err(unusable)?;
                Ok((std::fs::canonicalize(temporary.path()).map_err(unusable)?, Some(temporary)))
            }
        }
    }

    fn introduce(&self, board: &Board, layout: &Layout) {
        let what = match (&self.dir, layout.is_resumed) {
            (None, _) => "temporary data directory, removed at exit (--dir DIR keeps one)".to_owned(),
            (Some(_), false) => format!("data directory {}, kept at exit", layout.dir.display()),
            (Some(_), true) => format!("resumed from {}, kept at exit", layout.dir.display()),
        };
        board.line(None, &format!("{}   {what}", board.screen.bold("tallyman dev")));
    }

    /// Brings the group up, submits, tells; ends when all is done and that was asked for, or fails.
    async fn work(
        &self,
        world: &Arc<World>,
        inbox: mpsc::Receiver<Event>,
        submissions: Vec<(String, Bundle)>,
    ) -> Result<(), Failure> {
        let mut news = news::News::new(Arc::clone(world), inbox);
        let started = tokio::select! {
            started = boot::boot(world) => started?,
            failure = news.first_failures() => return Err(failure),
        };
        self.tell_start(world, &started);
        tokio::spawn(news.run());
        let mut runs = JoinSet::new();
        for (i, (file, bundle)) in submissions.into_iter().enumerate() {
            // The second replica is asked first, so that a follower is seen to take work.
            let asked = (i + 1) % world.urls.len();
            runs.spawn(submission::submit(Arc::clone(world), file, bundle, asked));
        }
        let mut ended_badly = None;
        while let Some(ended) = runs.join_next().await {
            let ended = ended.unwrap_or_else(|error| Err(Failure::new(Exit::Failed, error.to_string(), "")));
            if let Err(failure) = ended {
                world.board.line(None, world.board.screen.red(failure.text().trim_end()).as_str());
                ended_badly = Some(failure);
            }
        }
        if !self.submit.is_empty() {
            read_back::ledger(world).await?;
        }
        if self.exit_when_done {
            return ended_badly.map_or(Ok(()), |failure| Err(Failure::printed(failure.exit)));
        }
        self.hint(world).await;
        std::future::pending().await
    }

    fn tell_start(&self, world: &World, started: &Started) {
        let screen = world.board.screen;
        let replicas = started.replicas.iter().map(|(id, url, role)| {
            let port = url.rsplit(':').next().unwrap_or_default();
            let leader = if role == "leader" { screen.bold(" leader") } else { String::new() };
            format!("{id} :{port}{leader}")
        });
        let replicas: Vec<String> = replicas.collect();
        let elected = format!("elected in {:.1} s", started.elected.as_secs_f64());
        world.board.line(None, &format!("replicas  {}    {elected}", replicas.join("   ")));
        world.board.line(None, &format!("clusters  {}", world.clusters.summary()));
    }

    async fn hint(&self, world: &World) {
        let screen = world.board.screen;
        let last =
            world.urls.last().map(|url| url.replace("http://127.0.0.1", "localhost")).unwrap_or_default();
        let mut lines = vec![
            String::new(),
            "Ctrl-C stops all. Elsewhere try:".to_owned(),
            format!("  curl -s {last}{}/runnables", crate::client::request::API),
        ];
        if let Some((id, pid)) = leadership::leader(world).await {
            lines.push(format!("  kill -9 {pid}     {}", screen.dim(&format!("# {id}, the leader"))));
        }
        if self.submit.is_empty() {
            let server = world.urls.first().filter(|url| !url.ends_with(":7001"));
            let server = server.map(|url| format!("TALLYMAN_SERVER={url} ")).unwrap_or_default();
            lines.push(format!("  {server}tallyman submit examples/nightly-report.yaml --wait"));
        }
        lines.iter().for_each(|line| world.board.line(None, line));
    }
}
