//! A machine that can lose power: an image, the file system in it, and one process.

use crate::dev::{signal, until};
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::process::{Child, ChildStdin};

/// Bytes of an image; it is sparse.
const IMAGE_BYTES: u64 = 4 << 30;
/// What runs in the mount namespace of the machine before its program takes its place.
const BOOT: &str = r#"
mount -t ext4 -o "$1" "$2" "$3"
mount --bind "$4" /proc/sys/kernel/random/boot_id
shift 4
exec "$@"
"#;
/// Shuts file systems down without a flush of their journals. `mount -o loop` is what made them: a folder that is
/// not on a loop device, or on the file system of the first argument, is left alone at any price.
const SHUT_DOWN: &str = r#"
my $outside = (stat shift)[0];
my @inside = map { open my $dir, "<", $_ or die "$_: $!"; $dir } @ARGV;
for (@inside) { my $device = (stat $_)[0]; die "not a loop device" if ($device >> 8 & 0xfff) != 7 || $device == $outside; }
for (@inside) { my $without_journal = pack "I", 2; ioctl($_, 0x8004587d, $without_journal) or die "shutdown: $!"; }
"#;

pub(crate) struct Machine {
    /// Outside of the image: it outlives every cut.
    pub(crate) home: PathBuf,
    boots: u32,
    running: Option<Running>,
}

struct Running {
    child: Child,
    /// Its end is the end of the process.
    _input: Option<ChildStdin>,
}

/// Why no machine can be made here, in words; `None` if one can.
pub(crate) async fn impossible() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let dir = tempfile::tempdir().unwrap();
    let mut machine = match Machine::make(dir.path()) {
        Ok(machine) => machine,
        Err(why) => return Some(why),
    };
    let output = machine.command("noatime", &["perl".to_owned(), "-e".to_owned(), "1".to_owned()]).output();
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

impl Machine {
    /// A machine with an empty file system, in a folder of its own.
    pub(crate) fn make(home: &Path) -> Result<Self, String> {
        fs::create_dir_all(home.join("mount")).unwrap();
        let machine = Self { home: home.to_owned(), boots: 0, running: None };
        File::create(machine.image()).unwrap().set_len(IMAGE_BYTES).unwrap();
        let mut mkfs = Command::new("mkfs.ext4");
        // Nothing is left to be initialised in the background.
        mkfs.args(["-q", "-F", "-m", "0", "-N", "4096", "-J", "size=32"]);
        mkfs.args(["-E", "lazy_itable_init=0,nodiscard"]).arg(machine.image());
        let output = mkfs.output().map_err(|error| format!("mkfs.ext4: {error}"))?;
        if output.status.success() {
            Ok(machine)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn image(&self) -> PathBuf {
        self.home.join(format!("image-{}", self.boots))
    }

    /// Where its file system is, as its process sees it.
    pub(crate) fn mount(&self) -> PathBuf {
        self.home.join("mount")
    }

    /// Where its file system is while it runs, as others see it.
    pub(crate) fn inside(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.pid(), self.mount().display()))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.running.as_ref().and_then(|running| running.child.id()).expect("it runs") as i32
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// True if its process ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| running.child.try_wait().unwrap().is_some())
    }

    fn command(&mut self, options: &str, program: &[String]) -> Command {
        let boot = self.home.join("boot_id");
        let id: u64 = self.home.to_string_lossy().bytes().map(u64::from).sum();
        fs::write(&boot, format!("{id:08x}-0000-4000-8000-{:012x}\n", self.boots)).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", BOOT, "sh", &format!("loop,{options}")]);
        command.arg(self.image()).arg(self.mount()).arg(boot).args(program);
        command
    }

    /// Mounts the file system and runs a program on it; returns when the program runs.
    pub(crate) async fn start(
        &mut self,
        options: &str,
        program: &[String],
        environment: &[(String, String)],
    ) {
        let log = File::options().create(true).append(true).open(self.home.join("server.log")).unwrap();
        let mut command = self.command(options, program);
        command.envs(environment.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        let input = child.stdin.take();
        let program = fs::canonicalize(&program[0]).unwrap();
        let executable = format!("/proc/{}/exe", child.id().unwrap());
        until("the file system is mounted and the program runs", async || {
            fs::read_link(&executable).is_ok_and(|found| found == program).then_some(())
        })
        .await;
        self.running = Some(Running { child, _input: input });
    }

    async fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.child.start_kill().unwrap();
        running.child.wait().await.unwrap();
    }
}

/// All of these machines lose power at once. They can be started again.
pub(crate) async fn cut(machines: &mut [&mut Machine]) {
    machines.iter().for_each(|machine| signal(machine.pid(), Signal::STOP));
    let mut shut_down = Command::new("perl");
    shut_down.args(["-e", SHUT_DOWN]).arg(&machines[0].home);
    shut_down.args(machines.iter().map(|machine| machine.inside()));
    let output = shut_down.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for machine in machines {
        let old = machine.image();
        machine.boots += 1;
        let copied = Command::new("cp").args(["--sparse=auto"]).arg(&old).arg(machine.image()).status();
        assert!(copied.unwrap().success(), "the image was not copied");
        machine.kill().await;
        fs::remove_file(old).unwrap();
    }
}
