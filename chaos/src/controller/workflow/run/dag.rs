//! Templates of tasks that depend on each other.

use super::{Run, Site, Stop, Template};
use crate::controller::workflow::nodes::{Phase, Place};
use crate::meta;
use serde_json::Value;
use std::collections::BTreeMap;

/// A task, and the names of those that must have succeeded before it.
struct Task<'a> {
    name: &'a str,
    call: &'a Value,
    needs: Vec<&'a str>,
}

impl Run<'_> {
    pub(super) fn dag(&mut self, place: &Place, template: &Template, site: &Site<'_>) -> Result<Phase, Stop> {
        self.nodes.begin(place, "DAG", template.name(), site.parents);
        let id = self.nodes.id(&place.name);
        let tasks = tasks(template)?;
        let mut phases: BTreeMap<&str, Phase> = BTreeMap::new();
        // Each pass settles one task at least, until no more can be settled.
        for _ in &tasks {
            for task in &tasks {
                let is_settled = phases.contains_key(task.name);
                let is_ready = task.needs.iter().all(|need| phases.contains_key(need));
                if is_settled || !is_ready {
                    continue;
                }
                let phase = self.task(place, &id, task, template, &phases, site.depth)?;
                phases.extend(phase.map(|phase| (task.name, phase)));
            }
        }
        let has_failed = phases.values().any(|phase| phase.is_failure());
        let is_running = phases.values().any(|phase| *phase == Phase::Running);
        Ok(match (has_failed, is_running) {
            (_, true) => Phase::Running,
            (true, false) => self.nodes.end(&place.name, Phase::Failed, ""),
            (false, false) => self.nodes.end(&place.name, Phase::Succeeded, ""),
        })
    }

    /// Brings a task further; none: it waits.
    fn task<'t>(
        &mut self,
        place: &Place,
        boundary: &str,
        task: &Task<'t>,
        template: &Template,
        phases: &BTreeMap<&'t str, Phase>,
        depth: usize,
    ) -> Result<Option<Phase>, Stop> {
        let name = format!("{}.{}", place.name, task.name);
        let parents: Vec<String> = match task.needs.as_slice() {
            [] => vec![boundary.to_owned()],
            needs => needs.iter().map(|need| self.nodes.id(&format!("{}.{need}", place.name))).collect(),
        };
        let own = Place { name, display_name: task.name.to_owned(), boundary: boundary.to_owned() };
        let before: Vec<Phase> = task.needs.iter().filter_map(|need| phases.get(need)).copied().collect();
        if before.contains(&Phase::Running) {
            return Ok(None);
        }
        let is_new = self.nodes.phase(&own.name).is_none();
        if before.iter().any(|phase| phase.is_failure()) || self.is_omitted(place, &task.needs) {
            self.nodes.omit(&own, meta::text(task.call, "/template"), &parents);
            return Ok(Some(Phase::Succeeded));
        }
        // After a failure nothing new begins.
        if is_new && phases.values().any(|phase| phase.is_failure()) {
            return Ok(None);
        }
        let site = Site { scope: &template.scope, parents: &parents, depth: depth + 1 };
        self.node(&own, task.call, &site).map(Some)
    }

    fn is_omitted(&self, place: &Place, needs: &[&str]) -> bool {
        needs.iter().any(|need| self.nodes.is_omitted(&format!("{}.{need}", place.name)))
    }
}

/// The tasks of a template. Of `depends` the names are read, as if all of these had to succeed.
fn tasks(template: &Template) -> Result<Vec<Task<'_>>, Stop> {
    let all = template.value.pointer("/dag/tasks").and_then(Value::as_array).into_iter().flatten();
    let tasks: Vec<Task<'_>> = all
        .map(|call| {
            let mut needs = meta::strings(call.get("dependencies"));
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
            let depends = meta::text(call, "/depends").split(|letter| !is_part(letter));
            needs.extend(depends.filter_map(|need| need.split('.').next()).filter(|need| !need.is_empty()));
            Task { name: meta::text(call, "/name"), call, needs }
        })
        .collect();
    for task in &tasks {
        let unknown = task.needs.iter().find(|need| !tasks.iter().any(|other| other.name == **need));
        if let Some(need) = unknown {
            let message =
                format!("templates.{}.tasks.{} dependency '{need}' not defined", template.name(), task.name);
            return Err(Stop::Invalid(message));
        }
    }
    if has_cycle(&tasks) {
        return Err(Stop::Invalid(format!("templates.{}.tasks have a dependency cycle", template.name())));
    }
    Ok(tasks)
}

fn has_cycle(tasks: &[Task<'_>]) -> bool {
    let mut left: Vec<&Task<'_>> = tasks.iter().collect();
    loop {
        let before = left.len();
        let names: Vec<&str> = left.iter().map(|task| task.name).collect();
        left.retain(|task| task.needs.iter().any(|need| names.contains(need)));
        if left.len() == before {
            return before > 0;
        }
    }
}
