//! `requires: [{deployable, revision}]`

use super::fields::{Faults, Fields};
use super::names;
use crate::limits;
use crate::record::Requirement;

/// What a run requires. What is returned beside a fault is never used.
pub(super) fn requires_of(spec: &mut Fields<'_>, faults: &mut Faults) -> Vec<Requirement> {
    let list = spec.list("requires", faults).unwrap_or_default();
    if list.len() > limits::REQUIREMENTS_MAX {
        faults.add("spec.requires", format!("at most {}", limits::REQUIREMENTS_MAX));
    }
    let mut required: Vec<Requirement> = Vec::new();
    for (i, value) in list.into_iter().enumerate().take(limits::REQUIREMENTS_MAX) {
        let path = format!("spec.requires[{i}]");
        let mut fields = Fields::of(&path, value, faults);
        let deployable = fields.text("deployable", faults).unwrap_or_default();
        if let Err(why) = names::subdomain(&deployable, 253) {
            faults.add(fields.path("deployable"), format!("must be the name of a deployable: {why}"));
        }
        let generation = fields.take("revision").and_then(|given| {
            let number = given.as_u64().and_then(|number| u32::try_from(number).ok());
            let number = number.filter(|number| *number > 0);
            if number.is_none() {
                let words = format!("must be the number of a revision of it, from 1, not {given}");
                faults.add(fields.path("revision"), words);
            }
            number
        });
        fields.finish(faults);
        if required.iter().any(|earlier| earlier.deployable == deployable) {
            faults.add(path, format!("deployable {deployable:?} is required twice"));
        }
        required.push(Requirement { deployable, generation });
    }
    required
}
