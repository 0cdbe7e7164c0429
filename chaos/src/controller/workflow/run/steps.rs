//! Templates of steps: groups one after the other, the steps of a group side by side.

use super::{Run, Site, Stop, Template};
use crate::controller::workflow::nodes::{Phase, Place};
use crate::meta;
use serde_json::Value;

impl Run<'_> {
    pub(super) fn steps(
        &mut self,
        place: &Place,
        template: &Template,
        site: &Site<'_>,
    ) -> Result<Phase, Stop> {
        self.nodes.begin(place, "Steps", template.name(), site.parents);
        let id = self.nodes.id(&place.name);
        let mut parents = vec![id.clone()];
        let groups = template.value["steps"].as_array().into_iter().flatten();
        for (number, group) in groups.enumerate() {
            let name = format!("{}[{number}]", place.name);
            let group_place = Place { name, display_name: format!("[{number}]"), boundary: id.clone() };
            self.nodes.begin(&group_place, "StepGroup", "", &parents);
            parents = vec![self.nodes.id(&group_place.name)];
            let site = Site { scope: &template.scope, parents: &parents, depth: site.depth + 1 };
            let (phase, steps) = self.group(&group_place, group, &id, &site)?;
            match phase {
                Phase::Running => return Ok(Phase::Running),
                Phase::Succeeded => {
                    self.nodes.end(&group_place.name, Phase::Succeeded, "");
                }
                failed => {
                    let message = self.nodes.message(&group_place.name).to_owned();
                    return Ok(self.nodes.end(&place.name, failed, &message));
                }
            }
            parents = steps;
        }
        Ok(self.nodes.end(&place.name, Phase::Succeeded, ""))
    }

    /// How far a group is, and the ids of its steps. It fails when all of them have ended.
    fn group(
        &mut self,
        group: &Place,
        steps: &Value,
        boundary: &str,
        site: &Site<'_>,
    ) -> Result<(Phase, Vec<String>), Stop> {
        let mut ids = Vec::new();
        let (mut is_running, mut failed) = (false, None);
        for step in steps.as_array().into_iter().flatten() {
            let display_name = meta::text(step, "/name").to_owned();
            let name = format!("{}.{display_name}", group.name);
            let id = self.nodes.id(&name);
            let place = Place { name, display_name, boundary: boundary.to_owned() };
            let phase = self.node(&place, step, site)?;
            is_running |= phase == Phase::Running;
            if phase.is_failure() {
                failed = Some(id.clone());
            }
            ids.push(id);
        }
        let phase = match failed {
            _ if is_running => Phase::Running,
            Some(id) => self.nodes.end(&group.name, Phase::Failed, &format!("child '{id}' failed")),
            None => Phase::Succeeded,
        };
        Ok((phase, ids))
    }
}
