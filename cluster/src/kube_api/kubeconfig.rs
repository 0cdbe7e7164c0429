//! Kubeconfigs: a strict subset, read without the environment.

use super::connect::{ConnectError, Origin};
use crate::limits::KUBECONFIG_BYTES_MAX;
use kube::Config;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo, NamedCluster,
    NamedContext,
};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A server, and who we are there. Paths are absolute.
pub(super) struct Chosen {
    /// The context that names them; empty if none does.
    pub(super) context: String,
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
}

impl Chosen {
    /// The files that it refers to, and what they are.
    pub(super) fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let (cluster, user) = (&self.cluster, &self.user);
        [
            ("certificate authority", &cluster.certificate_authority),
            ("token file", &user.token_file),
            ("client certificate", &user.client_certificate),
            ("client key", &user.client_key),
        ]
        .into_iter()
        .filter_map(|(what, path)| {
            Some((what, PathBuf::from(path.as_ref().filter(|path| !path.is_empty())?)))
        })
        .collect()
    }
}

/// Reads `path` and takes from it what `context` (or the current one) names.
pub(super) fn read(path: &Path, context: Option<&str>) -> Result<Chosen, ConnectError> {
    let file = File { path };
    let whole = file.read()?;
    let chosen = file.choose(&whole, context)?;
    let of = Origin::Kubeconfig(path.to_owned());
    check_cluster(&of, &chosen.cluster)?;
    check_user(&of, &chosen.user)?;
    Ok(chosen)
}

/// What kube makes of it. The files that it refers to are read.
pub(super) async fn config(of: &Origin, chosen: Chosen) -> Result<Config, ConnectError> {
    let name = || "chosen".to_owned();
    let context = Context { cluster: name(), user: Some(name()), ..Context::default() };
    // kube asks HTTPS_PROXY where the file names no proxy. A name in the file keeps it from doing so, and is taken
    // out again below.
    let cluster = Cluster { proxy_url: Some("http://unused.invalid".to_owned()), ..chosen.cluster };
    let strict = Kubeconfig {
        clusters: vec![NamedCluster { name: name(), cluster: Some(cluster), ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo {
            name: name(),
            auth_info: Some(chosen.user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext { name: name(), context: Some(context), ..NamedContext::default() }],
        ..Kubeconfig::default()
    };
    let options = KubeConfigOptions { context: Some(name()), ..KubeConfigOptions::default() };
    let mut config =
        Config::from_custom_kubeconfig(strict, &options).await.map_err(|error| unusable(of, error))?;
    config.proxy_url = None;
    config.default_retry = false;
    config.disable_compression = true;
    check_server(of, &config.cluster_url)?;
    Ok(config)
}

struct File<'a> {
    path: &'a Path,
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
        Ok(Chosen { context: context.to_owned(), cluster, user })
    }

    fn missing(&self, field: &str) -> ConnectError {
        ConnectError::Missing { of: Origin::Kubeconfig(self.path.to_owned()), field: field.to_owned() }
    }
}

fn check_cluster(of: &Origin, cluster: &Cluster) -> Result<(), ConnectError> {
    if cluster.insecure_skip_tls_verify == Some(true) {
        let why = "the server would not be known; give certificate-authority-data";
        return Err(refused(of, "cluster.insecure-skip-tls-verify", why));
    }
    if cluster.proxy_url.as_deref().is_some_and(|url| !url.is_empty()) {
        return Err(refused(of, "cluster.proxy-url", "proxies are not used"));
    }
    if cluster.server.as_deref().is_none_or(str::is_empty) {
        return Err(ConnectError::Missing { of: of.clone(), field: "cluster.server".to_owned() });
    }
    Ok(())
}

fn check_user(of: &Origin, user: &AuthInfo) -> Result<(), ConnectError> {
    let impersonates = user.impersonate.is_some()
        || user.impersonate_uid.is_some()
        || user.impersonate_groups.is_some()
        || user.impersonate_user_extra.is_some();
    let faults = [
        (user.exec.is_some(), "user.exec", "no programs are started; give a token file or a certificate"),
        (user.auth_provider.is_some(), "user.auth-provider", "give a token file or a certificate"),
        (
            user.username.is_some() || user.password.is_some(),
            "user.username",
            "passwords are not used; give a token file or a certificate",
        ),
        (impersonates, "user.as", "nobody is impersonated; give an account of its own to Tallyman"),
    ];
    faults
        .into_iter()
        .find(|(is_there, ..)| *is_there)
        .map_or(Ok(()), |(_, field, why)| Err(refused(of, field, why)))
}

fn check_server(of: &Origin, server: &hyper::Uri) -> Result<(), ConnectError> {
    let host = server.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match server.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback => Ok(()),
        Some("http") => Err(refused(of, "cluster.server", "http is only for loopback addresses")),
        _ => Err(refused(of, "cluster.server", "it is no https URL")),
    }
}

fn refused(of: &Origin, field: &str, why: &'static str) -> ConnectError {
    ConnectError::Refused { of: of.clone(), field: field.to_owned(), why }
}

fn unusable(of: &Origin, error: KubeconfigError) -> ConnectError {
    let what = match &error {
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            "certificate-authority"
        }
        KubeconfigError::LoadClientCertificate(_) => "client-certificate",
        KubeconfigError::LoadClientKey(_) => "client-key",
        KubeconfigError::ParseClusterUrl(_) => return refused(of, "cluster.server", "it is no URL"),
        _ => "context, cluster or user",
    };
    ConnectError::Credentials { of: of.clone(), what, source: error.into() }
}

#[cfg(test)]
mod tests;
