//! The operator's provider file, and what of it and of a cluster makes up one run of a program.

use super::PluginError;
use crate::limits::PROVIDER_FILE_BYTES_MAX;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tallyman_model::record::{Provider, Server};

/// The versions of the protocol that are spoken.
const VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

pub(super) struct Providers {
    path: PathBuf,
    all: Vec<Entry>,
}

#[derive(Deserialize)]
struct Whole {
    providers: Vec<Entry>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    exec_config: Exec,
    #[serde(default, rename = "profileSourcedCLIArgsPolicy")]
    args_policy: ArgsPolicy,
    #[serde(default, rename = "profileSourcedEnvVarsPolicy")]
    envs_policy: EnvsPolicy,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exec {
    api_version: String,
    command: String,
    #[serde(default)]
    args: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<Variable>>,
    #[serde(default)]
    provide_cluster_info: bool,
}

#[derive(Clone, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

/// Whoever writes a profile must not be able to say how a program is run, unless the operator lets them.
#[derive(Clone, Copy, Default, Deserialize)]
enum ArgsPolicy {
    #[default]
    Ignore,
    Append,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum EnvsPolicy {
    #[default]
    Ignore,
    AppendIfNotExists,
    Replace,
}

/// One run of a program, made anew for each cluster: nothing of one gets to another.
pub(super) struct Prepared {
    pub(super) api_version: String,
    pub(super) command: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) envs: BTreeMap<String, String>,
    /// The value of `KUBERNETES_EXEC_INFO`.
    pub(super) info: String,
}

impl Prepared {
    /// The same for all runs that give the same.
    pub(super) fn key(&self) -> String {
        json!([self.command, self.args, self.envs, self.info]).to_string()
    }
}

impl Providers {
    pub(super) async fn read(path: &Path) -> Result<Self, PluginError> {
        let unusable = |why: String| PluginError::File { path: path.to_owned(), why };
        let known = tokio::fs::metadata(path).await.map_err(|error| unusable(error.to_string()))?;
        if !known.is_file() || known.len() > PROVIDER_FILE_BYTES_MAX {
            return Err(unusable(format!("it is not a file of at most {PROVIDER_FILE_BYTES_MAX} bytes")));
        }
        let bytes = tokio::fs::read(path).await.map_err(|error| unusable(error.to_string()))?;
        // Only where: the words of the parser quote the file, and its environments may be secret.
        let whole: Whole = serde_json::from_slice(&bytes).map_err(|error| {
            unusable(format!(
                "it is not {{\"providers\": [{{\"name\", \"execConfig\": {{\"apiVersion\", \"command\"}}}}]}} at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        Ok(Self { path: path.to_owned(), all: whole.providers })
    }

    pub(super) fn first_of(&self, names: &[&str]) -> Option<&str> {
        self.all.iter().map(|entry| entry.name.as_str()).find(|name| names.contains(name))
    }

    pub(super) fn prepare(&self, server: &Server, provider: &Provider) -> Result<Prepared, PluginError> {
        let Some(entry) = self.all.iter().find(|entry| entry.name == provider.name) else {
            let names: Vec<&str> = self.all.iter().map(|entry| entry.name.as_str()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(PluginError::NoProvider {
                name: provider.name.clone(),
                path: self.path.clone(),
                known,
            });
        };
        let exec = &entry.exec_config;
        if !VERSIONS.contains(&exec.api_version.as_str()) {
            let why =
                format!("execConfig.apiVersion of {:?} must be one of {}", entry.name, VERSIONS.join(", "));
            return Err(PluginError::File { path: self.path.clone(), why });
        }
        Ok(Prepared {
            api_version: exec.api_version.clone(),
            command: self.command(&exec.command),
            args: args(entry, provider),
            envs: envs(entry, provider),
            info: info(exec, server, provider),
        })
    }

    /// A bare name is looked for in PATH, a relative path starts at the file.
    fn command(&self, command: &str) -> PathBuf {
        match self.path.parent() {
            Some(dir) if command.contains('/') => dir.join(command),
            _ => PathBuf::from(command),
        }
    }
}

fn args(entry: &Entry, provider: &Provider) -> Vec<String> {
    let mut args = entry.exec_config.args.clone().unwrap_or_default();
    if let ArgsPolicy::Append = entry.args_policy {
        args.extend(provider.args.iter().cloned());
    }
    args
}

fn envs(entry: &Entry, provider: &Provider) -> BTreeMap<String, String> {
    let own = entry.exec_config.env.iter().flatten();
    let mut envs: BTreeMap<String, String> =
        own.map(|variable| (variable.name.clone(), variable.value.clone())).collect();
    for (name, value) in &provider.envs {
        match entry.envs_policy {
            EnvsPolicy::Ignore => {}
            EnvsPolicy::AppendIfNotExists => {
                envs.entry(name.clone()).or_insert_with(|| value.clone());
            }
            EnvsPolicy::Replace => {
                envs.insert(name.clone(), value.clone());
            }
        }
    }
    envs
}

fn info(exec: &Exec, server: &Server, provider: &Provider) -> String {
    let mut spec = Map::from_iter([("interactive".to_owned(), Value::Bool(false))]);
    if exec.provide_cluster_info {
        let mut cluster = Map::from_iter([("server".to_owned(), json!(server.url))]);
        let config = provider.config.as_ref().and_then(|config| serde_json::from_str(config).ok());
        for (field, value) in [
            ("tls-server-name", server.tls_name.as_ref().map(|name| json!(name))),
            ("certificate-authority-data", server.authority_data.as_ref().map(|data| json!(data))),
            ("config", config),
        ] {
            cluster.extend(value.map(|value| (field.to_owned(), value)));
        }
        spec.insert("cluster".to_owned(), Value::Object(cluster));
    }
    json!({"apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec}).to_string()
}

#[cfg(test)]
mod tests;
