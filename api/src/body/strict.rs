//! A JSON value from any parser, under bounds that the parsers do not have: no key twice, so deep, so many.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// The deepest nesting.
pub(super) const DEPTH_MAX: usize = 64;
/// The most values in one body.
pub(super) const VALUES_MAX: usize = 200_000;
/// The most lists and objects in one body: an object costs about 600 bytes however little is in it.
const CONTAINERS_MAX: usize = 40_000;
/// The most bytes of text in one body, after aliases were expanded.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is left of the bounds of one body.
pub(super) struct Allowance {
    values: Cell<usize>,
    containers: Cell<usize>,
    depth: Cell<usize>,
    text_bytes: Cell<usize>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            values: Cell::new(VALUES_MAX),
            containers: Cell::new(CONTAINERS_MAX),
            depth: Cell::new(DEPTH_MAX),
            text_bytes: Cell::new(TEXT_BYTES_MAX),
        }
    }
}

const TWICE: &str = "a key is there twice";
const TOO_MANY: &str = "it has too many values";
const TOO_MUCH: &str = "it has too much text";

pub(super) fn too_deep() -> String {
    format!("it is nested more than {DEPTH_MAX} deep")
}

/// True for the words of this file, which quote nothing.
pub(super) fn is_own(words: &str) -> bool {
    [TWICE, TOO_MANY, TOO_MUCH].contains(&words) || words == too_deep()
}

fn spend<E: Error>(left: &Cell<usize>, amount: usize, why: &str) -> Result<(), E> {
    left.set(left.get().checked_sub(amount).ok_or_else(|| E::custom(why))?);
    Ok(())
}

/// Reads one value.
#[derive(Clone, Copy)]
pub(super) struct Strict<'a>(pub(super) &'a Allowance);

impl Strict<'_> {
    fn enter<E: Error>(self) -> Result<(), E> {
        spend(&self.0.containers, 1, TOO_MANY)?;
        self.0.depth.set(self.0.depth.get().checked_sub(1).ok_or_else(|| E::custom(too_deep()))?);
        Ok(())
    }

    fn leave(self) {
        self.0.depth.set(self.0.depth.get() + 1);
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        spend(&self.0.values, 1, TOO_MANY)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that JSON does not have"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        spend(&self.0.text_bytes, value.len(), TOO_MUCH)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        self.leave();
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            spend(&self.0.text_bytes, key.len(), TOO_MUCH)?;
            let value = entries.next_value_seed(self)?;
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        self.leave();
        Ok(Value::Object(map))
    }
}
