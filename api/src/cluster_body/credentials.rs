//! How a cluster is reached, as users write it: by a kubeconfig, or by its server. Either names files; what is in them
//! is not taken.

use super::Faults;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tallyman_model::limits;
use tallyman_model::record::{Credentials, Provider, Server, User};

/// Bytes of a path, a URL or a name.
const TEXT_BYTES_MAX: usize = 4096;

pub(super) fn read(spec: &mut Map<String, Value>, faults: &mut Faults) -> Credentials {
    let is_there = |field: &str| spec.get(field).is_some_and(|value| !value.is_null());
    match (is_there("kubeconfig"), is_there("server")) {
        (true, true) => faults.add("spec.server", "give this or spec.kubeconfig, not both"),
        (false, false) => faults.add(
            "spec.kubeconfig",
            "must be there, as {path: FILE, context: NAME}, or spec.server as {url, tokenFile, ...}",
        ),
        _ => {}
    }
    let mut credentials = Credentials::default();
    if let Some(value) = spec.remove("kubeconfig").filter(|value| !value.is_null()) {
        let mut fields = Fields::of("spec.kubeconfig", value, faults);
        credentials.kubeconfig = fields.path("path", faults).unwrap_or_default();
        if credentials.kubeconfig.is_empty() {
            faults.add(
                "spec.kubeconfig.path",
                "must be the absolute path of a kubeconfig file that every replica can read; credentials \
                 themselves are not taken",
            );
        }
        credentials.context = fields.text("context", faults);
        fields.finish(faults);
    }
    let server = spec.remove("server").filter(|value| !value.is_null());
    credentials.server = server.map(|value| Box::new(server_of(value, faults)));
    credentials
}

fn server_of(value: Value, faults: &mut Faults) -> Server {
    let mut fields = Fields::of("spec.server", value, faults);
    let url = fields.text("url", faults).unwrap_or_default();
    if !url.starts_with("https://") && !url.starts_with("http://") {
        faults.add("spec.server.url", "must be the URL of a kube-apiserver, https://HOST:PORT");
    }
    let server = Server {
        url,
        tls_name: fields.text("tlsServerName", faults),
        authority_file: fields.path("certificateAuthorityFile", faults),
        authority_data: fields.authority(faults),
        user: user_of(&mut fields, faults),
    };
    if server.authority_file.is_some() && server.authority_data.is_some() {
        faults.add("spec.server.certificateAuthorityData", "give this or certificateAuthorityFile, not both");
    }
    fields.finish(faults);
    server
}

fn user_of(fields: &mut Fields, faults: &mut Faults) -> User {
    let token = fields.path("tokenFile", faults);
    let certificate = fields.path("clientCertificateFile", faults);
    let key = fields.path("clientKeyFile", faults);
    let provider = fields.map.remove("provider").filter(|value| !value.is_null());
    let provider = provider.map(|value| provider_of(value, faults));
    let ways = [token.is_some(), certificate.is_some() || key.is_some(), provider.is_some()];
    if ways.iter().filter(|is_there| **is_there).count() > 1 {
        faults.add(
            "spec.server",
            "give one of tokenFile, clientCertificateFile with clientKeyFile, and provider",
        );
    }
    match (token, certificate, key, provider) {
        (Some(path), ..) => User::TokenFile(path),
        (_, Some(certificate), Some(key), _) => User::Certificate { certificate, key },
        (_, Some(_), None, _) => {
            faults.add("spec.server.clientKeyFile", "must be there, beside clientCertificateFile");
            User::Anonymous
        }
        (_, None, Some(_), _) => {
            faults.add("spec.server.clientCertificateFile", "must be there, beside clientKeyFile");
            User::Anonymous
        }
        (.., Some(provider)) => User::Provider(provider),
        _ => User::Anonymous,
    }
}

fn provider_of(value: Value, faults: &mut Faults) -> Provider {
    let mut fields = Fields::of("spec.server.provider", value, faults);
    let name = fields.text("name", faults).unwrap_or_default();
    if name.is_empty() {
        faults.add(
            "spec.server.provider.name",
            "must be the name of a provider in the operator's provider file",
        );
    }
    let config = fields.map.remove("config").filter(|value| !value.is_null()).map(|value| value.to_string());
    let args = match fields.map.remove("args") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => serde_json::from_value(value).unwrap_or_else(|_| {
            faults.add("spec.server.provider.args", "must be a list of strings");
            Vec::new()
        }),
    };
    let envs: BTreeMap<String, String> = faults.strings(&mut fields.map, "spec.server.provider", "env");
    fields.finish(faults);
    let provider = Provider { name, config, args, envs };
    if provider.bytes() > limits::PROVIDER_BYTES_MAX {
        let most = limits::PROVIDER_BYTES_MAX;
        faults.add("spec.server.provider", format!("config, args and env may have {most} bytes together"));
    }
    provider
}

/// The fields of one object; what is wrong is told of without a value, which may be a credential at a wrong place.
struct Fields {
    at: &'static str,
    map: Map<String, Value>,
}

impl Fields {
    fn of(at: &'static str, value: Value, faults: &mut Faults) -> Self {
        let map = match value {
            Value::Object(map) => map,
            _ => {
                faults.add(at, "must be an object");
                Map::new()
            }
        };
        Self { at, map }
    }

    fn text(&mut self, field: &str, faults: &mut Faults) -> Option<String> {
        match self.map.remove(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if !text.is_empty() && text.len() <= TEXT_BYTES_MAX => Some(text),
            Some(_) => {
                let message = format!("must be a string of 1 to {TEXT_BYTES_MAX} bytes");
                faults.add(format!("{}.{field}", self.at), message);
                None
            }
        }
    }

    fn path(&mut self, field: &str, faults: &mut Faults) -> Option<String> {
        let path = self.text(field, faults)?;
        if !path.starts_with('/') {
            let message =
                "must be the absolute path of a file on the replicas; credentials themselves are not taken";
            faults.add(format!("{}.{field}", self.at), message);
        }
        Some(path)
    }

    fn authority(&mut self, faults: &mut Faults) -> Option<String> {
        let field = "certificateAuthorityData";
        let value = self.map.remove(field).filter(|value| !value.is_null())?;
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        match value {
            Value::String(text)
                if !text.is_empty()
                    && text.len() <= limits::AUTHORITY_BYTES_MAX
                    && text.bytes().all(is_base64) =>
            {
                Some(text)
            }
            _ => {
                let most = limits::AUTHORITY_BYTES_MAX;
                let message = format!("must be certificates in PEM and base64, at most {most} bytes");
                faults.add(format!("{}.{field}", self.at), message);
                None
            }
        }
    }

    fn finish(self, faults: &mut Faults) {
        faults.rest(&format!("{}.", self.at), &self.map);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults_of(spec: Value) -> (Credentials, Vec<String>) {
        let mut faults = Faults::default();
        let mut spec = spec.as_object().unwrap().clone();
        let read = read(&mut spec, &mut faults);
        let told: Vec<String> =
            faults.0.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        assert!(!told.iter().any(|told| told.contains("hunter2")), "{told:?}");
        (read, told)
    }

    #[test]
    fn a_server_is_reached_with_one_way_to_say_who_we_are() {
        let url = "https://east:6443";
        let (read, told) = faults_of(json!({"server": {"url": url, "certificateAuthorityFile": "/c/ca",
            "tokenFile": "/c/token"}}));
        assert!(told.is_empty(), "{told:?}");
        let server = read.server.unwrap();
        assert_eq!(server.user, User::TokenFile("/c/token".to_owned()));
        let provider = json!({"name": "cloud", "config": {"audience": "east"}});
        let (read, told) = faults_of(json!({"server": {"url": url, "provider": provider}}));
        assert!(told.is_empty(), "{told:?}");
        assert!(matches!(read.server.unwrap().user, User::Provider(provider) if provider.name == "cloud"));
        let (_, told) =
            faults_of(json!({"server": {"url": url, "tokenFile": "/t", "provider": {"name": "cloud"}}}));
        assert!(told[0].starts_with("spec.server: give one of"), "{told:?}");
        let (_, told) = faults_of(json!({"server": {"url": url, "clientKeyFile": "/k"}}));
        assert!(told[0].starts_with("spec.server.clientCertificateFile"), "{told:?}");
    }

    #[test]
    fn credentials_themselves_are_not_taken_and_not_quoted() {
        let (_, told) = faults_of(
            json!({"server": {"url": "https://east", "token": "hunter2", "tokenFile": "hunter2",
            "clientCertificateFile": 5, "certificateAuthorityData": "not base64 of hunter2!", "proxy": "hunter2"}}),
        );
        for field in ["token:", "tokenFile:", "clientCertificateFile:", "certificateAuthorityData:", "proxy:"]
        {
            assert!(
                told.iter().any(|told| told.starts_with(&format!("spec.server.{field}"))),
                "{field} {told:?}"
            );
        }
        let (_, told) = faults_of(json!({}));
        assert!(told[0].starts_with("spec.kubeconfig: must be there"), "{told:?}");
        let (_, told) = faults_of(json!({"kubeconfig": {"path": "/k"}, "server": {"url": "https://east"}}));
        assert_eq!(told, ["spec.server: give this or spec.kubeconfig, not both"]);
    }
}
