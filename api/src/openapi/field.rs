//! How a field of a resource is described, once; the schema follows from it.

use serde_json::{Map, Value, json};

/// A field: where it is, of what kind, and what it is for. Lists are not seen in the path: `status.attempts.number`
/// is in each of the attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    path: &'static str,
    kind: Kind,
    says: &'static str,
    must: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Fields that are described too.
    Object,
    /// A list of them.
    List,
    /// A string.
    Text,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// Strings.
    Texts,
    /// A point in time as RFC 3339 writes it.
    Time,
    /// Like `90s`, `15m`, `24h`.
    Duration,
    /// A number without a fraction.
    Whole,
    /// True or false.
    Flag,
    /// Strings under names that are not fixed, as labels are.
    Strings,
    /// Numbers without a fraction, under names that are not fixed.
    Numbers,
    /// Anything.
    Document,
    /// Kubernetes objects.
    Manifests,
    /// `matchLabels`, or a selector in one line.
    Selector,
    /// The metadata of every object.
    Metadata,
}

/// A field that may be left out.
pub(super) const fn may(path: &'static str, kind: Kind, says: &'static str) -> Field {
    Field { path, kind, says, must: false }
}

/// A field that must be there.
pub(super) const fn must(path: &'static str, kind: Kind, says: &'static str) -> Field {
    Field { path, kind, says, must: true }
}

/// The schema of an object with these fields.
pub(super) fn schema(says: &str, fields: &[Field]) -> Value {
    object(says, fields, "")
}

fn object(says: &str, fields: &[Field], prefix: &str) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in fields {
        let Some(name) = field.path.strip_prefix(prefix).filter(|name| !name.contains('.')) else { continue };
        properties.insert(name.to_owned(), property(field, fields));
        if field.must {
            required.push(name);
        }
    }
    let mut schema = json!({"type": "object", "description": says, "properties": properties});
    if let (false, Some(schema)) = (required.is_empty(), schema.as_object_mut()) {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

fn property(field: &Field, fields: &[Field]) -> Value {
    let says = field.says;
    let inner = || object(says, fields, &format!("{}.", field.path));
    match field.kind {
        Kind::Object => inner(),
        Kind::List => json!({"type": "array", "description": says, "items": inner()}),
        Kind::Text => json!({"type": "string", "description": says}),
        Kind::Word(words) => json!({"type": "string", "description": says, "enum": words}),
        Kind::Texts => json!({"type": "array", "description": says, "items": {"type": "string"}}),
        Kind::Time => json!({"type": "string", "format": "date-time", "description": says}),
        Kind::Duration => json!({"type": "string", "format": "duration", "description": says}),
        Kind::Whole => json!({"type": "integer", "format": "int64", "description": says}),
        Kind::Flag => json!({"type": "boolean", "description": says}),
        Kind::Strings => {
            json!({"type": "object", "description": says, "additionalProperties": {"type": "string"}})
        }
        Kind::Numbers => {
            json!({"type": "object", "description": says, "additionalProperties": {"type": "integer"}})
        }
        Kind::Document => json!({"description": says, "x-kubernetes-preserve-unknown-fields": true}),
        Kind::Manifests => json!({"type": "array", "description": says, "items": {
            "type": "object", "description": "A Kubernetes object.",
            "required": ["apiVersion", "kind", "metadata"],
            "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true,
        }}),
        Kind::Selector => json!({"description": says, "oneOf": [
            {"type": "object", "properties": {
                "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
            }},
            {"type": "string"},
        ]}),
        Kind::Metadata => {
            json!({"description": says, "allOf": [{"$ref": format!("#/components/schemas/{}", super::METADATA)}]})
        }
    }
}
