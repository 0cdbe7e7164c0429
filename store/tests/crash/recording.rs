//! The file operations of a test that runs under strace.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file in which the recorded run notes what it asked for and what was acknowledged, in the order of the calls.
pub(crate) const MARKS: &str = "marks";
const CALLS: &str = "trace=openat,write,writev,pwrite64,pwritev,ftruncate,fallocate,rename,renameat,renameat2,\
                     unlink,unlinkat,mkdir,mkdirat,fsync,fdatasync,sync_file_range,lseek,fcntl,link,linkat,truncate";

/// A file, whatever it is called.
pub(crate) type Inode = usize;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Write {
        inode: Inode,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        inode: Inode,
        length: usize,
    },
    /// The names that a directory entry has now: none, if it was removed.
    Name {
        path: PathBuf,
        inode: Option<Inode>,
    },
    Dir {
        path: PathBuf,
    },
    Sync {
        inode: Inode,
    },
    SyncDir {
        path: PathBuf,
    },
    Mark {
        text: String,
    },
}

/// An operation that has ended, with the numbers of the lines at which it began and ended.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) op: Op,
    pub(crate) began: usize,
    pub(crate) ended: usize,
}

/// Runs an ignored test of this binary in a new folder under strace. `None`: there is no strace.
pub(crate) fn record(test: &str) -> Option<Vec<Done>> {
    let dir = tempfile::tempdir().unwrap();
    let (root, trace) = (dir.path().join("root"), dir.path().join("trace"));
    fs::create_dir(&root).unwrap();
    fs::write(root.join(MARKS), "").unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-xx", "-s", "100000000", "-e", CALLS, "-o"]).arg(&trace);
    strace.arg(std::env::current_exe().unwrap()).args(["--ignored", "--exact", test]).current_dir(&root);
    let output = strace.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut recorder = Recorder::new(fs::canonicalize(root).unwrap());
    recorder.read(&fs::read_to_string(trace).unwrap());
    Some(recorder.done)
}

#[derive(Default)]
struct Recorder {
    root: PathBuf,
    done: Vec<Done>,
    lengths: Vec<usize>,
    names: BTreeMap<PathBuf, Inode>,
    /// What descriptors are of; duplicates are one opening.
    descriptors: BTreeMap<String, usize>,
    openings: Vec<Opening>,
}

#[derive(Clone)]
struct Opening {
    what: What,
    at: usize,
    appends: bool,
}

#[derive(Clone)]
enum What {
    File(Inode),
    Dir(PathBuf),
    Marks,
}

impl Recorder {
    fn new(root: PathBuf) -> Self {
        Self { root, ..Self::default() }
    }

    fn read(&mut self, trace: &str) {
        let mut begun: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for (number, line) in trace.lines().enumerate() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
                begun.insert(thread.to_owned(), (number, start.to_owned()));
            } else if let Some(resumed) = rest.strip_prefix("<... ") {
                let (began, start) = begun.remove(thread).unwrap();
                let end = resumed.split_once(" resumed>").unwrap().1;
                self.call(&(start + end), began, number);
            } else {
                self.call(rest, number, number);
            }
        }
    }

    fn call(&mut self, call: &str, began: usize, ended: usize) {
        let Some((name, rest)) = call.split_once('(') else { return };
        let Some((arguments, result)) = rest.rsplit_once(") = ").or_else(|| rest.rsplit_once(')')) else {
            return;
        };
        let result = result.trim_start_matches([' ', '=']);
        let result = result.split([' ', '<']).next().unwrap_or_default();
        if result.starts_with('-') || result == "?" {
            return;
        }
        let before = self.done.len();
        self.take(name, arguments, result);
        for done in &mut self.done[before..] {
            (done.began, done.ended) = (began, ended);
        }
    }

    fn push(&mut self, op: Op) {
        self.done.push(Done { op, began: 0, ended: 0 });
    }

    fn take(&mut self, name: &str, arguments: &str, result: &str) {
        let texts = texts(arguments);
        let numbers = || arguments.rsplit(", ").map(|last| last.parse::<usize>());
        let last = || numbers().next().unwrap().unwrap();
        match name {
            "openat" => self.open(&texts[0], arguments, result),
            "mkdir" | "mkdirat" => {
                if let Some(path) = self.inside(&texts[0]) {
                    self.push(Op::Dir { path });
                }
            }
            "rename" | "renameat" | "renameat2" => {
                let (Some(from), Some(to)) = (self.inside(&texts[0]), self.inside(&texts[1])) else { return };
                let inode = self.names.remove(&from);
                assert!(inode.is_some(), "{} was renamed, which is no file", from.display());
                self.names.insert(to.clone(), inode.unwrap());
                self.push(Op::Name { path: to, inode });
                self.push(Op::Name { path: from, inode: None });
            }
            "unlink" | "unlinkat" => {
                if let Some(path) = self.inside(&texts[0]).filter(|path| self.names.remove(path).is_some()) {
                    self.push(Op::Name { path, inode: None });
                }
            }
            "fcntl" if arguments.contains("F_DUPFD") => {
                if let Some(opening) = self.descriptors.get(number_of(arguments)).copied() {
                    self.descriptors.insert(result.to_owned(), opening);
                }
            }
            _ => {
                let Some(opening) = self.descriptors.get(number_of(arguments)).copied() else { return };
                let Opening { what, at, appends } = self.openings[opening].clone();
                match (name, what) {
                    ("write" | "writev", What::Marks) => {
                        let text = String::from_utf8(texts.concat()).unwrap();
                        self.push(Op::Mark { text });
                    }
                    ("write" | "writev", What::File(inode)) => {
                        let at = if appends { self.lengths[inode] } else { at };
                        let length = self.write(inode, at, texts.concat(), result);
                        self.openings[opening].at = at + length;
                    }
                    ("pwrite64" | "pwritev", What::File(inode)) => {
                        self.write(inode, last(), texts.concat(), result);
                    }
                    ("lseek", _) => self.openings[opening].at = result.parse().unwrap(),
                    ("ftruncate", What::File(inode)) => {
                        self.lengths[inode] = last();
                        self.push(Op::Truncate { inode, length: last() });
                    }
                    ("fsync" | "fdatasync", What::File(inode)) => self.push(Op::Sync { inode }),
                    ("fsync" | "fdatasync", What::Dir(path)) => self.push(Op::SyncDir { path }),
                    ("fcntl", _) => {}
                    (name, _) => panic!("{name}({arguments}) is not known here"),
                }
            }
        }
    }

    fn open(&mut self, path: &[u8], arguments: &str, descriptor: &str) {
        self.descriptors.remove(descriptor);
        let Some(path) = self.inside(path) else { return };
        let known = self.names.get(&path).copied();
        let what = match known {
            _ if path == Path::new(MARKS) => What::Marks,
            Some(inode) => {
                if arguments.contains("O_TRUNC") && self.lengths[inode] > 0 {
                    self.lengths[inode] = 0;
                    self.push(Op::Truncate { inode, length: 0 });
                }
                What::File(inode)
            }
            None if arguments.contains("O_CREAT") => {
                let inode = self.lengths.len();
                self.lengths.push(0);
                self.names.insert(path.clone(), inode);
                self.push(Op::Name { path, inode: Some(inode) });
                What::File(inode)
            }
            None => What::Dir(path),
        };
        self.descriptors.insert(descriptor.to_owned(), self.openings.len());
        self.openings.push(Opening { what, at: 0, appends: arguments.contains("O_APPEND") });
    }

    fn write(&mut self, inode: Inode, at: usize, mut bytes: Vec<u8>, result: &str) -> usize {
        let length: usize = result.parse().unwrap();
        bytes.truncate(length);
        assert_eq!(bytes.len(), length, "all that was written is in the trace");
        self.lengths[inode] = self.lengths[inode].max(at + length);
        self.push(Op::Write { inode, at, bytes });
        length
    }

    /// A path below the root, relative to it.
    fn inside(&self, path: &[u8]) -> Option<PathBuf> {
        let path = self.root.join(String::from_utf8(path.to_vec()).unwrap());
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }
}

/// The number of a descriptor, which strace shows as `7</path>`.
fn number_of(arguments: &str) -> &str {
    arguments.split(['<', ',', ')']).next().unwrap_or_default()
}

/// All `"\x..."` of a call's arguments.
fn texts(arguments: &str) -> Vec<Vec<u8>> {
    let quoted = arguments.split('"').skip(1).step_by(2);
    let hex = |text: &str| {
        let bytes = text.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap());
        bytes.collect::<Vec<u8>>()
    };
    quoted.map(hex).collect()
}
