//! One run of a program, in a group of its own that does not outlive the deadline.

use super::file::Prepared;
use crate::limits::PLUGIN_OUTPUT_BYTES_MAX;
use rustix::process::{Pid, Signal, kill_process_group};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// How a program learns what is asked of it.
const INFO: &str = "KUBERNETES_EXEC_INFO";

/// Kills what is left of a program when it is dropped.
struct Program {
    child: Child,
    group: Option<Pid>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if let (Some(group), Some(_)) = (self.group, self.child.id()) {
            // Gone already: nothing is left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What it printed. Of what went wrong nothing is quoted: a program may print secrets anywhere.
pub(super) async fn run(
    prepared: &Prepared,
    inherited: &[(String, String)],
    deadline: Duration,
) -> Result<Vec<u8>, String> {
    let child = Command::new(&prepared.command)
        .args(&prepared.args)
        .env_clear()
        .envs(inherited.iter().map(|(name, value)| (name, value)))
        .envs(&prepared.envs)
        .env(INFO, &prepared.info)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", prepared.command.display()))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut program = Program { child, group };
    let ended = tokio::time::timeout(deadline, output(&mut program.child)).await;
    ended.unwrap_or_else(|_| Err(format!("its program took longer than {} ms", deadline.as_millis())))
}

async fn output(child: &mut Child) -> Result<Vec<u8>, String> {
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = stdout.take(PLUGIN_OUTPUT_BYTES_MAX + 1);
        stdout
            .read_to_end(&mut said)
            .await
            .map_err(|error| format!("its program cannot be heard: {error}"))?;
    }
    if said.len() as u64 > PLUGIN_OUTPUT_BYTES_MAX {
        return Err(format!("its program prints more than {PLUGIN_OUTPUT_BYTES_MAX} bytes"));
    }
    let status = child.wait().await.map_err(|error| format!("its program was lost: {error}"))?;
    if !status.success() {
        return Err(format!("its program ended with {status}; run it by hand to see what it says"));
    }
    Ok(said)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rustix::process::test_kill_process;
    use std::collections::BTreeMap;

    fn shell(script: &str) -> Prepared {
        Prepared {
            api_version: String::new(),
            command: "/bin/sh".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            envs: BTreeMap::from([("OWN".to_owned(), "1".to_owned())]),
            info: "{}".to_owned(),
        }
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_program_gets_what_it_is_given_and_nothing_else() {
        let inherited = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let said = run(&shell("env; cat"), &inherited, PATIENCE).await.unwrap();
        let said = String::from_utf8(said).unwrap();
        let mut names: Vec<&str> = said.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        names.retain(|name| !["_", "PWD", "SHLVL", "OLDPWD"].contains(name));
        names.sort_unstable();
        assert_eq!(names, ["KUBERNETES_EXEC_INFO", "OWN", "PATH"]);
    }

    #[tokio::test]
    async fn at_the_deadline_all_that_a_program_started_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
        let inherited = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let why = run(&shell(&script), &inherited, Duration::from_secs(3)).await.unwrap_err();
        assert_eq!(why, "its program took longer than 3000 ms");
        let pid = std::fs::read_to_string(file).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
        let is_gone = async || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
            // Nobody may have waited for it yet.
            test_kill_process(pid).is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
        };
        let gone = tokio::time::timeout(PATIENCE, async {
            while !is_gone().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        gone.await.unwrap();
    }

    #[tokio::test]
    async fn what_goes_wrong_is_said_without_what_was_printed() {
        for (script, words) in [
            ("echo s3cr3t; echo s3cr3t >&2; exit 3", "exit status: 3"),
            ("head -c 2000000 /dev/zero", "prints more than"),
        ] {
            let inherited = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
            let why = run(&shell(script), &inherited, PATIENCE).await.unwrap_err();
            assert!(why.contains(words) && !why.contains("s3cr3t"), "{why}");
        }
        let missing = Prepared { command: "/nowhere/program".into(), ..shell("") };
        assert!(run(&missing, &[], PATIENCE).await.unwrap_err().contains("cannot be started"));
    }
}
