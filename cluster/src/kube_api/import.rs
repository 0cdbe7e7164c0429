//! A kubeconfig's context as a cluster's record has it: the server itself, and files for what is secret.

use super::connect::{ConnectError, Origin};
use super::kubeconfig::{self, Chosen};
use super::source::bytes;
use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::path::Path;
use tallyman_model::record::{Server, User};

/// What a kubeconfig's context names.
#[derive(Debug)]
pub struct Imported {
    /// The context.
    pub context: String,
    /// How it is reached. Where there is something `inline`, the user is to be added.
    pub server: Server,
    /// Credentials that stand in the kubeconfig itself: no record takes them, so they are to be put into files.
    pub inline: Option<Inline>,
}

/// Credentials themselves. Their `Debug` form shows none of them.
pub enum Inline {
    /// A bearer token.
    Token(String),
    /// Both in PEM.
    Certificate {
        /// The certificate.
        certificate: Vec<u8>,
        /// Its key.
        key: Vec<u8>,
    },
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::Certificate { .. } => "Certificate",
        })
    }
}

/// What of a user may stand in the file itself.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Own {
    token: Option<String>,
    client_certificate_data: Option<ByteString>,
    client_key_data: Option<ByteString>,
}

/// Reads a kubeconfig by the same rules as a replica does. It blocks on the disk, and asks nobody.
///
/// # Errors
/// What cannot be used of it, by its field.
pub fn import(path: &Path, context: Option<&str>) -> Result<Imported, ConnectError> {
    let Chosen { context, cluster, user } = kubeconfig::read(path, context)?;
    let of = Origin::Kubeconfig(path.to_owned());
    let unusable =
        |what| move |source: serde_json::Error| ConnectError::Credentials { of, what, source: source.into() };
    let authority_data = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) => Some(data.clone()),
        (None, Some(path)) => base64(bytes("certificate authority", Path::new(path))?),
        (None, None) => None,
    };
    let own = |value: Value| serde_json::from_value::<Own>(value);
    let own =
        serde_json::to_value(&user).and_then(own).map_err(unusable("what stands in it is not base64"))?;
    let certificate = own.client_certificate_data.zip(own.client_key_data);
    let files = user.client_certificate.zip(user.client_key);
    let (who, inline) = match (own.token, user.token_file, certificate, files) {
        (Some(token), ..) => (User::Anonymous, Some(Inline::Token(token))),
        (_, Some(path), ..) => (User::TokenFile(path), None),
        (.., Some((certificate, key)), _) => {
            (User::Anonymous, Some(Inline::Certificate { certificate: certificate.0, key: key.0 }))
        }
        (.., Some((certificate, key))) => (User::Certificate { certificate, key }, None),
        _ => (User::Anonymous, None),
    };
    let server = Server {
        url: cluster.server.unwrap_or_default(),
        tls_name: cluster.tls_server_name,
        authority_file: None,
        authority_data,
        user: who,
    };
    Ok(Imported { context, server, inline })
}

fn base64(bytes: Vec<u8>) -> Option<String> {
    serde_json::to_value(ByteString(bytes)).ok()?.as_str().map(str::to_owned)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(cluster: &str, user: &str) -> Result<Imported, ConnectError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubeconfig");
        std::fs::write(dir.path().join("ca.pem"), "ca").unwrap();
        let text = format!(
            "{{current-context: c, contexts: [{{name: c, context: {{cluster: k, user: u}}}}], \
             clusters: [{{name: k, cluster: {{server: 'https://k'{cluster}}}}}], users: [{{name: u, user: {{{user}}}}}]}}"
        );
        std::fs::write(&path, text).unwrap();
        import(&path, None)
    }

    #[test]
    fn an_authority_goes_into_the_record_and_files_stay_files() {
        let imported = read(", certificate-authority: ca.pem, tls-server-name: n", "tokenFile: /t").unwrap();
        assert_eq!(imported.context, "c");
        assert_eq!(imported.server.authority_data.as_deref(), Some("Y2E="));
        assert_eq!(imported.server.tls_name.as_deref(), Some("n"));
        assert_eq!(imported.server.user, User::TokenFile("/t".to_owned()));
        assert!(imported.inline.is_none());
    }

    #[test]
    fn what_is_secret_is_apart_from_the_record_and_not_shown() {
        let imported = read("", "token: s3cr3t").unwrap();
        assert!(matches!(&imported.inline, Some(Inline::Token(token)) if token == "s3cr3t"));
        assert!(!format!("{imported:?}").contains("s3cr3t"));
        let imported = read("", "client-certificate-data: Y2VydA==, client-key-data: a2V5").unwrap();
        assert_eq!(imported.server.user, User::Anonymous);
        assert!(
            matches!(imported.inline, Some(Inline::Certificate { certificate, key }) if certificate == b"cert" && key == b"key")
        );
    }

    #[test]
    fn what_a_replica_would_refuse_is_refused() {
        for (cluster, user, field) in [
            ("", "exec: {command: rm, apiVersion: v1}", "user.exec"),
            ("", "auth-provider: {name: gcp}", "user.auth-provider"),
            ("", "token: t, as: root", "user.as"),
            (", proxy-url: 'http://p'", "", "cluster.proxy-url"),
            (", insecure-skip-tls-verify: true", "", "cluster.insecure-skip-tls-verify"),
        ] {
            let error = read(cluster, user).unwrap_err().to_string();
            assert!(error.contains(&format!("{field} is refused")), "{error}");
        }
    }
}
