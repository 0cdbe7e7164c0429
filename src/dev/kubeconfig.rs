//! Kubeconfigs: the one for Tallyman itself that `dev` writes, and those of real clusters that it is given.

use crate::client::text;
use crate::exit::{Exit, Failure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A kubeconfig with a context for each replica; the current one is the first. Of `(name, server)`. What the first
/// replica shows of the named clusters, and of all together, has contexts too: `k8s-NAME` and `k8s-all`.
pub(super) fn of_replicas(replicas: &[(String, String)], clusters: &[String]) -> Value {
    let current = replicas.first().map(|(name, _)| name);
    let view = |name: String, path: String| {
        let (_, server) = replicas.first()?;
        Some((format!("k8s-{name}"), format!("{server}/k8s/{path}")))
    };
    let one = |name: &String| view(name.clone(), format!("clusters/{name}"));
    let views = view("all".to_owned(), "all".to_owned()).into_iter().chain(clusters.iter().filter_map(one));
    let contexts: Vec<_> = replicas.iter().cloned().chain(views).collect();
    let cluster = |(name, server): &(String, String)| json!({"name": name, "cluster": {"server": server}});
    let context = |(name, _): &(String, String)| json!({"name": name, "context": {"cluster": name, "user": "dev", "namespace": "default"}});
    json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": contexts.iter().map(cluster).collect::<Vec<_>>(),
        "contexts": contexts.iter().map(context).collect::<Vec<_>>(),
        "users": [{"name": "dev", "user": {}}],
        "current-context": current,
    })
}

/// A real cluster, as `--kubeconfig FILE[#CONTEXT][=NAME]` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Real {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) context: Option<String>,
    pub(super) server: String,
}

impl Real {
    /// Reads what the option names.
    ///
    /// # Errors
    /// There is no such file, or it is not a kubeconfig with that context.
    pub(super) fn parse(option: &str) -> Result<Self, Failure> {
        let (file, context, name) = split(option);
        let unusable = |why: String| {
            let message = format!("--kubeconfig {option}: {why}");
            Failure::new(
                Exit::Usage,
                message,
                "--kubeconfig FILE, FILE#CONTEXT, FILE=NAME or FILE#CONTEXT=NAME",
            )
        };
        let path = std::fs::canonicalize(file).map_err(|error| unusable(format!("{file}: {error}")))?;
        let yaml = std::fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
        let config: Value = serde_saphyr::from_str(&yaml).map_err(|error| unusable(error.to_string()))?;
        let current = context.unwrap_or_else(|| text(&config, "/current-context"));
        let server =
            server(&config, current).ok_or_else(|| unusable(format!("it has no context {current:?}")))?;
        let name = name.map_or_else(|| name_of(current, &path), str::to_owned);
        Ok(Self { name, path, context: context.map(str::to_owned), server })
    }
}

/// File, context and name. A file that has such letters in its own name is taken as it is.
fn split(option: &str) -> (&str, Option<&str>, Option<&str>) {
    if Path::new(option).exists() {
        return (option, None, None);
    }
    let (rest, name) = match option.rsplit_once('=') {
        Some((rest, name)) if !name.is_empty() && !name.contains('/') => (rest, Some(name)),
        _ => (option, None),
    };
    match rest.rsplit_once('#') {
        Some((file, context)) if !context.is_empty() => (file, Some(context), name),
        _ => (rest, None, name),
    }
}

/// The server of a context.
pub(super) fn server(config: &Value, context: &str) -> Option<String> {
    let named = |list: &str, name: &str| {
        let items = config.get(list)?.as_array()?;
        items.iter().find(|item| text(item, "/name") == name).cloned()
    };
    let context = named("contexts", context)?;
    let cluster = named("clusters", text(&context, "/context/cluster"))?;
    Some(text(&cluster, "/cluster/server").to_owned()).filter(|server| !server.is_empty())
}

/// A cluster's name from its context, or from the file: in small letters, digits and dashes.
fn name_of(context: &str, path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let from = if context.is_empty() { stem } else { context.to_owned() };
    let plain: String =
        from.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let name = plain.trim_matches('-').chars().take(63).collect::<String>();
    let name = name.trim_end_matches('-').to_owned();
    if name.is_empty() { "cluster".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const CONFIG: &str = "
clusters: [{name: c1, cluster: {server: 'https://10.0.0.1:6443'}}, {name: c2, cluster: {server: 'https://10.0.0.2'}}]
contexts: [{name: Prod EU, context: {cluster: c1}}, {name: other, context: {cluster: c2}}]
current-context: Prod EU
";

    #[test]
    fn file_context_and_name_are_told_apart() {
        assert_eq!(split("/a/b"), ("/a/b", None, None));
        assert_eq!(split("/a/b=east"), ("/a/b", None, Some("east")));
        assert_eq!(split("/a/b#ctx"), ("/a/b", Some("ctx"), None));
        assert_eq!(split("/a/b#ctx=east"), ("/a/b", Some("ctx"), Some("east")));
        assert_eq!(split("/a=x/b"), ("/a=x/b", None, None));
    }

    #[test]
    fn a_real_cluster_is_named_after_its_context() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kc");
        std::fs::write(&file, CONFIG).unwrap();
        let file = file.display().to_string();
        let real = Real::parse(&file).unwrap();
        assert_eq!((real.name.as_str(), real.server.as_str()), ("prod-eu", "https://10.0.0.1:6443"));
        let real = Real::parse(&format!("{file}#other=west")).unwrap();
        assert_eq!((real.name.as_str(), real.server.as_str()), ("west", "https://10.0.0.2"));
        assert_eq!(Real::parse(&format!("{file}#none")).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn kubectl_finds_each_replica_under_its_own_context() {
        let replicas = [("r1".to_owned(), "http://127.0.0.1:7001".to_owned())];
        let config = of_replicas(&replicas, &["east".to_owned()]);
        assert_eq!(server(&config, "r1").unwrap(), "http://127.0.0.1:7001");
        assert_eq!(server(&config, "k8s-all").unwrap(), "http://127.0.0.1:7001/k8s/all");
        assert_eq!(server(&config, "k8s-east").unwrap(), "http://127.0.0.1:7001/k8s/clusters/east");
        assert_eq!(config["current-context"], "r1");
    }
}
