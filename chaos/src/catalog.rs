//! What the API serves: the built-in kinds, and those that definitions add.

mod version;

use crate::definition;
use crate::kind::Kind;
use crate::object::Object;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// One kind in one version.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) kind: Kind,
    pub(crate) version: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    /// There is a `/status` besides the object, which alone writes the status.
    pub(crate) has_status: bool,
    /// Its definition is being deleted: nothing new is taken.
    pub(crate) is_terminating: bool,
}

impl Served {
    /// `batch/v1`; of the core group `v1`.
    pub(crate) fn api_version(&self) -> String {
        match self.kind.group() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    fn built_in(kind: Kind) -> Self {
        let short_names: &[&str] = match kind {
            Kind::Namespace => &["ns"],
            Kind::Pod => &["po"],
            Kind::ConfigMap => &["cm"],
            Kind::Event => &["ev"],
            Kind::Deployment => &["deploy"],
            Kind::StatefulSet => &["sts"],
            Kind::DaemonSet => &["ds"],
            Kind::CustomResourceDefinition => &["crd", "crds"],
            Kind::Job | Kind::Custom(_) => &[],
        };
        let categories: &[&str] = match kind {
            Kind::Job | Kind::Pod => &["all"],
            Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => &["all"],
            Kind::CustomResourceDefinition => &["api-extensions"],
            _ => &[],
        };
        let owned = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        Self {
            version: "v1".to_owned(),
            singular: kind.plural().trim_end_matches('s').to_owned(),
            short_names: owned(short_names),
            categories: owned(categories),
            has_status: !matches!(kind, Kind::ConfigMap | Kind::Event),
            is_terminating: false,
            kind,
        }
    }
}

/// Everything that is served at one time.
#[derive(Debug)]
pub(crate) struct Catalog {
    served: Vec<Served>,
    /// All kinds by the name that they have on file, also those that are not served yet.
    kinds: BTreeMap<String, Kind>,
}

impl Catalog {
    /// What is served beside these definitions.
    pub(crate) fn new<'a>(definitions: impl Iterator<Item = &'a Object>) -> Self {
        let mut served: Vec<Served> = Kind::BUILT_IN.into_iter().map(Served::built_in).collect();
        let mut kinds: BTreeMap<String, Kind> =
            Kind::BUILT_IN.into_iter().map(|kind| (kind.filed_name(), kind)).collect();
        for value in definitions.map(Object::value) {
            let kind = definition::kind(&value);
            kinds.insert(kind.filed_name(), kind);
            served.extend(definition::served(&value));
        }
        Self { served, kinds }
    }

    /// What is behind `/apis/GROUP/VERSION/.../PLURAL`; the core group is "".
    pub(crate) fn at_path(&self, group: &str, version: &str, plural: &str) -> Option<&Served> {
        self.in_version(group, version).find(|served| served.kind.plural() == plural)
    }

    /// The kind of a line on file.
    pub(crate) fn filed(&self, name: &str) -> Option<&Kind> {
        self.kinds.get(name)
    }

    /// All kinds that there may be objects of, definitions before what they define.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let mut all: Vec<Kind> = self.kinds.values().cloned().collect();
        all.sort();
        all
    }

    /// What a group serves in a version.
    pub(crate) fn in_version(&self, group: &str, version: &str) -> impl Iterator<Item = &Served> {
        self.served.iter().filter(move |served| served.kind.group() == group && served.version == version)
    }

    /// The groups beside the core, and their versions in order of preference.
    pub(crate) fn groups(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for served in self.served.iter().filter(|served| !served.kind.group().is_empty()) {
            groups.entry(served.kind.group()).or_default().push(&served.version);
        }
        for versions in groups.values_mut() {
            versions.sort_by_key(|name| Reverse(version::priority(name)));
            versions.dedup();
        }
        groups
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}
