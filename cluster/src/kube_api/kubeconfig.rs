//! Kubeconfigs: a strict subset, read without the environment.

use super::connect::ConnectError;
use crate::limits::KUBECONFIG_BYTES_MAX;
use kube::Config;
use kube::config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::net::IpAddr;
use std::path::Path;

/// Reads `path` and takes from it what `context` (or the current one) names.
pub(super) async fn load(path: &Path, context: Option<&str>) -> Result<Config, ConnectError> {
    let file = File { path };
    let whole = file.read()?;
    let chosen = file.choose(&whole, context)?;
    file.check_cluster(&chosen.cluster)?;
    file.check_user(&chosen.user)?;
    // kube asks HTTPS_PROXY where the file names no proxy. A name in the file keeps it from doing so, and is taken
    // out again below.
    let strict = Kubeconfig {
        clusters: vec![named_cluster(&chosen, "http://unused.invalid")],
        auth_infos: whole.auth_infos.into_iter().filter(|info| info.name == chosen.user_name).collect(),
        contexts: whole.contexts.into_iter().filter(|named| named.name == chosen.context).collect(),
        ..Kubeconfig::default()
    };
    let options = KubeConfigOptions { context: Some(chosen.context), ..KubeConfigOptions::default() };
    let mut config =
        Config::from_custom_kubeconfig(strict, &options).await.map_err(|error| file.unusable(error))?;
    config.proxy_url = None;
    config.default_retry = false;
    config.disable_compression = true;
    file.check_server(&config.cluster_url)?;
    Ok(config)
}

struct File<'a> {
    path: &'a Path,
}

struct Chosen {
    context: String,
    cluster_name: String,
    cluster: Cluster,
    user_name: String,
    user: AuthInfo,
}

impl File<'_> {
    fn read(&self) -> Result<Kubeconfig, ConnectError> {
        let path = || self.path.to_owned();
        let known =
            std::fs::metadata(self.path).map_err(|source| ConnectError::Read { path: path(), source })?;
        if !known.is_file() || known.len() > KUBECONFIG_BYTES_MAX {
            return Err(ConnectError::NoFile { path: path() });
        }
        Kubeconfig::read_from(self.path).map_err(|error| match error {
            KubeconfigError::ReadConfig(source, _) => ConnectError::Read { path: path(), source },
            // The parser's words quote the file, and the file holds secrets.
            KubeconfigError::Parse(error) => {
                let at = error.location();
                let (line, column) = at.map_or((0, 0), |at| (at.line(), at.column()));
                ConnectError::Parse { path: path(), line, column }
            }
            _ => ConnectError::Parse { path: path(), line: 0, column: 0 },
        })
    }

    fn choose(&self, whole: &Kubeconfig, context: Option<&str>) -> Result<Chosen, ConnectError> {
        let context = context.or(whole.current_context.as_deref()).filter(|name| !name.is_empty());
        let context = context.ok_or_else(|| self.missing("current-context"))?;
        let named = whole.contexts.iter().find(|named| named.name == context);
        let found = named.and_then(|named| named.context.as_ref());
        let found = found.ok_or_else(|| self.missing(&format!("context {context}")))?;
        let cluster = whole.clusters.iter().find(|named| named.name == found.cluster);
        let cluster = cluster.and_then(|named| named.cluster.clone());
        let cluster = cluster.ok_or_else(|| self.missing(&format!("cluster {}", found.cluster)))?;
        let user_name = found.user.clone().unwrap_or_default();
        let user = whole.auth_infos.iter().find(|info| info.name == user_name);
        if user.is_none() && !user_name.is_empty() {
            return Err(self.missing(&format!("user {user_name}")));
        }
        let user = user.and_then(|named| named.auth_info.clone()).unwrap_or_default();
        Ok(Chosen {
            context: context.to_owned(),
            cluster_name: found.cluster.clone(),
            cluster,
            user_name,
            user,
        })
    }

    fn check_cluster(&self, cluster: &Cluster) -> Result<(), ConnectError> {
        if cluster.insecure_skip_tls_verify == Some(true) {
            let why = "the server would not be known; give certificate-authority-data";
            return Err(self.refused("cluster.insecure-skip-tls-verify", why));
        }
        if cluster.proxy_url.as_deref().is_some_and(|url| !url.is_empty()) {
            return Err(self.refused("cluster.proxy-url", "proxies are not used"));
        }
        if cluster.server.as_deref().is_none_or(str::is_empty) {
            return Err(self.missing("cluster.server"));
        }
        Ok(())
    }

    fn check_user(&self, user: &AuthInfo) -> Result<(), ConnectError> {
        if user.exec.is_some() {
            return Err(
                self.refused("user.exec", "no programs are started; give a token file or a certificate")
            );
        }
        if user.auth_provider.is_some() {
            return Err(self.refused("user.auth-provider", "give a token file or a certificate"));
        }
        if user.username.is_some() || user.password.is_some() {
            return Err(
                self.refused("user.username", "passwords are not used; give a token file or a certificate")
            );
        }
        Ok(())
    }

    fn check_server(&self, server: &hyper::Uri) -> Result<(), ConnectError> {
        let host = server.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        match server.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if is_loopback => Ok(()),
            Some("http") => Err(self.refused("cluster.server", "http is only for loopback addresses")),
            _ => Err(self.refused("cluster.server", "it is no https URL")),
        }
    }

    fn missing(&self, field: &str) -> ConnectError {
        ConnectError::Missing { path: self.path.to_owned(), field: field.to_owned() }
    }

    fn refused(&self, field: &str, why: &'static str) -> ConnectError {
        ConnectError::Refused { path: self.path.to_owned(), field: field.to_owned(), why }
    }

    fn unusable(&self, error: KubeconfigError) -> ConnectError {
        let what = match &error {
            KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
                "certificate-authority"
            }
            KubeconfigError::LoadClientCertificate(_) => "client-certificate",
            KubeconfigError::LoadClientKey(_) => "client-key",
            KubeconfigError::ParseClusterUrl(_) => return self.refused("cluster.server", "it is no URL"),
            _ => "context, cluster or user",
        };
        ConnectError::Credentials { path: self.path.to_owned(), what, source: error.into() }
    }
}

fn named_cluster(chosen: &Chosen, proxy: &str) -> kube::config::NamedCluster {
    let cluster = Cluster { proxy_url: Some(proxy.to_owned()), ..chosen.cluster.clone() };
    kube::config::NamedCluster {
        name: chosen.cluster_name.clone(),
        cluster: Some(cluster),
        ..kube::config::NamedCluster::default()
    }
}

#[cfg(test)]
mod tests;
