//! Which runnables a command is about: those that are named, or those that selectors select.

use crate::client::{Client, Request, Where, request, text};
use crate::exit::{Exit, Failure};
use serde_json::Value;

/// Records of one page.
const PAGE_MAX: u32 = 500;

/// Namespace and name.
pub(crate) type Reference = (String, String);

/// What every command that selects takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Select {
    #[command(flatten)]
    pub(crate) place: Where,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Only those with these labels, as desk=rates,env!=test or `desk in (rates,fx)`
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(crate) selector: Option<String>,
    /// Only those, as status.phase=Failed,status.cluster=east or status.deadLetter=true
    #[arg(long, value_name = "FIELDS")]
    pub(crate) field_selector: Option<String>,
}

impl Select {
    /// True if it narrows down what a namespace has.
    pub(crate) fn is_narrow(&self) -> bool {
        self.selector.is_some() || self.field_selector.is_some()
    }

    /// The request for a list or a watch of what is selected.
    pub(crate) fn request(&self) -> Request {
        let namespace = (!self.all_namespaces).then(|| self.place.namespace());
        Request::get(request::runnables(namespace))
            .query_some("labelSelector", self.selector.as_deref())
            .query_some("fieldSelector", self.field_selector.as_deref())
    }

    /// The named ones, or all that are selected.
    ///
    /// # Errors
    /// Both are given, or a name is none.
    pub(crate) fn scope(&self, names: &[String]) -> Result<Scope, Failure> {
        if names.is_empty() {
            return Ok(Scope::Selected(Box::new(self.request())));
        }
        if self.is_narrow() || self.all_namespaces {
            return Err(Failure::new(
                Exit::Usage,
                "names and selectors exclude each other",
                "name runs, or select them with -l LABELS, --field-selector FIELDS or -A",
            ));
        }
        let named = self.place.split_all(names)?;
        Ok(Scope::Named(named.into_iter().map(|(ns, name)| (ns.to_owned(), name.to_owned())).collect()))
    }

    /// The same options as a command line has them, for `try:` lines.
    pub(crate) fn words(&self) -> String {
        let quoted = |flag: &str, value: &Option<String>| {
            value.as_ref().map_or(String::new(), |value| format!(" {flag} '{value}'"))
        };
        let place = match (self.all_namespaces, &self.place.namespace) {
            (true, _) => " -A".to_owned(),
            (false, Some(namespace)) => format!(" -n {namespace}"),
            (false, None) => String::new(),
        };
        format!("{place}{}{}", quoted("-l", &self.selector), quoted("--field-selector", &self.field_selector))
    }
}

/// Which runnables.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// These.
    Named(Vec<Reference>),
    /// All that a list with this request has.
    Selected(Box<Request>),
}

impl Scope {
    /// The request for a watch that has them all, and maybe others.
    pub(crate) fn watch(&self) -> Request {
        match self {
            Scope::Selected(request) => (**request).clone(),
            Scope::Named(named) => match named.as_slice() {
                [(namespace, name)] => Request::get(request::runnables(Some(namespace)))
                    .query("fieldSelector", format!("metadata.name={name}")),
                [(first, _), rest @ ..] if rest.iter().all(|(namespace, _)| namespace == first) => {
                    Request::get(request::runnables(Some(first)))
                }
                _ => Request::get(request::runnables(None)),
            },
        }
    }

    /// True if it is one of them, as far as its name says.
    pub(crate) fn has(&self, run: &Value) -> bool {
        let (namespace, name) = (text(run, "/metadata/namespace"), text(run, "/metadata/name"));
        match self {
            Scope::Selected(_) => true,
            Scope::Named(named) => named.iter().any(|known| known.0 == namespace && known.1 == name),
        }
    }
}

/// The whole list of what a request selects, page by page from one revision.
///
/// # Errors
/// Refused, or no answer.
pub(crate) async fn list(client: &Client, request: &Request) -> Result<Value, Failure> {
    let page = async |next: Option<&str>| {
        let request = request.clone().query("limit", PAGE_MAX).query_some("continue", next);
        // A token holds the revision that the pages are of.
        let request = if next.is_some() {
            request.without(&["consistency", "resourceVersion", "resourceVersionMatch"])
        } else {
            request
        };
        Ok::<_, Failure>(client.read(&request).await?.body)
    };
    let mut list = page(None).await?;
    loop {
        let next = text(&list, "/metadata/continue").to_owned();
        if next.is_empty() {
            return Ok(list);
        }
        let mut more = page(Some(&next)).await?;
        let items = more.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
        if let Some(known) = list.get_mut("items").and_then(Value::as_array_mut) {
            known.extend(items.unwrap_or_default());
        }
        if let (Some(metadata), Some(known)) = (more.get_mut("metadata"), list.get_mut("metadata")) {
            *known = metadata.take();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_and_selectors_exclude_each_other() {
        let select = Select { selector: Some("desk=rates".to_owned()), ..Select::default() };
        assert_eq!(select.scope(&["a".to_owned()]).unwrap_err().exit, Exit::Usage);
        assert!(matches!(select.scope(&[]), Ok(Scope::Selected(_))));
        assert_eq!(select.words(), " -l 'desk=rates'");
    }

    #[test]
    fn a_watch_of_named_runs_is_as_narrow_as_it_can_be() {
        let scope = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Select::default().scope(&names).unwrap().watch()
        };
        assert!(scope(&["risk/a"]).path.ends_with("/namespaces/risk/runnables"));
        assert_eq!(scope(&["risk/a"]).query, [("fieldSelector", "metadata.name=a".to_owned())]);
        assert!(scope(&["risk/a", "risk/b"]).path.ends_with("/namespaces/risk/runnables"));
        assert!(scope(&["risk/a", "fx/b"]).path.ends_with("/v1/runnables"));
    }
}
