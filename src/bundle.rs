//! From files as people have them to runnables: Runnable documents are sent as they are, one by one; bare manifests
//! are wrapped in one, under the namespace and the name of their main object.

use crate::client::text;
use crate::exit::{Exit, Failure};
use serde_json::{Map, Value, json};
use tallyman_model::record::Kind;

/// The API version and kind of what is submitted.
pub(crate) const API_VERSION: &str = "tallyman.dev/v1";
/// See [`API_VERSION`].
pub(crate) const KIND: &str = "Runnable";

/// The deepest nesting, as the API takes it.
const DEPTH_MAX: usize = 64;

/// A runnable, ready to be sent to its namespace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bundle {
    /// The namespace.
    pub(crate) namespace: String,
    /// The document.
    pub(crate) document: Value,
}

/// What the command line says beside the file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given<'a> {
    /// The namespace, where the file names none.
    pub(crate) namespace: Option<&'a str>,
    /// The cluster to run on.
    pub(crate) cluster: Option<&'a str>,
}

impl Bundle {
    /// Reads the text of a file called `source`, which holds one runnable.
    ///
    /// # Errors
    /// As [`read_all`](Self::read_all), or it holds more than one.
    pub(crate) fn read(text: &str, source: &str, given: Given<'_>) -> Result<Self, Failure> {
        match Self::read_all(text, source, given)?.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(unusable(source, "it holds several Runnables; give them one by one")),
        }
    }

    /// Reads the text of a file called `source`: one Runnable or several, or the manifests of one.
    ///
    /// # Errors
    /// Not YAML or JSON, or nothing that can be submitted.
    pub(crate) fn read_all(text: &str, source: &str, given: Given<'_>) -> Result<Vec<Self>, Failure> {
        let documents = documents(text, source)?;
        let is_runnable = |document: &Value| field(document, "kind") == KIND;
        let runnables = match documents.iter().filter(|document| is_runnable(document)).count() {
            _ if documents.is_empty() => return Err(unusable(source, "it is empty")),
            0 => vec![wrap(documents, source)?],
            count if count == documents.len() => documents,
            _ => {
                let why = "it mixes Runnables with bare manifests: put the manifests into spec.manifests";
                return Err(unusable(source, why));
            }
        };
        runnables.into_iter().map(|document| Self::of(document, source, given)).collect()
    }

    fn of(mut document: Value, source: &str, given: Given<'_>) -> Result<Self, Failure> {
        let namespace = settle_namespace(&mut document, source, given.namespace)?;
        if let Some(cluster) = given.cluster {
            place_on(&mut document, source, cluster)?;
        }
        Ok(Self { namespace, document })
    }

    /// What it is called before it has a name: `NS/NAME`, or `NS/PREFIX*`.
    pub(crate) fn title(&self) -> String {
        let (name, prefix) =
            (text_of(&self.document, "/metadata/name"), text_of(&self.document, "/metadata/generateName"));
        let name = if name.is_empty() { format!("{prefix}*") } else { name.to_owned() };
        format!("{}/{name}", self.namespace)
    }

    /// The kinds in it, the main one first, as `Job + ConfigMap`.
    pub(crate) fn kinds(&self) -> String {
        let manifests = self.document.pointer("/spec/manifests").and_then(Value::as_array);
        let mut kinds: Vec<&str> =
            manifests.into_iter().flatten().map(|manifest| field(manifest, "kind")).collect();
        kinds.sort_by_key(|kind| !completes(kind));
        let mut counted: Vec<(&str, usize)> = Vec::new();
        for kind in kinds {
            match counted.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counted.push((kind, 1)),
            }
        }
        let write = |(kind, count): &(&str, usize)| {
            if *count > 1 { format!("{count} {kind}s") } else { (*kind).into() }
        };
        counted.iter().map(write).collect::<Vec<_>>().join(" + ")
    }
}

/// All documents of the text, those inside a `List` one by one.
pub(crate) fn documents(text: &str, source: &str) -> Result<Vec<Value>, Failure> {
    // As kubectl reads them: 0644 is octal, and yes is true.
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, flow_nesting_limit: DEPTH_MAX },
    };
    let read: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| unusable(source, &words(&error)))?;
    let mut documents = Vec::new();
    for document in read {
        match (field(&document, "kind"), document.get("items")) {
            ("List", Some(Value::Array(items))) => documents.extend(items.iter().cloned()),
            _ => documents.push(document),
        }
    }
    match documents.iter().find(|document| !document.is_object()) {
        Some(_) => Err(unusable(source, "a document is not a manifest: it has no apiVersion and kind")),
        None => Ok(documents),
    }
}

/// Why a text was not read.
fn words(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    use serde_saphyr::budget::BudgetBreach;
    let too_deep = || format!("it is nested more than {DEPTH_MAX} deep");
    match error.without_snippet() {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(),
        // Brackets within brackets are counted apart.
        other if other.to_string().contains("recursion limit") => too_deep(),
        Error::Budget { .. } => "it is too large, or has too many aliases".to_owned(),
        _ => {
            let words = error.to_string();
            format!("not YAML or JSON: {}", words.strip_prefix("error: ").unwrap_or(&words))
        }
    }
}

/// One runnable of bare manifests.
fn wrap(manifests: Vec<Value>, source: &str) -> Result<Value, Failure> {
    let mains: Vec<&Value> = manifests.iter().filter(|manifest| is_main(manifest)).collect();
    let main = match mains.as_slice() {
        [main] => *main,
        [] => {
            let why = "none of its manifests runs to completion; one must be a Job or a Workflow";
            return Err(unusable(source, why));
        }
        several => {
            let names: Vec<&str> =
                several.iter().map(|manifest| text_of(manifest, "/metadata/name")).collect();
            let message = format!(
                "{} of its manifests run to completion ({}) and it does not say which one counts",
                names.len(),
                names.join(", ")
            );
            return Err(unusable(source, &format!("{message}; write a Runnable with spec.main")));
        }
    };
    let mut metadata = Map::new();
    for key in ["namespace", "name", "generateName", "labels"] {
        if let Some(value) = main.get("metadata").and_then(|metadata| metadata.get(key)) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    Ok(json!({
        "apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"manifests": manifests},
    }))
}

/// The namespace of the document, which may be given in it or beside it.
fn settle_namespace(document: &mut Value, source: &str, given: Option<&str>) -> Result<String, Failure> {
    let inside = text_of(document, "/metadata/namespace").to_owned();
    let namespace = match (inside.as_str(), given) {
        ("", given) => given.unwrap_or("default").to_owned(),
        (inside, Some(given)) if given != inside => {
            let message =
                format!("its namespace is {inside:?}, and --namespace (TALLYMAN_NAMESPACE) says {given:?}");
            return Err(unusable(source, &message));
        }
        (inside, _) => inside.to_owned(),
    };
    if let Some(root) = document.as_object_mut() {
        let metadata = root.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
    }
    Ok(namespace)
}

fn place_on(document: &mut Value, source: &str, cluster: &str) -> Result<(), Failure> {
    let Some(spec) = document.get_mut("spec").and_then(Value::as_object_mut) else {
        return Err(unusable(source, "it has no spec"));
    };
    if spec.contains_key("placement") {
        return Err(unusable(source, "it says itself where it goes (spec.placement); leave --cluster out"));
    }
    spec.insert("placement".to_owned(), json!({"clusters": [cluster]}));
    Ok(())
}

fn is_main(manifest: &Value) -> bool {
    let kind = Kind::parse(field(manifest, "apiVersion"), field(manifest, "kind"));
    kind.is_some_and(|kind| kind.completes())
}

fn completes(kind: &str) -> bool {
    Kind::KNOWN.into_iter().any(|known| known.as_str() == kind && known.completes())
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn text_of<'a>(value: &'a Value, pointer: &str) -> &'a str {
    text(value, pointer)
}

fn unusable(source: &str, why: &str) -> Failure {
    let source = if source == "-" { "standard input" } else { source };
    Failure::new(
        Exit::Failed,
        format!("{source} cannot be submitted: {why}"),
        "give it one Runnable, or a Job or Workflow and what it needs; examples/nightly-report.yaml is one",
    )
}

#[cfg(test)]
mod tests;
