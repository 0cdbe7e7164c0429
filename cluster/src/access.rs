//! What the operator of a replica lets clusters' records use of its machine.

use crate::plugins::Plugins;
use std::path::PathBuf;
use std::sync::Arc;

/// What may be used to reach clusters. By default kubeconfigs, wherever they are, and nothing else.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The directory of the files that clusters' records name: what is not in it is not read. Without one, a record may
    /// name kubeconfigs only: whoever writes a server's address beside a file's path gets what is in the file.
    pub dir: Option<PathBuf>,
    /// The programs that give credentials; `None`: none are started.
    pub plugins: Option<Arc<Plugins>>,
}
