//! Faults in the system calls of a running replica, by strace.

use crate::dev::{signal, until};
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Why nothing can be injected here; `None` if it can.
pub(crate) fn impossible() -> Option<&'static str> {
    let found = Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success());
    (!found).then_some("there is no strace")
}

/// An strace that is attached to a process. When it goes, the process goes on without it.
pub(crate) struct Injection {
    strace: Child,
}

impl Injection {
    /// From now on the calls of the process that are of one of `files` meet `fault`, in strace's words.
    pub(crate) async fn into(pid: i32, files: &[&Path], fault: &str, says: &Path) -> Self {
        let (call, _) = fault.split_once(':').unwrap();
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "--seccomp-bpf",
            "-e",
            &format!("trace={call}"),
            "-e",
            &format!("inject={fault}"),
        ]);
        files.iter().for_each(|file| {
            command.arg("-P").arg(file);
        });
        command.args(["-p", &pid.to_string(), "-o", "/dev/null"]);
        let said = File::create(says).unwrap();
        let strace = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        let mut injection = Self { strace };
        until("strace is attached", async || {
            let words = fs::read_to_string(says).unwrap();
            assert!(injection.strace.try_wait().unwrap().is_none(), "strace: {words}");
            words.contains("attached").then_some(())
        })
        .await;
        injection
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        // Asked to, it lets go of the process in good order.
        signal(self.strace.id() as i32, Signal::TERM);
        let _ = self.strace.wait();
    }
}
