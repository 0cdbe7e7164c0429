//! `tallyman cluster role`: what a cluster must let Tallyman do, made of the rights that its requests are held to.

use crate::exit::Failure;
use crate::output::yaml;
use crate::screen::Screen;
use serde_json::{Value, json};
use tallyman_cluster::{
    IDENTITY_NAMESPACE, Right, Scope, VERSION_PATH, hub_rights, right_to_observe, rights, rights_of,
};

const RBAC: &str = "rbac.authorization.k8s.io";

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster role --namespace risk | kubectl apply --server-side -f -
  kubectl create token tallyman -n tallyman --duration 2160h
  tallyman cluster role --without-optional       # only what runs need
  tallyman cluster role --namespace risk --namespaced     # for a cluster that is watched by namespaces

Pods, Events and Workloads of Kueue are listed to say why a run does not start or has failed. Without that right all
else works, and what is not known is said. With --namespaced nothing is allowed on the whole cluster: beside the Roles of
the namespaces there is one in kube-system, by which that namespace itself may be read, whose UID is the cluster's identity.
Name those that work may go to and those that the cluster's `observe` names, and register it with --watch-namespace. Only
what a hub tells is read in all namespaces there, too. It asks nobody.";

/// Print the account and the roles that a cluster must give Tallyman
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Role {
    /// A namespace that work may go to (default: all)
    #[arg(short, long = "namespace", value_name = "NS")]
    namespaces: Vec<String>,
    /// A resource beside Jobs, ConfigMaps and Workflows that runs bring, such as
    /// sparkapplications.sparkoperator.k8s.io
    #[arg(long = "resource", value_name = "PLURAL.GROUP", value_parser = resource)]
    resources: Vec<Resource>,
    /// It is a hub: its ClusterProfiles and PlacementDecisions are read
    #[arg(long)]
    hub: bool,
    /// A resource that the cluster's `observe` selects and runs do not bring: it is only read
    #[arg(long = "observe", value_name = "PLURAL.GROUP", value_parser = resource)]
    observed: Vec<Resource>,
    /// The name of the account and its roles
    #[arg(long, value_name = "NAME", default_value = "tallyman")]
    account: String,
    /// The account's namespace, which must be there
    #[arg(long, value_name = "NS", default_value = "tallyman")]
    account_namespace: String,
    /// Leave out what runs do as well without
    #[arg(long)]
    without_optional: bool,
    /// Roles of namespaces alone, for a cluster that is registered with --watch-namespace
    #[arg(long, requires = "namespaces")]
    namespaced: bool,
}

/// What a cluster calls a kind: `PLURAL.GROUP`, of the core group `PLURAL`.
#[derive(Clone, Debug)]
struct Resource {
    plural: String,
    group: String,
}

fn resource(text: &str) -> Result<Resource, String> {
    let (plural, group) = text.split_once('.').unwrap_or((text, ""));
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if plural.is_empty() || !is_name(plural) || !is_name(group) {
        return Err("it must be PLURAL.GROUP, as `kubectl api-resources -o name` lists them".to_owned());
    }
    Ok(Resource { plural: plural.to_owned(), group: group.to_owned() })
}

impl Role {
    pub(super) fn run(self) -> Result<(), Failure> {
        let documents: Result<Vec<String>, Failure> = self.documents().iter().map(yaml).collect();
        Screen::stdout().text(&documents?.join("---\n"));
        Ok(())
    }

    fn rights(&self) -> impl Iterator<Item = Right<'_>> {
        rights().filter(|right| !(self.without_optional && right.is_optional))
    }

    fn documents(&self) -> Vec<Value> {
        let more = self.resources.iter().flat_map(|one| rights_of(&one.group, &one.plural));
        let seen = self.observed.iter().map(|one| right_to_observe(&one.group, &one.plural));
        let hub = hub_rights().into_iter().filter(|_| self.hub);
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": self.account, "namespace": self.account_namespace},
            "automountServiceAccountToken": false,
        });
        let (elsewhere, work): (Vec<Right<'_>>, Vec<Right<'_>>) =
            self.rights().chain(more).chain(seen).partition(|right| match right.scope {
                Scope::Object(_) => true,
                Scope::Cluster => !self.namespaced,
                Scope::Work => self.namespaces.is_empty(),
            });
        let mut rules: Vec<Value> = elsewhere.iter().map(rule).collect();
        let of_hub = hub.map(|right| rule(&right));
        let mut documents = vec![account];
        if self.namespaced {
            // To read a namespace itself is a right in it. The version everybody may read who has an account.
            let name = format!("{}-identity", self.account);
            documents.extend(self.granted(Some(IDENTITY_NAMESPACE), &name, rules));
            rules = of_hub.collect();
        } else {
            rules.extend(of_hub);
            rules.push(json!({"nonResourceURLs": [VERSION_PATH], "verbs": ["get"]}));
        }
        if !rules.is_empty() {
            documents.extend(self.granted(None, &self.account, rules));
        }
        for namespace in &self.namespaces {
            documents.extend(self.granted(Some(namespace), &self.account, work.iter().map(rule).collect()));
        }
        documents
    }

    /// A role with its binding, in a namespace or in the whole cluster.
    fn granted(&self, namespace: Option<&str>, name: &str, rules: Vec<Value>) -> [Value; 2] {
        let api_version = format!("{RBAC}/v1");
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let metadata = match namespace {
            Some(namespace) => json!({"name": name, "namespace": namespace}),
            None => json!({"name": name}),
        };
        let role = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "rules": rules});
        let binding = json!({
            "apiVersion": api_version, "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
            "subjects": [
                {"kind": "ServiceAccount", "name": self.account, "namespace": self.account_namespace},
            ],
        });
        [role, binding]
    }
}

fn rule(right: &Right<'_>) -> Value {
    let mut rule = json!({"apiGroups": [right.group], "resources": [right.resource], "verbs": right.verbs});
    if let (Scope::Object(name), Some(rule)) = (right.scope, rule.as_object_mut()) {
        rule.insert("resourceNames".to_owned(), json!([name]));
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(namespaces: &[&str]) -> Role {
        Role {
            namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
            account: "tallyman".to_owned(),
            account_namespace: "ops".to_owned(),
            without_optional: false,
            namespaced: false,
            resources: Vec::new(),
            hub: false,
            observed: Vec::new(),
        }
    }

    fn rules(document: &Value) -> usize {
        document.pointer("/rules").and_then(Value::as_array).map_or(0, Vec::len)
    }

    #[test]
    fn one_cluster_role_holds_every_right_where_work_may_go_anywhere() {
        let documents = role(&[]).documents();
        let kinds: Vec<_> =
            documents.iter().map(|one| one.pointer("/kind").and_then(Value::as_str)).collect();
        assert_eq!(kinds, [Some("ServiceAccount"), Some("ClusterRole"), Some("ClusterRoleBinding")]);
        assert_eq!(documents.get(1).map(rules), Some(rights().count() + 1));
    }

    #[test]
    fn writes_are_allowed_only_in_the_namespaces_that_are_named() {
        let documents = role(&["risk", "desk"]).documents();
        assert_eq!(documents.len(), 7);
        let in_cluster = documents.get(1).map(Value::to_string).unwrap_or_default();
        assert!(!in_cluster.contains("create") && !in_cluster.contains("patch"), "{in_cluster}");
        let work = rights().filter(|right| right.scope == Scope::Work).count();
        assert_eq!((documents.get(3).map(rules), documents.get(5).map(rules)), (Some(work), Some(work)));
    }

    #[test]
    fn what_a_hub_tells_is_only_read_and_only_where_it_is_one() {
        for namespaced in [false, true] {
            let documents = Role { hub: true, namespaced, ..role(&["risk"]) }.documents();
            let roles = documents.iter().filter(|one| text(one, "/kind") == "ClusterRole");
            let rules: Vec<_> =
                roles.filter_map(|one| one.pointer("/rules")?.as_array()).flatten().cloned().collect();
            let of_hub = rules.iter().filter(|rule| rule.to_string().contains("multicluster.x-k8s.io"));
            let verbs: Vec<_> = of_hub.filter_map(|rule| rule.pointer("/verbs")).collect();
            assert_eq!(verbs, [&json!(["list", "watch"]), &json!(["list", "watch"])]);
            assert!(!namespaced || rules.len() == verbs.len(), "nothing else in the whole cluster");
        }
        assert!(!role(&[]).documents().iter().any(|one| one.to_string().contains("clusterprofiles")));
    }

    #[test]
    fn roles_of_namespaces_alone_allow_nothing_on_the_whole_cluster_and_read_who_it_is() {
        let observed = resource("pipelineruns.tekton.dev").into_iter().collect();
        let documents = Role { namespaced: true, observed, ..role(&["risk", "desk"]) }.documents();
        let places: Vec<_> =
            documents.iter().map(|one| (text(one, "/kind"), text(one, "/metadata/namespace"))).collect();
        let role = |namespace| [("Role", namespace), ("RoleBinding", namespace)];
        let expected = [&[("ServiceAccount", "ops")][..], &role("kube-system"), &role("risk"), &role("desk")];
        assert_eq!(places, expected.concat());
        let identity = documents.get(1).map(Value::to_string).unwrap_or_default();
        assert!(identity.contains(r#""resourceNames":["kube-system"]"#), "{identity}");
        let of_risk = documents.get(3).map(Value::to_string).unwrap_or_default();
        for allowed in ["watch", "create", "pipelineruns"] {
            assert!(of_risk.contains(allowed), "{allowed} in {of_risk}");
        }
        assert!(!of_risk.contains("namespaces\"]"), "{of_risk}");
    }

    fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
        document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    #[test]
    fn what_is_optional_can_be_left_out() {
        let all = role(&["risk"]).documents();
        let needed = Role { without_optional: true, ..role(&["risk"]) }.documents();
        let has = |documents: &[Value], resource: &str| {
            documents.iter().any(|one| one.to_string().contains(resource))
        };
        for resource in ["\"pods\"", "\"events\""] {
            assert!(has(&all, resource) && !has(&needed, resource), "{resource}");
        }
        assert!(has(&needed, "\"jobs\""));
    }

    #[test]
    fn a_resource_that_is_named_is_watched_and_written() {
        let resources = resource("sparkapplications.sparkoperator.k8s.io").into_iter().collect();
        let role = Role { resources, ..role(&[]) };
        let rules = role.documents().get(1).map(Value::to_string).unwrap_or_default();
        assert!(rules.contains(r#""apiGroups":["sparkoperator.k8s.io"],"resources":["sparkapplications"]"#));
        assert!(resource("*").is_err() && resource(".apps").is_err());
    }

    #[test]
    fn a_resource_that_is_only_shown_is_never_written() {
        let observed = resource("pipelineruns.tekton.dev").into_iter().collect();
        let role = Role { observed, ..role(&["risk"]) };
        let documents = role.documents();
        let rules = documents.get(1).and_then(|role| role.pointer("/rules")?.as_array());
        let rule =
            rules.and_then(|rules| rules.iter().find(|rule| rule.to_string().contains("pipelineruns")));
        assert_eq!(rule.and_then(|rule| rule.get("verbs")), Some(&json!(["list", "watch"])));
        assert!(!documents.get(3).is_some_and(|role| role.to_string().contains("pipelineruns")));
    }

    #[test]
    fn nothing_is_allowed_by_a_wildcard() {
        assert!(!role(&[]).documents().iter().any(|one| one.to_string().contains('*')));
    }
}
