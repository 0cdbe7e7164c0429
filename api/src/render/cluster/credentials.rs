//! How a cluster is reached: paths, and nothing of what is in the files.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tallyman_model::record::{self, User};

#[derive(Serialize)]
pub(super) struct Kubeconfig<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Server<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_server_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Provider<'a>>,
}

#[derive(Serialize)]
struct Provider<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Value>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    args: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: &'a BTreeMap<String, String>,
}

/// `None` if it is reached without one.
pub(super) fn kubeconfig(credentials: &record::Credentials) -> Option<Kubeconfig<'_>> {
    let context = credentials.context.as_deref();
    credentials.server.is_none().then_some(Kubeconfig { path: &credentials.kubeconfig, context })
}

pub(super) fn server(server: &record::Server) -> Server<'_> {
    let shown = Server {
        url: &server.url,
        tls_server_name: server.tls_name.as_deref(),
        certificate_authority_file: server.authority_file.as_deref(),
        certificate_authority_data: server.authority_data.as_deref(),
        ..Server::default()
    };
    match &server.user {
        User::Anonymous => shown,
        User::TokenFile(path) => Server { token_file: Some(path), ..shown },
        User::Certificate { certificate, key } => {
            Server { client_certificate_file: Some(certificate), client_key_file: Some(key), ..shown }
        }
        User::Provider(provider) => {
            let config = provider.config.as_ref().and_then(|config| serde_json::from_str(config).ok());
            let (args, env) = (provider.args.as_slice(), &provider.envs);
            Server { provider: Some(Provider { name: &provider.name, config, args, env }), ..shown }
        }
    }
}
