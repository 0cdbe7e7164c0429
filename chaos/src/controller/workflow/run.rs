//! One look at the nodes of a Workflow: what ended, and what can begin.

mod dag;
mod steps;

use super::nodes::{Nodes, Phase, Place};
use super::{pods, spec};
use crate::controller::plan;
use crate::deletion::{DeleteOptions, delete};
use crate::kind::Kind;
use crate::object::Object;
use crate::refusal::Refusal;
use crate::state::State;
use crate::{clock, meta};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How deep templates may call each other, as in Argo.
const DEPTH_MAX: usize = 100;
/// How many nodes a Workflow may have; templates that call themselves side by side would never end.
const NODES_MAX: usize = 10_000;

/// Why a look cannot go on.
pub(super) enum Stop {
    /// A change could not be kept.
    NotKept(Refusal),
    /// The spec is wrong.
    Invalid(String),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::NotKept(refusal)
    }
}

/// A template, and the spec in which it finds others by name.
struct Template {
    value: Value,
    scope: Arc<Value>,
}

impl Template {
    fn name(&self) -> &str {
        meta::text(&self.value, "/name")
    }
}

/// Where in the tree of templates a node stands.
struct Site<'a> {
    scope: &'a Arc<Value>,
    parents: &'a [String],
    depth: usize,
}

pub(super) struct Run<'a> {
    state: &'a mut State,
    workflow: &'a Object,
    spec: Arc<Value>,
    nodes: Nodes,
    pods: BTreeMap<String, Arc<Object>>,
    shutdown: Option<String>,
    due: Option<Instant>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        state: &'a mut State,
        workflow: &'a Object,
        value: &Value,
        spec: Value,
        shutdown: Option<String>,
    ) -> Self {
        let pods = pods::of(state, workflow);
        let nodes = Nodes::of(&workflow.name, value);
        Self { state, workflow, spec: Arc::new(spec), nodes, pods, shutdown, due: None }
    }

    /// The nodes as they are now, and when to look again.
    pub(super) fn finish(self) -> (Nodes, Option<Instant>) {
        (self.nodes, self.due)
    }

    /// Takes over what became of the Pods, and ends them if the Workflow is to be shut down.
    pub(super) fn reconcile(&mut self) -> Result<(), Stop> {
        for (id, name) in self.nodes.running("Pod") {
            let pod = self.pods.get(&id).cloned();
            let (phase, said) = pods::outcome(pod.as_ref());
            match (phase, &self.shutdown, pod) {
                (Phase::Running, Some(strategy), Some(pod)) => {
                    let message = format!("workflow shutdown with strategy:  {strategy}");
                    delete(self.state, &Kind::Pod, &pod.key, &DeleteOptions::background())?;
                    self.nodes.end(&name, Phase::Failed, &message);
                }
                (Phase::Running, ..) => self.nodes.set_phase(&id, &said),
                _ => {
                    self.nodes.end(&name, phase, &said);
                }
            }
        }
        if let Some(strategy) = &self.shutdown {
            let message = format!("workflow shutdown with strategy: {strategy}");
            for (_, name) in self.nodes.running("Suspend") {
                self.nodes.end(&name, Phase::Failed, &message);
            }
        }
        Ok(())
    }

    /// Begins what can begin; answers how far the whole is.
    pub(super) fn execute(&mut self) -> Result<Phase, Stop> {
        let entrypoint = meta::text(&self.spec, "/entrypoint");
        if entrypoint.is_empty() {
            return Err(Stop::Invalid("spec.entrypoint is required".to_owned()));
        }
        let name = self.workflow.name.clone();
        let place = Place { display_name: name.clone(), name, boundary: String::new() };
        let (call, scope) = (json!({"template": entrypoint}), Arc::clone(&self.spec));
        self.node(&place, &call, &Site { scope: &scope, parents: &[], depth: 0 })
    }

    /// Brings one node further that `call` says the template of.
    fn node(&mut self, place: &Place, call: &Value, site: &Site<'_>) -> Result<Phase, Stop> {
        if let Some(phase) = self.nodes.phase(&place.name).filter(|phase| *phase != Phase::Running) {
            return Ok(phase);
        }
        if site.depth > DEPTH_MAX {
            return Err(Stop::Invalid("Maximum recursion depth exceeded".to_owned()));
        }
        if self.nodes.count() >= NODES_MAX {
            return Err(Stop::Invalid(format!("more than {NODES_MAX} nodes")));
        }
        let template = self.template(call, site.scope)?;
        if !meta::is_absent(&template.value, "/steps") {
            self.steps(place, &template, site)
        } else if !meta::is_absent(&template.value, "/dag") {
            self.dag(place, &template, site)
        } else if !meta::is_absent(&template.value, "/suspend") {
            Ok(self.suspend(place, &template, site))
        } else {
            self.pod(place, &template, site)
        }
    }

    fn template(&self, call: &Value, scope: &Arc<Value>) -> Result<Template, Stop> {
        if let Some(inline) = call.get("inline").filter(|inline| inline.is_object()) {
            return Ok(Template { value: inline.clone(), scope: Arc::clone(scope) });
        }
        let (name, scope) = match call.get("templateRef").filter(|reference| reference.is_object()) {
            Some(reference) => {
                let is_cluster_scoped = reference["clusterScope"] == Value::Bool(true);
                let holder = meta::text(reference, "/name");
                let spec = spec::template(self.state, &self.workflow.namespace, holder, is_cluster_scoped);
                (meta::text(reference, "/template"), Arc::new(spec.map_err(Stop::Invalid)?))
            }
            None => (meta::text(call, "/template"), Arc::clone(scope)),
        };
        let all = scope.get("templates").and_then(Value::as_array).into_iter().flatten();
        let found = all.into_iter().find(|template| meta::text(template, "/name") == name).cloned();
        let value = found.ok_or_else(|| Stop::Invalid(format!("template name '{name}' undefined")))?;
        Ok(Template { value, scope })
    }

    fn pod(&mut self, place: &Place, template: &Template, site: &Site<'_>) -> Result<Phase, Stop> {
        if self.nodes.phase(&place.name).is_some() {
            return Ok(Phase::Running);
        }
        self.nodes.begin(place, "Pod", template.name(), site.parents);
        if let Some(strategy) = &self.shutdown {
            let message = format!("workflow shutdown with strategy: {strategy}");
            return Ok(self.nodes.end(&place.name, Phase::Failed, &message));
        }
        let id = self.nodes.id(&place.name);
        if self.pods.contains_key(&id) {
            return Ok(Phase::Running);
        }
        let name = pods::name(&self.workflow.name, &place.name, template.name());
        let namespace = &self.workflow.namespace;
        let admitted = self.state.check_admission(&Kind::Pod, namespace, &name);
        let refused = match self.state.get(&Kind::Pod, &Kind::Pod.key(namespace, &name)) {
            Some(_) => Some(Refusal::already_exists(&Kind::Pod, &name)),
            None => admitted.err(),
        };
        if let Some(refusal) = refused {
            return Ok(self.nodes.end(&place.name, Phase::Error, &refusal.message));
        }
        let pod = pods::new(self.workflow, &self.spec, &template.value, place, &id);
        self.state.insert(&Kind::Pod, pod)?;
        Ok(Phase::Running)
    }

    /// Waits for its time, or until somebody ends the node, as `argo resume` does.
    fn suspend(&mut self, place: &Place, template: &Template, site: &Site<'_>) -> Phase {
        self.nodes.begin(place, "Suspend", template.name(), site.parents);
        if let Some(strategy) = &self.shutdown {
            let message = format!("workflow shutdown with strategy: {strategy}");
            return self.nodes.end(&place.name, Phase::Failed, &message);
        }
        let said = meta::text(&template.value, "/suspend/duration");
        let duration = said.parse().ok().map(Duration::from_secs).or_else(|| plan::duration(said));
        let Some(duration) = duration else { return Phase::Running };
        let left = duration.saturating_sub(clock::since(self.nodes.started_at(&place.name)));
        if left.is_zero() {
            return self.nodes.end(&place.name, Phase::Succeeded, "");
        }
        let due = Instant::now() + left;
        self.due = Some(self.due.map_or(due, |former| former.min(due)));
        Phase::Running
    }
}
