//! The nodes in the status of a Workflow.

use crate::{clock, meta};
use serde_json::{Map, Value, json};

/// How far a node is. Argo's Pending counts as Running here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    Succeeded,
    Failed,
    Error,
}

impl Phase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Error => "Error",
        }
    }

    fn read(text: &str) -> Self {
        match text {
            "Succeeded" | "Skipped" | "Omitted" => Self::Succeeded,
            "Failed" => Self::Failed,
            "Error" => Self::Error,
            _ => Self::Running,
        }
    }

    pub(super) fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

/// Which node.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// From the Workflow down: `report[0].fetch`.
    pub(super) name: String,
    /// The last part: `fetch`.
    pub(super) display_name: String,
    /// The id of the node of the template that this one is a part of.
    pub(super) boundary: String,
}

/// All nodes of a Workflow, by id.
#[derive(Debug)]
pub(super) struct Nodes {
    workflow: String,
    all: Map<String, Value>,
}

impl Nodes {
    pub(super) fn of(workflow: &str, value: &Value) -> Self {
        let all = value.pointer("/status/nodes").and_then(Value::as_object).cloned();
        Self { workflow: workflow.to_owned(), all: all.unwrap_or_default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The id of a node: the name of the Workflow, and but for the root a hash of the name of the node.
    pub(super) fn id(&self, name: &str) -> String {
        if name == self.workflow { name.to_owned() } else { format!("{}-{}", self.workflow, hash(name)) }
    }

    /// How far a node is; none: it has not begun.
    pub(super) fn phase(&self, name: &str) -> Option<Phase> {
        self.all.get(&self.id(name)).map(|node| Phase::read(meta::text(node, "/phase")))
    }

    pub(super) fn message(&self, name: &str) -> &str {
        self.all.get(&self.id(name)).map(|node| meta::text(node, "/message")).unwrap_or_default()
    }

    /// The ids and names of the nodes of a type that have not ended.
    pub(super) fn running(&self, kind: &str) -> Vec<(String, String)> {
        let all = self.all.iter().filter(|(_, node)| {
            meta::text(node, "/type") == kind && Phase::read(meta::text(node, "/phase")) == Phase::Running
        });
        all.map(|(id, node)| (id.clone(), meta::text(node, "/name").to_owned())).collect()
    }

    /// Begins a node, unless it has.
    pub(super) fn begin(&mut self, place: &Place, kind: &str, template: &str, parents: &[String]) {
        let id = self.id(&place.name);
        if self.all.contains_key(&id) {
            return;
        }
        let is_pod = kind == "Pod";
        let mut node = json!({
            "id": id,
            "name": place.name,
            "displayName": place.display_name,
            "type": kind,
            "phase": if is_pod { "Pending" } else { "Running" },
            "startedAt": clock::now(),
            "finishedAt": null,
        });
        for (field, text) in [("templateName", template), ("boundaryID", &place.boundary)] {
            if !text.is_empty() {
                node[field] = text.into();
            }
        }
        if !template.is_empty() {
            node["templateScope"] = format!("local/{}", self.workflow).into();
        }
        if is_pod {
            node["progress"] = "0/1".into();
        }
        for parent in parents {
            let Some(parent) = self.all.get_mut(parent) else { continue };
            match parent.get_mut("children").and_then(Value::as_array_mut) {
                Some(children) => children.push(id.as_str().into()),
                None => parent["children"] = json!([id]),
            }
        }
        self.all.insert(id, node);
    }

    /// Notes the phase of a Pod that has not ended.
    pub(super) fn set_phase(&mut self, id: &str, phase: &str) {
        if let Some(node) = self.all.get_mut(id) {
            node["phase"] = phase.into();
        }
    }

    /// Ends a node.
    pub(super) fn end(&mut self, name: &str, phase: Phase, message: &str) -> Phase {
        let id = self.id(name);
        if let Some(node) = self.all.get_mut(&id) {
            node["phase"] = phase.as_str().into();
            node["finishedAt"] = clock::now().into();
            if !message.is_empty() {
                node["message"] = message.into();
            }
            if meta::text(node, "/type") == "Pod" && phase == Phase::Succeeded {
                node["progress"] = "1/1".into();
            }
        }
        phase
    }

    /// A task that will not run, because one that it depends on did not succeed.
    pub(super) fn omit(&mut self, place: &Place, template: &str, parents: &[String]) {
        self.begin(place, "Skipped", template, parents);
        let id = self.id(&place.name);
        if let Some(node) = self.all.get_mut(&id) {
            node["phase"] = "Omitted".into();
            node["message"] = "omitted: depends condition not met".into();
            node["finishedAt"] = clock::now().into();
        }
    }

    pub(super) fn is_omitted(&self, name: &str) -> bool {
        self.all.get(&self.id(name)).is_some_and(|node| meta::text(node, "/phase") == "Omitted")
    }

    /// When a node began.
    pub(super) fn started_at(&self, name: &str) -> &str {
        self.all.get(&self.id(name)).map(|node| meta::text(node, "/startedAt")).unwrap_or_default()
    }

    /// `DONE/ALL` of the Pods.
    pub(super) fn progress(&self) -> String {
        let pods: Vec<&Value> = self.all.values().filter(|node| meta::text(node, "/type") == "Pod").collect();
        let done = pods.iter().filter(|node| meta::text(node, "/phase") == "Succeeded").count();
        format!("{done}/{}", pods.len())
    }

    pub(super) fn has_running_pod(&self) -> bool {
        let is_running =
            |node: &Value| meta::text(node, "/type") == "Pod" && meta::text(node, "/phase") == "Running";
        self.all.values().any(is_running)
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.all)
    }
}

/// FNV-1a with 32 bits, which Argo makes ids of.
pub(super) fn hash(text: &str) -> u32 {
    text.bytes().fold(2_166_136_261, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_argo() {
        assert_eq!((hash(""), hash("a"), hash("foobar")), (0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968));
        let nodes = Nodes::of("report", &json!({}));
        assert_eq!(nodes.id("report"), "report");
        assert_eq!(nodes.id("report[0].fetch"), format!("report-{}", hash("report[0].fetch")));
    }
}
