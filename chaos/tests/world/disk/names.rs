//! The names of files and directories: what is durable, and what was done since.

use super::file::{File, Node};
use crate::numbers::Numbers;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Named {
    Directory,
    File(Node),
}

type Tree = BTreeMap<PathBuf, Named>;

/// One change of names.
#[derive(Clone, Debug)]
enum Change {
    Set(PathBuf, Named),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Debug, Default)]
pub(super) struct Names {
    now: Tree,
    durable: Tree,
    /// In order.
    unsynced: Vec<Change>,
    /// The file system has no journal that keeps the order: each change is durable or not by itself.
    pub(super) is_unordered: bool,
}

fn apply(tree: &mut Tree, change: &Change) {
    match change {
        Change::Set(path, named) => drop(tree.insert(path.clone(), named.clone())),
        Change::Remove(path) => tree.retain(|other, _| !other.starts_with(path)),
        Change::Rename(from, to) => {
            let moved: Vec<PathBuf> = tree.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for path in moved {
                let named = tree.remove(&path).unwrap();
                let rest = path.strip_prefix(from).unwrap();
                let path = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                tree.insert(path, named);
            }
        }
    }
}

impl Change {
    fn concerns(&self, dir: &Path) -> bool {
        let is_in = |path: &Path| path.parent() == Some(dir);
        match self {
            Self::Set(path, _) | Self::Remove(path) => is_in(path),
            Self::Rename(from, to) => is_in(from) || is_in(to),
        }
    }
}

impl Names {
    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.unsynced.push(change);
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.now.contains_key(path)
    }

    pub(super) fn file(&self, path: &Path) -> Option<Node> {
        match self.now.get(path)? {
            Named::File(node) => Some(Arc::clone(node)),
            Named::Directory => None,
        }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.now.iter().filter(|(_, named)| matches!(named, Named::File(_))).map(|(path, _)| path.clone())
    }

    /// Those that have a name now or may have one after a power cut, each once.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for named in self.now.values().chain(self.durable.values()) {
            if let Named::File(node) = named
                && !nodes.iter().any(|other| Arc::ptr_eq(other, node))
            {
                nodes.push(Arc::clone(node));
            }
        }
        nodes.into_iter()
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        match self.now.get(dir) {
            Some(Named::Directory) => {
                Ok(self.now.keys().filter(|path| path.parent() == Some(dir)).cloned().collect())
            }
            Some(Named::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn make_dir(&mut self, dir: &Path) {
        let missing: Vec<PathBuf> =
            dir.ancestors().filter(|path| !self.now.contains_key(*path)).map(Path::to_owned).collect();
        for dir in missing.into_iter().rev() {
            self.change(Change::Set(dir, Named::Directory));
        }
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Node> {
        if !path.parent().is_some_and(|dir| matches!(self.now.get(dir), Some(Named::Directory))) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let node = Node::new(File::default().into());
        self.change(Change::Set(path.to_owned(), Named::File(Arc::clone(&node))));
        Ok(node)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if !self.exists(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        if self.file(path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.list(dir)?;
        self.change(Change::Remove(dir.to_owned()));
        Ok(())
    }

    /// All that was done is durable.
    pub(super) fn sync_all(&mut self) {
        self.unsynced.drain(..).for_each(|change| apply(&mut self.durable, &change));
    }

    /// Makes durable what was done in `dir`; where a journal keeps the order, also what was done before that anywhere.
    pub(super) fn sync(&mut self, dir: &Path) {
        let Some(last) = self.unsynced.iter().rposition(|change| change.concerns(dir)) else { return };
        let later = self.unsynced.split_off(last + 1);
        for change in std::mem::replace(&mut self.unsynced, later) {
            if self.is_unordered && !change.concerns(dir) {
                self.unsynced.push(change);
            } else {
                apply(&mut self.durable, &change);
            }
        }
    }

    /// The power goes. Gives how many changes are lost.
    pub(super) fn lose(&mut self, numbers: &mut Numbers) -> u64 {
        let count = self.unsynced.len() as u64;
        let (kept, mut lost) = (numbers.below(count + 1), 0);
        for (at, change) in (0..).zip(std::mem::take(&mut self.unsynced)) {
            if if self.is_unordered { numbers.once_in(2) } else { at < kept } {
                apply(&mut self.durable, &change);
            } else {
                lost += 1;
            }
        }
        self.now = self.durable.clone();
        lost
    }
}
