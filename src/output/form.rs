//! The forms of output, as `-o` names them.

use super::jsonpath::JsonPath;
use clap::builder::{PossibleValue, TypedValueParser};
use std::ffi::OsStr;

/// The form of the output.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Form {
    /// Columns.
    #[default]
    Table,
    /// More columns.
    Wide,
    /// The document as the API gives it.
    Json,
    /// The same as YAML.
    Yaml,
    /// One `resource/name` a line.
    Name,
    /// What a template picks out.
    JsonPath(JsonPath),
}

impl Form {
    /// Reads what stands behind `-o`.
    ///
    /// # Errors
    /// Not a form, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "name" => Ok(Self::Name),
            _ => match text.split_once('=') {
                Some(("jsonpath", template)) => JsonPath::parse(template).map(Self::JsonPath),
                _ => Err("the forms are table, wide, json, yaml, name and jsonpath=TEMPLATE".to_owned()),
            },
        }
    }

    /// A person reads it: a table, narrow or wide.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// Reads a [`Form`] for clap, and tells help and completion which there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forms;

impl TypedValueParser for Forms {
    type Value = Form;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Form, clap::Error> {
        let parse = |text: &str| Form::parse(text);
        TypedValueParser::parse_ref(&parse, command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let forms = ["table", "wide", "json", "yaml", "name", "jsonpath="];
        Some(Box::new(forms.into_iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_others_are_refused_with_the_list() {
        for (text, form) in [("table", Form::Table), ("wide", Form::Wide), ("name", Form::Name)] {
            assert_eq!(Form::parse(text), Ok(form));
        }
        assert!(matches!(Form::parse("jsonpath={.metadata.name}"), Ok(Form::JsonPath(_))));
        assert!(Form::parse("xml").is_err_and(|why| why.contains("jsonpath=TEMPLATE")));
        assert!(Form::parse("jsonpath={.a").is_err());
    }
}
