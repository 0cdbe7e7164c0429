//! The file as it is written: which keys, with which values, on which lines.

use super::{KEYS, Problem, TLS_KEYS, hint};
use toml::de::{DeTable, DeValue};

/// A value and its line.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) line: usize,
    pub(super) value: T,
}

/// What stands in the file; nothing is checked but the types.
#[derive(Clone, Debug, Default)]
pub(super) struct Raw {
    pub(super) group: Option<At<String>>,
    pub(super) datacenter: Option<At<String>>,
    pub(super) data_dir: Option<At<String>>,
    pub(super) api_listen: Option<At<String>>,
    pub(super) peer_listen: Option<At<String>>,
    pub(super) advertise: Option<At<String>>,
    pub(super) peers: Option<At<Vec<String>>>,
    pub(super) tls: Option<At<RawTls>>,
    pub(super) tokens_file: Option<At<String>>,
    pub(super) cluster_credentials_dir: Option<At<String>>,
    pub(super) cluster_provider_file: Option<At<String>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawTls {
    pub(super) cert: Option<At<String>>,
    pub(super) key: Option<At<String>>,
    pub(super) ca: Option<At<String>>,
}

/// Reads the text; `None` if it is not TOML at all.
pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Option<Raw> {
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map(|span| line_of(text, span.start));
            problems.push(Problem { line, message: format!("not TOML: {}", error.message()) });
            return None;
        }
    };
    let mut reader = Reader { text, problems };
    let table = table.get_ref();
    reader.refuse_unknown(table, "", &KEYS);
    let tls = reader.table(table, "tls");
    Some(Raw {
        group: reader.string(table, "group"),
        datacenter: reader.string(table, "datacenter"),
        data_dir: reader.string(table, "data_dir"),
        api_listen: reader.string(table, "api_listen"),
        peer_listen: reader.string(table, "peer_listen"),
        advertise: reader.string(table, "advertise"),
        peers: reader.strings(table, "peers"),
        tls: tls.map(|tls| {
            reader.refuse_unknown(tls.value, "tls.", &TLS_KEYS);
            let value = RawTls {
                cert: reader.string(tls.value, "cert"),
                key: reader.string(tls.value, "key"),
                ca: reader.string(tls.value, "ca"),
            };
            At { line: tls.line, value }
        }),
        tokens_file: reader.string(table, "tokens_file"),
        cluster_credentials_dir: reader.string(table, "cluster_credentials_dir"),
        cluster_provider_file: reader.string(table, "cluster_provider_file"),
    })
}

struct Reader<'a> {
    text: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn refuse_unknown(&mut self, table: &DeTable<'_>, prefix: &str, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let hint = match hint::did_you_mean(name, known) {
                Some(nearest) => format!("did you mean `{prefix}{nearest}`?"),
                None => format!("the keys are {}", known.join(", ")),
            };
            self.complain(key.span().start, format!("unknown key `{prefix}{name}`; {hint}"));
        }
    }

    fn string(&mut self, table: &DeTable<'_>, key: &str) -> Option<At<String>> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(self.at(value.span().start, text.to_string())),
            other => {
                let message = format!("`{key}` must be a text in quotes, not {}", other.type_str());
                self.complain(value.span().start, message);
                None
            }
        }
    }

    fn strings(&mut self, table: &DeTable<'_>, key: &str) -> Option<At<Vec<String>>> {
        let value = table.get(key)?;
        let items = value.get_ref().as_array();
        let texts = items.and_then(|items| {
            items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        if texts.is_none() {
            self.complain(value.span().start, format!("`{key}` must be a list of texts in quotes"));
        }
        Some(self.at(value.span().start, texts?))
    }

    fn table<'t, 'i>(&mut self, table: &'t DeTable<'i>, key: &str) -> Option<At<&'t DeTable<'i>>> {
        let value = table.get(key)?;
        let found = value.get_ref().as_table();
        if found.is_none() {
            self.complain(
                value.span().start,
                format!("`{key}` must be a table with {}", TLS_KEYS.join(", ")),
            );
        }
        Some(self.at(value.span().start, found?))
    }

    fn at<T>(&self, offset: usize, value: T) -> At<T> {
        At { line: line_of(self.text, offset), value }
    }

    fn complain(&mut self, offset: usize, message: String) {
        self.problems.push(Problem { line: Some(line_of(self.text, offset)), message });
    }
}

/// The line, from 1, of a byte of the text.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
