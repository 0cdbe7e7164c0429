//! Who set which field: `metadata.managedFields`, and server-side apply on top of it.
//!
//! A part of a real server's rules. Which lists are merged by key is known by the names of their fields, not by
//! schemas; all other lists, and label selectors, belong to one manager as a whole.

mod apply;
mod fields;
mod lists;
mod merge;
mod owners;

pub(crate) use apply::apply;

use crate::request::Call;
use owners::{Owner, Owners};
use serde_json::Value;

/// How long the name of a manager may be.
const MANAGER_LETTERS_MAX: usize = 128;

/// Who a request is from: what it says, or else what its user agent begins with.
pub(crate) fn manager(call: &Call) -> String {
    let said = match call.query.get("fieldManager") {
        "" => call.user_agent.split('/').next().unwrap_or_default(),
        said => said,
    };
    let name: String = said.chars().filter(|letter| !letter.is_control()).take(MANAGER_LETTERS_MAX).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// Notes in `after` who changed what between the two; `before` is null for a new object. A client may hand in other
/// `managedFields` than there were: those are gone on from.
pub(crate) fn note(before: &Value, after: &mut Value, manager: &str, api_version: &str, is_status: bool) {
    let owner = Owner {
        manager: manager.to_owned(),
        is_apply: false,
        api_version: api_version.to_owned(),
        subresource: if is_status { "status".to_owned() } else { String::new() },
    };
    let mut owners = Owners::read(after);
    if owners.is_empty() && !Owners::are_taken_off(after) {
        owners = Owners::read(before);
    }
    let (old, new) = (fields::of(before), fields::of(after));
    let removed = old.difference(&new).cloned().collect();
    let is_same =
        |path: &fields::Path| old.contains(path) && fields::get(before, path) == fields::get(after, path);
    let changed: fields::Fields = new.iter().filter(|path| !is_same(path)).cloned().collect();
    owners.take_from_others(&owner, &changed);
    owners.take_from_all(&removed);
    owners.add(&owner, changed);
    owners.write(before, after);
}
