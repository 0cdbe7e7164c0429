//! `tallyman cluster import`: registers the cluster that a kubeconfig names, without the kubeconfig.

use super::COLUMNS;
use super::add::{labels, sent};
use crate::bundle::API_VERSION;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::verb::ChangeOptions;
use serde_json::{Map, Value, json};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tallyman_cluster::{Imported, Inline, import};
use tallyman_model::explain;
use tallyman_model::record::User;

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster import --kubeconfig ~/.kube/config --context east
  tallyman cluster import east-1 --kubeconfig east.kubeconfig --credentials-dir /etc/tallyman/clusters

Taken are the server, its authority and the names of files. A token or a key that stands in the kubeconfig itself is
taken by no server: with --credentials-dir it is written there, readable by its owner only, and the cluster refers to
that file. The files must be on every replica under the same path, in the directory that the servers' configuration
names as cluster_credentials_dir; they are read again when they change. Refused are programs (exec), auth providers,
passwords, proxies, impersonation, and servers that are not to be verified.

Exit codes: 4 there is one of that name, or a file of it";

/// Register the cluster that a kubeconfig names
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Import {
    /// Its name (default: that of the context)
    #[arg(value_name = "CLUSTER")]
    name: Option<String>,
    /// A kubeconfig on this machine
    #[arg(long, value_name = "PATH")]
    kubeconfig: PathBuf,
    /// The context in it (default: its current one)
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Where a token or a key is written that stands in the kubeconfig itself
    #[arg(long, value_name = "DIR")]
    credentials_dir: Option<PathBuf>,
    /// A label for placements to select on
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
    /// Give it no work yet
    #[arg(long)]
    cordoned: bool,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Import {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let imported = import(&self.kubeconfig, self.context.as_deref()).map_err(|error| {
            Failure::new(
                Exit::Failed,
                explain(&error),
                "give Tallyman an account of its own: tallyman cluster role --help",
            )
        })?;
        let name = self.name.clone().unwrap_or_else(|| imported.context.clone());
        let user = match &imported.inline {
            None => imported.server.user.clone(),
            Some(inline) => self.put(&name, inline)?,
        };
        let document = json!({
            "apiVersion": API_VERSION, "kind": "Cluster",
            "metadata": {"name": name, "labels": labels(&self.labels)?},
            "spec": {"server": server(&imported, &user), "cordoned": self.cordoned},
        });
        let repeat = format!("tallyman cluster import {name} --kubeconfig {}", self.kubeconfig.display());
        sent(client, &document, self.change.key(), &repeat, &self.output, &COLUMNS).await
    }

    /// Puts credentials into files.
    fn put(&self, name: &str, inline: &Inline) -> Result<User, Failure> {
        let Some(dir) = &self.credentials_dir else {
            let message =
                "the kubeconfig holds the token or key itself, and Tallyman keeps none: it refers to files";
            let attempt = "--credentials-dir DIR writes them into files; every replica must have these under the same \
                path, in its cluster_credentials_dir";
            return Err(Failure::new(Exit::Failed, message, attempt));
        };
        let write = |ending: &str, bytes: &[u8]| {
            let path =
                std::path::absolute(dir).unwrap_or_else(|_| dir.clone()).join(format!("{name}.{ending}"));
            write(&path, bytes).map(|()| path.display().to_string())
        };
        Ok(match inline {
            Inline::Token(token) => User::TokenFile(write("token", token.as_bytes())?),
            Inline::Certificate { certificate, key } => {
                User::Certificate { certificate: write("crt", certificate)?, key: write("key", key)? }
            }
        })
    }
}

/// Never over a file that is there: another cluster may use it. The same content is as good as written.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let options = fs::File::options().write(true).create_new(true).mode(0o600).open(path);
    let failed = |error: std::io::Error| {
        let message = format!("failed to write {}: {error}", path.display());
        let exit =
            if error.kind() == std::io::ErrorKind::AlreadyExists { Exit::Conflict } else { Exit::Failed };
        Failure::new(exit, message, "choose another directory or name, or remove the file")
    };
    match options {
        Ok(mut file) => file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed),
        Err(_) if fs::read(path).is_ok_and(|there| there == bytes) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn server(imported: &Imported, user: &User) -> Value {
    let server = &imported.server;
    let mut document = Map::from_iter([("url".to_owned(), json!(server.url))]);
    let mut set = |field: &str, value: Option<&String>| {
        document.extend(value.map(|value| (field.to_owned(), json!(value))));
    };
    set("tlsServerName", server.tls_name.as_ref());
    set("certificateAuthorityData", server.authority_data.as_ref());
    match user {
        User::TokenFile(path) => set("tokenFile", Some(path)),
        User::Certificate { certificate, key } => {
            set("clientCertificateFile", Some(certificate));
            set("clientKeyFile", Some(key));
        }
        User::Anonymous | User::Provider(_) => {}
    }
    Value::Object(document)
}
