//! The command line.

use crate::client::ClientOptions;
use crate::dev::Dev;
use crate::exit::Failure;
use crate::screen;
use crate::server::Server;
use crate::verb;
use clap::{CommandFactory as _, Parser, Subcommand};

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
Examples:
  tallyman dev --submit examples/nightly-report.yaml
  tallyman submit examples/nightly-report.yaml --wait
  tallyman watch -A

Environment: TALLYMAN_SERVER (URLs, tried in turn), TALLYMAN_TOKEN_FILE,
             TALLYMAN_CA_FILE, TALLYMAN_NAMESPACE, NO_COLOR
Exit codes:  0 ok, 1 refused or failed, 2 usage, 3 not found, 4 conflict,
             5 no leader, quorum or server, 6 not allowed, 7 unknown or still waiting,
             8 the run ended without success";

#[derive(Debug, Subcommand)]
enum Command {
    Dev(Dev),
    Server(Server),
    Submit(verb::submit::Submit),
    List(verb::list::List),
    Get(verb::get::Get),
    Watch(verb::watch::Watch),
    Wait(verb::wait::Wait),
    History(verb::history::History),
    Approve(verb::approve::Approve),
    Cancel(verb::cancel::Cancel),
    Retry(verb::retry::Retry),
    Move(verb::move_run::Move),
    Delete(verb::delete::Delete),
    Deployable(verb::deployable::DeployableCommand),
    Pool(verb::pool::PoolCommand),
    Lock(verb::lock::LockCommand),
    Cluster(verb::cluster::ClusterCommand),
    #[command(name = "statusrule")]
    StatusRule(verb::statusrule::StatusRuleCommand),
    Operator(verb::operator::Operator),
    Audit(verb::audit::Audit),
    Bench(verb::bench::Bench),
    Drill(verb::drill::Drill),
    Config(verb::config::ConfigCommand),
    Completion(verb::completion::Completion),
    Man(verb::man::Man),
    Version(verb::version::Version),
}

impl Cli {
    /// Does what the command line asks for.
    ///
    /// # Errors
    /// What went wrong, with its exit code.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        screen::set_color(self.client.color);
        let command = match self.command {
            Command::Dev(dev) => return Box::pin(dev.run()).await,
            Command::Server(server) => return Box::pin(server.run()).await,
            Command::Config(config) => return config.run(),
            Command::Completion(completion) => return completion.run(&mut Self::command()),
            Command::Man(man) => return man.run(Self::command()),
            other => other,
        };
        let client = self.client.client()?;
        match command {
            Command::Dev(_)
            | Command::Server(_)
            | Command::Config(_)
            | Command::Completion(_)
            | Command::Man(_) => Ok(()),
            Command::Submit(submit) => submit.run(&client).await,
            Command::List(list) => list.run(&client).await,
            Command::Get(get) => get.run(&client).await,
            Command::Watch(watch) => watch.run(&client).await,
            Command::Wait(wait) => wait.run(&client).await,
            Command::History(history) => history.run(&client).await,
            Command::Approve(approve) => approve.run(&client).await,
            Command::Cancel(cancel) => cancel.run(&client).await,
            Command::Retry(retry) => retry.run(&client).await,
            Command::Move(moving) => moving.run(&client).await,
            Command::Delete(delete) => delete.run(&client).await,
            Command::Deployable(deployable) => deployable.run(&client).await,
            Command::Pool(pool) => pool.run(&client).await,
            Command::Lock(lock) => lock.run(&client).await,
            Command::Cluster(cluster) => cluster.run(&client).await,
            Command::StatusRule(rule) => rule.run(&client).await,
            Command::Operator(operator) => operator.run(&client).await,
            Command::Audit(audit) => audit.run(&client).await,
            Command::Bench(bench) => Box::pin(bench.run(&client)).await,
            Command::Drill(drill) => Box::pin(drill.run(&client)).await,
            Command::Version(version) => version.run(&client).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;
    use clap::Parser as _;

    /// Every command that can be given, with the words that lead to it.
    fn commands() -> Vec<(String, clap::Command)> {
        let mut all = vec![("tallyman".to_owned(), Cli::command())];
        let mut at = 0;
        while let Some((path, command)) = all.get(at).cloned() {
            for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
                all.push((format!("{path} {}", inner.get_name()), inner.clone()));
            }
            at += 1;
        }
        all
    }

    /// The command lines under `Examples:` that begin with this program.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let lines = lines.take_while(|line| line.starts_with("  "));
        lines.filter_map(|line| line.trim().strip_prefix("tallyman ")).map(str::to_owned).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_is_for_and_shows_an_example() {
        let all = commands();
        assert!(all.len() > 25, "{}", all.len());
        for (path, command) in all {
            assert!(command.get_about().is_some(), "{path} does not say what it is for");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  "), "{path} shows no example");
            assert!(help.contains(&path), "{path} shows an example of something else");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{path}: {} has no help", argument.get_id());
            }
        }
    }

    #[test]
    fn every_example_is_a_command_line() {
        for (path, command) in commands() {
            for example in examples(&command) {
                // What a shell makes of it is not looked at: pipes, comments, and what is in quotes.
                let line = example.split(" | ").next().unwrap_or_default();
                let line = line.split(" && ").next().unwrap_or_default();
                let line = line.split(" > ").next().unwrap_or_default();
                let line = line.split(" >> ").next().unwrap_or_default();
                let line = line.split("     #").next().unwrap_or_default();
                let parsed = Cli::try_parse_from(words(&format!("tallyman {line}")));
                assert!(
                    parsed.is_ok(),
                    "{path}: {line}: {}",
                    parsed.map_or_else(|error| error.to_string(), |_| String::new())
                );
            }
        }
    }

    /// A line's words; what is in single quotes is one.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut is_quoted = false;
        for letter in line.chars() {
            match letter {
                '\'' => is_quoted = !is_quoted,
                ' ' if !is_quoted => words.push(String::new()),
                _ => words.iter_mut().last().into_iter().for_each(|word| word.push(letter)),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }
}
