//! What an expression is evaluated to.

use crate::time;
use serde_json::Value;
use std::borrow::Cow;
use std::rc::Rc;

/// A value, most of it borrowed from the object.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    /// ms since 1970.
    Time(i64),
    /// ms.
    Duration(i64),
    /// A list, a map, or a number that is not whole.
    Json(&'a Value),
    /// A list that was made.
    List(Rc<Vec<Val<'a>>>),
}

impl<'a> Val<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Val::Null,
            Value::Bool(is) => Val::Bool(*is),
            Value::String(text) => Val::Text(Cow::Borrowed(text)),
            Value::Number(number) => number.as_i64().map_or(Val::Json(value), Val::Int),
            Value::Array(_) | Value::Object(_) => Val::Json(value),
        }
    }

    /// What it is, in words.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Val::Null => "null",
            Val::Bool(_) => "true or false",
            Val::Int(_) => "a number",
            Val::Text(_) => "a text",
            Val::Time(_) => "a time",
            Val::Duration(_) => "a duration",
            Val::Json(Value::Object(_)) => "a map",
            Val::Json(Value::Number(_)) => "a number that is not whole",
            Val::Json(_) | Val::List(_) => "a list",
        }
    }

    /// As a text, if it is one or is written as one.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Val::Text(text) => Some(text),
            Val::Int(number) => Some(number.to_string().into()),
            Val::Bool(is) => Some(is.to_string().into()),
            Val::Time(ms) => u64::try_from(ms).ok().map(|ms| time::format(ms).into()),
            Val::Duration(ms) => Some(format!("{}s", ms / 1000).into()),
            Val::Json(Value::Number(number)) => Some(number.to_string().into()),
            _ => None,
        }
    }

    /// How many elements or entries it has.
    pub(super) fn count(&self) -> Option<usize> {
        match self {
            Val::Json(Value::Array(all)) => Some(all.len()),
            Val::Json(Value::Object(map)) => Some(map.len()),
            Val::List(all) => Some(all.len()),
            _ => None,
        }
    }

    /// What a macro goes through: the elements of a list, the keys of a map.
    pub(super) fn elements(&self) -> Option<Vec<Val<'a>>> {
        match self {
            Val::Json(Value::Array(all)) => Some(all.iter().map(Val::of).collect()),
            Val::Json(Value::Object(map)) => {
                Some(map.keys().map(|key| Val::Text(Cow::Borrowed(key))).collect())
            }
            Val::List(all) => Some(all.as_ref().clone()),
            _ => None,
        }
    }

    /// How many bytes another one of it takes that are not shared.
    pub(super) fn own_bytes(&self) -> usize {
        match self {
            Val::Text(Cow::Owned(text)) => text.len(),
            _ => 0,
        }
    }

    /// The element at a place of a list.
    pub(super) fn element(&self, place: usize) -> Option<Val<'a>> {
        match self {
            Val::Json(Value::Array(all)) => all.get(place).map(Val::of),
            Val::List(all) => all.get(place).cloned(),
            _ => None,
        }
    }
}
