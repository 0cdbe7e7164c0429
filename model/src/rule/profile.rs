//! What a `ClusterProfile` says, as a pure function of the object and of the provider that is used.
//!
//! Read leniently: what is not known of it does not matter.

use crate::command::ProfileSays;
use crate::limits;
use crate::manifest::names;
use crate::record::{Credentials, Provider, Server, User};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of a name or a URL.
const NAME_BYTES_MAX: usize = 253;
const URL_BYTES_MAX: usize = 4096;
const HEALTH: &str = "ControlPlaneHealthy";
const CONFIG: &str = "client.authentication.k8s.io/exec";
const ARGS: &str = "clusterprofiles.multicluster.x-k8s.io/exec/additional-args";
const ENVS: &str = "clusterprofiles.multicluster.x-k8s.io/exec/additional-envs";

/// A profile.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The ways to reach the cluster, by the provider's name.
    pub providers: BTreeMap<String, Access>,
    labels: BTreeMap<String, String>,
    health: String,
}

/// One way to reach a cluster, as a kubeconfig says it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Access {
    server: String,
    tls_server_name: Option<String>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    proxy_url: Option<String>,
    extensions: Option<Vec<Extension>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Extension {
    name: String,
    #[serde(default)]
    extension: Value,
}

#[derive(Deserialize)]
struct OfCluster {
    name: String,
    #[serde(default)]
    cluster: Access,
}

#[derive(Deserialize)]
struct Property {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    what: String,
    status: String,
    #[serde(default)]
    reason: String,
}

impl Told {
    /// `None` for an object without a name.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let text = |path: &str| Some(object.pointer(path)?.as_str()?.to_owned());
        let (namespace, name) = (text("/metadata/namespace")?, text("/metadata/name")?);
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        for (key, value) in
            object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten()
        {
            labels.extend(value.as_str().map(|value| (key.clone(), value.to_owned())));
        }
        labels.extend(entries::<Property>(object, "/status/properties").map(|one| (one.name, one.value)));
        // The older spelling first: the newer one wins.
        let older = entries::<OfCluster>(object, "/status/credentialProviders");
        let newer = entries::<OfCluster>(object, "/status/accessProviders");
        let providers = older.chain(newer).map(|one| (one.name, one.cluster)).collect();
        let mut conditions = entries::<Condition>(object, "/status/conditions");
        let health = conditions.find(|condition| condition.what == HEALTH).map(Condition::words);
        Some(Self { namespace, name, providers, labels, health: health.unwrap_or_default() })
    }

    /// Whether a cluster may be called as the profile is.
    ///
    /// # Errors
    /// Why not.
    pub fn name_fits(&self) -> Result<(), String> {
        names::subdomain(&self.name, NAME_BYTES_MAX).map_err(|why| format!("its name {why}"))
    }

    /// With the `provider` that the operator's file has first of [`providers`](Self::providers).
    #[must_use]
    pub fn says(&self, provider: Option<&str>) -> ProfileSays {
        let fits = |(key, value): &(&String, &String)| {
            names::label_key(key).is_ok() && names::label_value(value).is_ok()
        };
        let labels = self.labels.iter().filter(fits).take(limits::PROFILE_LABELS_MAX);
        let labels = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
        let (credentials, hindrance) = match self.server(provider) {
            Ok(server) => (Some(Credentials::server(server)), None),
            Err(why) => (None, Some(why)),
        };
        ProfileSays { labels, credentials, health: self.health.clone(), hindrance }
    }

    fn server(&self, provider: Option<&str>) -> Result<Server, String> {
        let names: Vec<&str> = self.providers.keys().map(String::as_str).collect();
        if names.is_empty() {
            return Err("its ClusterProfile names no access provider".to_owned());
        }
        let found = provider.and_then(|name| Some((name, self.providers.get(name)?)));
        let Some((name, access)) = found else {
            return Err(format!(
                "none of its access providers ({}) is in the provider file",
                names.join(", ")
            ));
        };
        access.server(name).map_err(|why| format!("its access provider {name} {why}"))
    }
}

impl Access {
    fn server(&self, name: &str) -> Result<Server, String> {
        let is_given = |text: &&String| !text.is_empty();
        if self.insecure_skip_tls_verify == Some(true)
            || self.proxy_url.as_ref().is_some_and(|url| !url.is_empty())
        {
            return Err("asks for a proxy, or for a server that is not verified".to_owned());
        }
        let is_url = self.server.starts_with("https://") || self.server.starts_with("http://");
        if !is_url || self.server.len() > URL_BYTES_MAX {
            return Err("gives no server, https://HOST:PORT".to_owned());
        }
        let authority = self.certificate_authority_data.as_ref().filter(is_given).cloned();
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        if authority
            .as_ref()
            .is_some_and(|data| data.len() > limits::AUTHORITY_BYTES_MAX || !data.bytes().all(is_base64))
        {
            let most = limits::AUTHORITY_BYTES_MAX;
            return Err(format!("gives certificates that are not PEM in base64, at most {most} bytes"));
        }
        Ok(Server {
            url: self.server.clone(),
            tls_name: self.tls_server_name.as_ref().filter(is_given).cloned(),
            authority_file: None,
            authority_data: authority,
            user: User::Provider(self.provider(name)?),
        })
    }

    fn provider(&self, name: &str) -> Result<Provider, String> {
        let extension = |wanted: &str| {
            let all = self.extensions.iter().flatten();
            all.filter(|one| one.name == wanted)
                .map(|one| one.extension.clone())
                .find(|value| !value.is_null())
        };
        let provider = Provider {
            name: name.to_owned(),
            config: extension(CONFIG).map(|config| config.to_string()),
            args: extension(ARGS).and_then(|args| serde_json::from_value(args).ok()).unwrap_or_default(),
            envs: extension(ENVS).and_then(|envs| serde_json::from_value(envs).ok()).unwrap_or_default(),
        };
        if provider.bytes() > limits::PROVIDER_BYTES_MAX {
            return Err(format!("has extensions of more than {} bytes", limits::PROVIDER_BYTES_MAX));
        }
        Ok(provider)
    }
}

impl Condition {
    /// Without its message, which may be another one at each heartbeat.
    fn words(self) -> String {
        let reason = if self.reason.is_empty() { String::new() } else { format!(" ({})", self.reason) };
        format!("{}{reason}", self.status)
    }
}

/// The entries of a list that can be read.
fn entries<T: for<'a> Deserialize<'a>>(object: &Value, path: &str) -> impl Iterator<Item = T> {
    let all = object.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    all.into_iter().filter_map(|entry| serde_json::from_value(entry).ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn access(server: &str) -> Value {
        json!({"server": server, "certificate-authority-data": "Y2E=", "tls-server-name": "n", "new-field": 1,
            "extensions": [{"name": CONFIG, "extension": {"audience": "a"}}, {"name": ARGS, "extension": ["--x"]},
                {"name": ENVS, "extension": {"K": "v"}}, {"name": "other", "extension": 5}]})
    }

    fn profile(status: Value) -> Told {
        let metadata =
            json!({"name": "east", "namespace": "fleet", "labels": {"x-k8s.io/cluster-manager": "ocm"}});
        Told::read(&json!({"metadata": metadata, "status": status})).unwrap()
    }

    #[test]
    fn a_profile_gives_server_provider_and_labels() {
        let told = profile(json!({
            "properties": [{"name": "region", "value": "eu"}, {"name": "note", "value": "no label, this"}, 5],
            "credentialProviders": [{"name": "p", "cluster": access("https://old")}],
            "accessProviders": [{"name": "p", "cluster": access("https://new")}, {"name": "q"}],
        }));
        let says = told.says(Some("p"));
        assert_eq!(says.hindrance, None);
        let labels: Vec<_> = says.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(labels, ["region=eu", "x-k8s.io/cluster-manager=ocm"]);
        let server = says.credentials.unwrap().server.unwrap();
        assert_eq!((server.url.as_str(), server.tls_name.as_deref()), ("https://new", Some("n")));
        let User::Provider(provider) = server.user else { panic!("no provider") };
        assert_eq!(provider.config.as_deref(), Some(r#"{"audience":"a"}"#));
        assert_eq!((provider.args, provider.envs.len()), (vec!["--x".to_owned()], 1));
    }

    #[test]
    fn health_is_shown_and_does_not_keep_work_away() {
        let told = profile(json!({
            "conditions": [{"type": "Joined", "status": "True"}, {"type": HEALTH, "status": "Unknown",
                "reason": "Lost", "message": "no heartbeat since 10:00"}],
            "accessProviders": [{"name": "p", "cluster": access("https://east")}],
        }));
        let says = told.says(Some("p"));
        assert_eq!((says.health.as_str(), says.hindrance), ("Unknown (Lost)", None));
    }

    #[test]
    fn what_cannot_be_reached_says_why() {
        let none = profile(json!({})).says(None);
        assert!(none.credentials.is_none() && none.hindrance.unwrap().contains("no access provider"));
        let told = profile(json!({"accessProviders": [{"name": "p", "cluster": access("https://east")}]}));
        let unknown = told.says(None).hindrance.unwrap();
        assert_eq!(unknown, "none of its access providers (p) is in the provider file");
        for (change, words) in [
            (json!({"insecure-skip-tls-verify": true}), "not verified"),
            (json!({"proxy-url": "http://p"}), "a proxy"),
            (json!({"server": "east"}), "gives no server"),
            (json!({"certificate-authority-data": "-----"}), "certificates"),
        ] {
            let mut cluster = access("https://east");
            cluster.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let told = profile(json!({"accessProviders": [{"name": "p", "cluster": cluster}]}));
            let says = told.says(Some("p"));
            assert!(says.credentials.is_none());
            assert!(says.hindrance.unwrap().contains(words), "{words}");
        }
    }
}
