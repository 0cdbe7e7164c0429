//! A kubectl at a follower, and the transcript of what it was told to do.

use crate::dev::{Dev, PATIENCE, Replica};
use crate::files::files;
use crate::normal::normal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

pub(crate) struct Session {
    pub(crate) dev: Dev,
    pub(crate) follower: Replica,
    home: TempDir,
    transcript: String,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) code: i32,
}

impl Session {
    /// A group of three, and kubectl set up for a follower.
    pub(crate) async fn start() -> Self {
        let dev = Dev::start(&[]).await;
        let follower = dev.followers().await[0].clone();
        let home = tempfile::tempdir().unwrap();
        for (name, content) in files() {
            let file = home.path().join(name);
            fs::write(&file, content).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: t\nclusters: [{{name: t, cluster: {{server: {}}}}}]\n\
             contexts: [{{name: t, context: {{cluster: t, user: t, namespace: risk}}}}]\nusers: [{{name: t, user: {{}}}}]\n",
            follower.url
        );
        fs::write(home.path().join("config"), kubeconfig).unwrap();
        Self { dev, follower, home, transcript: String::new() }
    }

    /// Where commands run.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.home.path()
    }

    /// A command line that can be run beside others.
    pub(crate) fn command(&self, line: &str) -> Command {
        let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/realkube/bin");
        assert!(tools.join("kubectl").exists(), "build it first: tests/realkube/realkube build");
        let home = self.home.path();
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("PATH={}:$PATH; {line} 2>&1", tools.display()))
            .current_dir(home)
            .kill_on_drop(true);
        command
            .env("HOME", home)
            .env("KUBECONFIG", home.join("config"))
            .env("KUBE_EDITOR", home.join("editor.sh"));
        command
    }

    /// Runs a command, and keeps nothing of it.
    pub(crate) async fn quietly(&self, line: &str) -> Said {
        let output = timeout(2 * PATIENCE, self.command(line).output()).await.expect("it ends").unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Said { text, code: output.status.code().unwrap_or(-1) }
    }

    /// Runs a command, and keeps it and what it said.
    pub(crate) async fn run(&mut self, line: &str) -> Said {
        let said = self.quietly(line).await;
        self.keep(line, &said);
        said
    }

    /// Runs a command that must succeed.
    pub(crate) async fn done(&mut self, line: &str) -> Said {
        let said = self.run(line).await;
        assert_eq!(said.code, 0, "{line}: {}", said.text);
        said
    }

    /// Runs commands, one a line.
    pub(crate) async fn lines(&mut self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.run(line).await;
        }
    }

    pub(crate) fn keep(&mut self, line: &str, said: &Said) {
        let home = self.home.path().to_str().unwrap();
        let text = normal(&said.text, home, self.dev.dir.to_str().unwrap());
        let code = if said.code == 0 { String::new() } else { format!("[exit {}]\n", said.code) };
        self.transcript.push_str(&format!("$ {line}\n{text}{code}\n"));
    }

    /// Compares the transcript with the one that is kept under `name`.
    pub(crate) async fn compare(self, name: &str) {
        let kept_in =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/kubectl/golden/{name}.txt"));
        let kept = fs::read_to_string(&kept_in).unwrap_or_default();
        if kept == self.transcript {
            self.dev.stop().await;
            return;
        }
        let new = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
        fs::write(&new, &self.transcript).unwrap();
        let difference = Command::new("diff").arg("-uN").args([&kept_in, &new]).output().await.unwrap();
        panic!(
            "kubectl says something else than before; if that is right: cp {} {}\n{}",
            new.display(),
            kept_in.display(),
            String::from_utf8_lossy(&difference.stdout)
        );
    }
}
