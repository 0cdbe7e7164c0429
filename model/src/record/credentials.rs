//! How a cluster is reached: references to files on the replicas, never the secret itself.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the credentials are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Absolute path of a kubeconfig that every replica can read; empty where `server` is given.
    pub kubeconfig: String,
    /// The context to use; `None`: its current one.
    pub context: Option<String>,
    /// The server itself, instead of a kubeconfig.
    pub server: Option<Box<Server>>,
}

impl Credentials {
    /// Those of a kubeconfig.
    #[must_use]
    pub fn kubeconfig(path: impl Into<String>, context: Option<String>) -> Self {
        Self { kubeconfig: path.into(), context, server: None }
    }

    /// Those of a server.
    #[must_use]
    pub fn server(server: Server) -> Self {
        Self { server: Some(Box::new(server)), ..Self::default() }
    }
}

/// A kube-apiserver, how it is known, and who we are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its URL.
    pub url: String,
    /// The name in its certificate; `None`: that of the URL.
    pub tls_name: Option<String>,
    /// Absolute path of the certificates of its authority, in PEM.
    pub authority_file: Option<String>,
    /// These certificates themselves, in PEM and base64: they are no secret.
    pub authority_data: Option<String>,
    /// Who we are there.
    pub user: User,
}

/// Who we are on a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// Whoever has the token in the file of this absolute path, as a projected one of a service account.
    TokenFile(String),
    /// Whoever the certificate names.
    Certificate {
        /// Absolute path of the certificate, in PEM.
        certificate: String,
        /// Absolute path of its key, in PEM.
        key: String,
    },
    /// Whoever a program of the operator's provider file says.
    Provider(Provider),
}

/// A program that gives credentials, by its name in the operator's provider file, and what a cluster adds to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The provider's name there.
    pub name: String,
    /// What is passed to it as `spec.cluster.config`, as JSON.
    pub config: Option<String>,
    /// More arguments; they count only where the provider file lets a profile add some.
    pub args: Vec<String>,
    /// More of its environment; likewise.
    pub envs: BTreeMap<String, String>,
}

impl Provider {
    /// How long what a cluster adds is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let args: usize = self.args.iter().map(String::len).sum();
        let envs: usize = self.envs.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.config.as_ref().map_or(0, String::len) + args + envs
    }
}
