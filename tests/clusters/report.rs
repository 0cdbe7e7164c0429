//! What is printed, for people and for `tests/clusters/run`.

use std::fs;
use std::io::Write;
use std::path::Path;

/// Tables, each with its head.
#[derive(Clone, Copy)]
pub(crate) enum Table {
    /// How long things take.
    Times,
    /// Numbers of other kinds.
    Figures,
    /// Of how many cores who takes what.
    Cores,
    /// What a run and a cluster at rest cost a kube-apiserver.
    Requests,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Times => "times",
            Self::Figures => "figures",
            Self::Cores => "cores",
            Self::Requests => "requests",
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Times => "| what | times | p50 | p99 | worst | asked for |\n|---|---|---|---|---|---|",
            Self::Figures => "| what | measured | asked for |\n|---|---|---|",
            Self::Cores => {
                "| cores used | leader | followers | clusters, load and readers | leader's MiB |\n|---|---|---|---|---|"
            }
            Self::Requests => "| request | of a run | of a cluster, a minute at rest |\n|---|---|---|",
        }
    }

    /// Prints a row. If `CLUSTERS_REPORT` names a directory, it is also added to the file of the table there, of which
    /// the first row is preceded by the head.
    pub(crate) fn add(self, row: &str) {
        eprintln!("{row}");
        #[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
        let Ok(folder) = std::env::var("CLUSTERS_REPORT") else { return };
        let path = Path::new(&folder).join(self.name()).with_extension("md");
        let head = if path.exists() { String::new() } else { format!("{}\n", self.head()) };
        let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{head}{row}\n").as_bytes()).unwrap();
    }
}

/// `asked`, and whether that is what was measured.
pub(crate) fn verdict(asked: &str, is_met: bool) -> String {
    format!("{asked}: {}", if is_met { "met" } else { "**missed**" })
}
