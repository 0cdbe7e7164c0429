//! What a record refers to, read from the disk of this replica or asked of a program.

use super::connect::{ConnectError, ConnectOptions, Origin};
use super::kubeconfig::{self, Chosen};
use crate::Access;
use crate::limits::{BUILD_DEADLINE_MS, CREDENTIAL_BYTES_MAX};
use crate::plugins::Given;
use k8s_openapi::ByteString;
use kube::Config;
use kube::config::{AuthInfo, Cluster};
use serde_json::{Value, json};
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tallyman_model::record::{Credentials, Server, User};

/// Credentials as they are now.
pub(super) struct Read {
    pub(super) config: Config,
    /// Another one means that something has changed.
    pub(super) print: u64,
}

/// Reads them, with what a program has `given`. `None` if they are still those of the fingerprint `known`.
pub(super) async fn read(
    options: &ConnectOptions,
    given: Option<Given>,
    known: Option<u64>,
) -> Result<Option<Read>, ConnectError> {
    let (credentials, access) = (options.credentials.clone(), options.access.clone());
    let of = Origin::of(&credentials);
    let runtime = tokio::runtime::Handle::current();
    // On a thread of its own: files may lie on a file system that hangs.
    let work = tokio::task::spawn_blocking(move || {
        let of = Origin::of(&credentials);
        let mut chosen = choose(&credentials, &access, given.as_ref())?;
        let print = print(&of, &chosen, &access)?;
        if known == Some(print) {
            return Ok(None);
        }
        take_token(&of, &mut chosen)?;
        let config = runtime.block_on(kubeconfig::config(&of, chosen))?;
        Ok(Some(Read { config, print }))
    });
    match tokio::time::timeout(Duration::from_millis(BUILD_DEADLINE_MS), work).await {
        Ok(Ok(read)) => read,
        Ok(Err(panicked)) => {
            Err(ConnectError::Credentials { of, what: "reading them failed", source: panicked.into() })
        }
        Err(_) => Err(ConnectError::Deadline { of }),
    }
}

/// Asks the program, if the record names one.
pub(super) async fn give(options: &ConnectOptions) -> Result<Option<Given>, ConnectError> {
    let Some(server) = &options.credentials.server else { return Ok(None) };
    let User::Provider(provider) = &server.user else { return Ok(None) };
    let plugins = options.access.plugins.as_ref().ok_or(ConnectError::NoProviders)?;
    Ok(Some(plugins.credential(server, provider).await?))
}

fn choose(credentials: &Credentials, access: &Access, given: Option<&Given>) -> Result<Chosen, ConnectError> {
    let Some(server) = &credentials.server else {
        let path = Path::new(&credentials.kubeconfig);
        inside(path, access)?;
        return kubeconfig::read(path, credentials.context.as_deref());
    };
    let of = Origin::of(credentials);
    let unusable = |source: serde_json::Error| ConnectError::Credentials {
        of: of.clone(),
        what: "what the program gave",
        source: source.into(),
    };
    // By its JSON: the tokens of kube are of a type that it does not hand out.
    let user: AuthInfo = serde_json::from_value(user(server, given)).map_err(unusable)?;
    let chosen = Chosen { context: String::new(), cluster: cluster(server), user };
    if access.dir.is_none()
        && let Some((what, path)) = chosen.files().into_iter().next()
    {
        return Err(ConnectError::NoDirectory { what, path });
    }
    Ok(chosen)
}

fn cluster(server: &Server) -> Cluster {
    Cluster {
        server: Some(server.url.clone()),
        certificate_authority: server.authority_file.clone(),
        certificate_authority_data: server.authority_data.clone(),
        tls_server_name: server.tls_name.clone(),
        ..Cluster::default()
    }
}

fn user(server: &Server, given: Option<&Given>) -> Value {
    let base64 = |pem: &str| ByteString(pem.as_bytes().to_vec());
    match (&server.user, given) {
        (User::TokenFile(path), _) => json!({"tokenFile": path}),
        (User::Certificate { certificate, key }, _) => {
            json!({"client-certificate": certificate, "client-key": key})
        }
        (User::Provider(_), Some(given)) => {
            let (certificate, key) = given
                .certificate
                .as_ref()
                .map(|(certificate, key)| (base64(certificate), base64(key)))
                .unzip();
            json!({"token": given.token, "client-certificate-data": certificate, "client-key-data": key})
        }
        (User::Anonymous | User::Provider(_), _) => json!({}),
    }
}

/// Puts the token where the file was: kube would keep what it has read for a minute, and take the line's end for a part of
/// it.
fn take_token(of: &Origin, chosen: &mut Chosen) -> Result<(), ConnectError> {
    let Some(path) = chosen.user.token_file.take() else { return Ok(()) };
    let what = "token file";
    let unusable =
        |source: Box<dyn Error + Send + Sync>| ConnectError::Credentials { of: of.clone(), what, source };
    let text =
        String::from_utf8(bytes(what, Path::new(&path))?).map_err(|_| unusable("it is no text".into()))?;
    let mut user = serde_json::to_value(&chosen.user).map_err(|error| unusable(error.into()))?;
    if let Some(fields) = user.as_object_mut().filter(|fields| !fields.contains_key("token")) {
        fields.insert("token".to_owned(), Value::String(text.trim().to_owned()));
    }
    chosen.user = serde_json::from_value(user).map_err(|error| unusable(error.into()))?;
    Ok(())
}

/// A number that is another one as soon as anything of the credentials is.
fn print(of: &Origin, chosen: &Chosen, access: &Access) -> Result<u64, ConnectError> {
    let mut hasher = DefaultHasher::new();
    let unusable = |source: serde_json::Error| ConnectError::Credentials {
        of: of.clone(),
        what: "context, cluster or user",
        source: source.into(),
    };
    serde_json::to_vec(&chosen.cluster).map_err(unusable)?.hash(&mut hasher);
    serde_json::to_vec(&chosen.user).map_err(unusable)?.hash(&mut hasher);
    for (what, path) in chosen.files() {
        inside(&path, access)?;
        bytes(what, &path)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

pub(super) fn bytes(what: &'static str, path: &Path) -> Result<Vec<u8>, ConnectError> {
    let failed = |source| ConnectError::File { what, path: path.to_owned(), source };
    let known = std::fs::metadata(path).map_err(failed)?;
    if !known.is_file() || known.len() > CREDENTIAL_BYTES_MAX {
        return Err(ConnectError::NoCredential { what, path: path.to_owned() });
    }
    std::fs::read(path).map_err(failed)
}

/// Whatever links a path goes through, what is read must be where the operator lets it be. A path that leads nowhere is
/// told of when it is read.
fn inside(path: &Path, access: &Access) -> Result<(), ConnectError> {
    let Some(dir) = &access.dir else { return Ok(()) };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    if real(path).starts_with(real(dir)) {
        return Ok(());
    }
    Err(ConnectError::Outside { path: path.to_owned(), dir: dir.clone() })
}
