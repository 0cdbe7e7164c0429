//! The command line.

use crate::client::ClientOptions;
use crate::dev::Dev;
use crate::exit::Failure;
use crate::server::Server;
use crate::verb;
use clap::{Parser, Subcommand};

/// Takes work for many Kubernetes clusters, gets it there exactly once, and keeps the books
#[derive(Debug, Parser)]
#[command(name = "tallyman", version, propagate_version = true, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    client: ClientOptions,
}

const AFTER_HELP: &str = "\
Environment: TALLYMAN_SERVER (URLs, tried in turn), TALLYMAN_TOKEN_FILE,
             TALLYMAN_CA_FILE, TALLYMAN_NAMESPACE
Exit codes:  0 ok, 1 refused or failed, 2 usage, 3 not found, 4 conflict,
             5 no leader, quorum or server, 6 not allowed, 7 unknown or still waiting,
             8 the run ended without success
First steps: tallyman dev --submit examples/nightly-report.yaml";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the real thing on this machine: three replicas, two simulated clusters
    Dev(Dev),
    /// Run one replica
    Server(Server),
    /// Hand in a runnable
    Submit(verb::submit::Submit),
    /// List runnables
    List(verb::list::List),
    /// Read runnables by name
    Get(verb::get::Get),
    /// Print every change of one runnable until it has ended
    Watch(verb::watch::Watch),
    /// Wait until a runnable has ended, runs, exists or is gone
    Wait(verb::wait::Wait),
    /// Tell from the ledger what became of a runnable
    History(verb::history::History),
    Approve(verb::approve::Approve),
    /// Stop a runnable and keep its record
    Cancel(verb::cancel::Cancel),
    /// Start an ended runnable again
    Retry(verb::retry::Retry),
    /// Stop a runnable, remove its objects, then its record
    Delete(verb::delete::Delete),
    /// Work with clusters
    Cluster(verb::cluster::ClusterCommand),
    /// Work with the group of replicas
    Operator(verb::operator::Operator),
    /// Check the ledger
    Audit(verb::audit::Audit),
    /// Measure how much a group takes and how fast it answers
    Bench(verb::bench::Bench),
}

impl Cli {
    /// Does what the command line asks for.
    ///
    /// # Errors
    /// What went wrong, with its exit code.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let command = match self.command {
            Command::Dev(dev) => return Box::pin(dev.run()).await,
            Command::Server(server) => return Box::pin(server.run()).await,
            other => other,
        };
        let client = self.client.client()?;
        match command {
            Command::Dev(_) | Command::Server(_) => Ok(()),
            Command::Submit(submit) => submit.run(&client).await,
            Command::List(list) => list.run(&client).await,
            Command::Get(get) => get.run(&client).await,
            Command::Watch(watch) => watch.run(&client).await,
            Command::Wait(wait) => wait.run(&client).await,
            Command::History(history) => history.run(&client).await,
            Command::Approve(approve) => approve.run(&client).await,
            Command::Cancel(cancel) => cancel.run(&client).await,
            Command::Retry(retry) => retry.run(&client).await,
            Command::Delete(delete) => delete.run(&client).await,
            Command::Cluster(cluster) => cluster.run(&client).await,
            Command::Operator(operator) => operator.run(&client).await,
            Command::Audit(audit) => audit.run(&client).await,
            Command::Bench(bench) => Box::pin(bench.run(&client)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
