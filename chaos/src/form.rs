//! In which form objects are answered: as they are, or their metadata alone. What else a client would take (tables,
//! protobuf) is passed over for the next that it names.

use crate::object::Object;
use serde_json::{Map, Value, json};

/// Of metadata alone.
const META: &str = "meta.k8s.io/v1";
const PARTIAL: &str = "PartialObjectMetadata";

/// How objects are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Metadata,
}

impl Form {
    /// The first form of the header `Accept` that is to be had; of a listing its own name is asked for.
    pub(crate) fn accepted(accept: &str, is_list: bool) -> Self {
        let partial = if is_list { "PartialObjectMetadataList" } else { PARTIAL };
        accept.split(',').find_map(|range| of(range, partial)).unwrap_or(Self::Whole)
    }

    /// The apiVersion of a listing, and its kind.
    pub(crate) fn list(self, api_version: &str, kind: &str) -> (String, String) {
        match self {
            Self::Whole => (api_version.to_owned(), format!("{kind}List")),
            Self::Metadata => (META.to_owned(), format!("{PARTIAL}List")),
        }
    }

    /// An object that stands by itself.
    pub(crate) fn render_into(self, out: &mut Vec<u8>, object: &Object, api_version: &str) {
        match self {
            Self::Whole => object.render_into(out, api_version),
            Self::Metadata => out.extend_from_slice(partial(&object.value()).to_string().as_bytes()),
        }
    }

    /// An object of a listing: only one that was cut says what it is.
    pub(crate) fn render_item_into(self, out: &mut Vec<u8>, object: &Object) {
        match self {
            Self::Whole => out.extend_from_slice(&object.body),
            Self::Metadata => out.extend_from_slice(partial(&object.value()).to_string().as_bytes()),
        }
    }

    /// What a bookmark shows, of what it would show of a whole object.
    pub(crate) fn bookmark(self, object: Value) -> Value {
        match self {
            Self::Whole => object,
            Self::Metadata => partial(&object),
        }
    }
}

fn partial(object: &Value) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    json!({"kind": PARTIAL, "apiVersion": META, "metadata": metadata})
}

/// `None`: it is not to be had.
fn of(range: &str, partial: &str) -> Option<Form> {
    let mut parts = range.split(';').map(str::trim);
    if !matches!(parts.next()?, "application/json" | "application/*" | "*/*") {
        return None;
    }
    let (mut kind, mut group, mut version) = ("", "", "");
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name {
            "as" => kind = value,
            "g" => group = value,
            "v" => version = value,
            _ => {}
        }
    }
    match (kind, group, version) {
        ("", ..) => Some(Form::Whole),
        (asked, "meta.k8s.io", "v1") if asked == partial => Some(Form::Metadata),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_to_be_had_counts() {
        let partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        let list = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        for (accept, is_list, form) in [
            ("", false, Form::Whole),
            ("application/json", true, Form::Whole),
            (partial, false, Form::Metadata),
            (list, true, Form::Metadata),
            (partial, true, Form::Whole),
            (&format!("{table},{list},application/json"), true, Form::Metadata),
            (&format!("{table},application/json"), true, Form::Whole),
            (&format!("application/json,{partial}"), false, Form::Whole),
        ] {
            assert_eq!(Form::accepted(accept, is_list), form, "{accept} {is_list}");
        }
    }
}
