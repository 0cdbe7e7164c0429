//! Definitions: their names, and the end of what they define.

use crate::definition::{self, CLEANUP, set_condition};
use crate::deletion::{DeleteOptions, delete};
use crate::kind::Kind;
use crate::meta;
use crate::refusal::Refusal;
use crate::state::State;
use serde_json::Value;

/// Accepts the names of a definition, so that it is served; deletes the objects of one that is being deleted.
pub(crate) fn look_at(state: &mut State, name: &str) -> Result<(), Refusal> {
    let Some(found) = state.get(&Kind::CustomResourceDefinition, name).cloned() else { return Ok(()) };
    let mut value = found.value();
    if !found.is_deleting {
        let taken = taken(state, name, &value);
        judge(&mut value, taken);
        return state.settle(&found, value).map(drop);
    }
    if !meta::finalizers(&value).contains(&CLEANUP) {
        return Ok(());
    }
    let kind = definition::kind(&value);
    for object in state.with_prefix(&kind, "").iter().filter(|object| !object.is_deleting) {
        delete(state, &kind, &object.key, &DeleteOptions::background())?;
    }
    if state.is_empty(&kind) {
        set_condition(&mut value, "Terminating", false, "InstanceDeletionCompleted", "removed all instances");
        meta::remove_finalizer(&mut value, CLEANUP);
    } else {
        let message = "CustomResource deletion is in progress";
        set_condition(&mut value, "Terminating", true, "InstanceDeletionInProgress", message);
    }
    state.settle(&found, value).map(drop)
}

/// A name that another served definition of the group has.
fn taken(state: &State, name: &str, value: &Value) -> Option<(&'static str, String)> {
    let all = state.with_prefix(&Kind::CustomResourceDefinition, "");
    let others = all.iter().filter(|other| other.name != name).map(|other| other.value());
    let rivals = others.filter(|other| {
        meta::text(other, "/spec/group") == meta::text(value, "/spec/group")
            && meta::has_condition(other, "NamesAccepted")
    });
    let used: Vec<Value> = rivals.map(|rival| rival["status"]["acceptedNames"].clone()).collect();
    let wanted = names(&value["spec"]["names"]);
    let is_used =
        |wanted: &str| used.iter().any(|rival| names(rival).iter().any(|(_, held)| *held == wanted));
    wanted.into_iter().find(|(_, wanted)| is_used(wanted)).map(|(reason, name)| (reason, name.to_owned()))
}

/// All names in a group of names, each with the reason that is given when it is taken.
fn names(names: &Value) -> Vec<(&'static str, &str)> {
    let one = |reason, field| names.get(field)?.as_str().map(|name| (reason, name));
    let short = meta::strings(names.get("shortNames")).into_iter();
    let all = [
        one("PluralConflict", "plural"),
        one("SingularConflict", "singular"),
        one("KindConflict", "kind"),
        one("ListKindConflict", "listKind"),
    ];
    all.into_iter().flatten().chain(short.map(|name| ("ShortNamesConflict", name))).collect()
}

fn judge(value: &mut Value, taken: Option<(&str, String)>) {
    match taken {
        Some((reason, taken)) => {
            let message = format!("{taken:?} is already in use");
            set_condition(value, "NamesAccepted", false, reason, &message);
            if !meta::has_condition(value, "Established") {
                set_condition(value, "Established", false, "NotAccepted", "not all names are accepted");
            }
        }
        None => {
            let accepted = value["spec"]["names"].clone();
            meta::set(value, &["status", "acceptedNames"], accepted);
            set_condition(value, "NamesAccepted", true, "NoConflicts", "no conflicts found");
            let message = "the initial names have been accepted";
            set_condition(value, "Established", true, "InitialNamesAccepted", message);
        }
    }
    let mut stored: Vec<String> =
        meta::strings(value.pointer("/status/storedVersions")).into_iter().map(str::to_owned).collect();
    let storage = definition::versions(value).find(|version| version["storage"] == Value::Bool(true));
    let storage = storage.map(|version| meta::text(version, "/name").to_owned()).unwrap_or_default();
    if !stored.contains(&storage) {
        stored.push(storage);
    }
    meta::set(value, &["status", "storedVersions"], stored);
}
