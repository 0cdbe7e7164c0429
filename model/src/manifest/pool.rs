//! From pools and allocations as users write them to what is proposed.

use super::accept::head_of;
use super::fields::{Faults, Fields};
use super::names;
use crate::command::ManifestName;
use crate::record::{Family, Span, Subnets, Values, WantedValue, name_slot, parse_cidr};
use crate::{Cause, limits};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What stands around a spec: a name, labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Titled {
    /// The name.
    pub name: String,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// The user's annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A pool as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPool {
    /// Name, labels and annotations.
    pub titled: Titled,
    /// What it gives out.
    pub values: Values,
    /// Pools that say the same have nothing in common; empty: it may overlap with any.
    pub disjoint: String,
}

/// An allocation as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadAllocation {
    /// For whom.
    pub key: String,
    /// Which value, or how many.
    pub wanted: WantedValue,
    /// For how long, in ms; `None`: until it is released.
    pub ttl_ms: Option<u64>,
}

/// Bytes of the name of a pool or a lock: it stands in labels, and behind a prefix in annotations.
pub(super) const NAME_BYTES_MAX: usize = 50;
/// Bytes of an allocation's key: with the pool's name before it, it is a name.
const KEY_BYTES_MAX: usize = 200;
/// The greatest integer: JSON's own limit in most languages.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Reads the head of a pool or a lock.
pub(super) fn titled(
    root: &mut Fields<'_>,
    kind: &str,
    namespace: &str,
    faults: &mut Faults,
) -> Option<Titled> {
    let (name, labels, annotations) = head_of(root, kind, namespace, faults)?;
    let ManifestName::Fixed(name) = name else {
        faults.add("metadata.generateName", "is not taken: others are to know its name");
        return None;
    };
    let checked = if name.len() > NAME_BYTES_MAX { Err(too_long()) } else { names::label(&name) };
    checked.map_err(|why| faults.add("metadata.name", why)).ok()?;
    Some(Titled { name, labels, annotations })
}

fn too_long() -> String {
    format!("must have at most {NAME_BYTES_MAX} characters")
}

/// Reads a pool, `value`, that was sent to the namespace `namespace`.
///
/// # Errors
/// Every fault found, with its path and what would be right.
pub fn read_pool(value: Value, namespace: &str) -> Result<ReadPool, Vec<Cause>> {
    let mut faults = Faults::default();
    let mut root = Fields::of("", value, &mut faults);
    let titled = titled(&mut root, "Pool", namespace, &mut faults);
    let spec = root.take("spec").unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    root.finish(&mut faults);
    let mut spec = Fields::of("spec", spec, &mut faults);
    let disjoint = spec.text("disjoint", &mut faults).unwrap_or_default();
    if !disjoint.is_empty()
        && let Err(why) = names::subdomain(&disjoint, 253)
    {
        faults.add("spec.disjoint", why);
    }
    let values = values_of(&mut spec, &mut faults);
    spec.finish(&mut faults);
    match (titled, values, faults.0.is_empty()) {
        (Some(titled), Some(values), true) => Ok(ReadPool { titled, values, disjoint }),
        _ => Err(faults.0),
    }
}

fn values_of(spec: &mut Fields<'_>, faults: &mut Faults) -> Option<Values> {
    let length = spec.take("prefixLength");
    let given: Vec<&str> = ["ranges", "cidrs", "names"].into_iter().filter(|field| spec.has(field)).collect();
    let values = match given.as_slice() {
        ["ranges"] => Values::Integers(ranges_of(spec, faults)),
        ["cidrs"] => {
            let cidrs = spec.texts("cidrs", faults);
            Values::Subnets(subnets_of(&cidrs, length.as_ref(), faults)?)
        }
        ["names"] => Values::Names(names_of(spec, faults)),
        _ => {
            faults.add("spec", "must have one of ranges (of integers), cidrs, and names");
            return None;
        }
    };
    if length.is_some() && !matches!(values, Values::Subnets(_)) {
        faults.add("spec.prefixLength", "is for cidrs only");
    }
    check(&values, given.first().copied().unwrap_or_default(), faults);
    Some(values)
}

/// What must hold of values of any sort.
fn check(values: &Values, field: &str, faults: &mut Faults) {
    let path = format!("spec.{field}");
    let spans = values.spans();
    let many = if field == "names" { limits::POOL_NAMES_MAX } else { limits::POOL_RANGES_MAX };
    if spans.is_empty() || spans.len() > many {
        return faults.add(path, format!("must have 1 to {many} entries, has {}", spans.len()));
    }
    let meets =
        |(i, span): (usize, &Span)| spans.iter().take(i).any(|earlier| earlier.meets(*span)).then_some(i);
    if let Some(i) = spans.iter().enumerate().find_map(meets) {
        faults.add(format!("{path}[{i}]"), "has a value of an earlier one");
    }
    if values.count() > limits::POOL_VALUES_MAX {
        let hint = if field == "cidrs" { ": take smaller blocks, or a shorter prefixLength" } else { "" };
        faults.add(path, format!("at most {} values together{hint}", limits::POOL_VALUES_MAX));
    }
}

fn ranges_of(spec: &mut Fields<'_>, faults: &mut Faults) -> Vec<Span> {
    let mut spans = Vec::new();
    for (i, value) in spec.list("ranges", faults).unwrap_or_default().into_iter().enumerate() {
        let path = format!("spec.ranges[{i}]");
        let mut range = Fields::of(&path, value, faults);
        let mut end =
            |field| range.take(field).and_then(|value| value.as_u64()).filter(|end| *end <= INTEGER_MAX);
        let ends = (end("from"), end("to"));
        range.finish(faults);
        match ends {
            (Some(first), Some(last)) if first <= last => spans.push(Span { first, last }),
            _ => faults.add(path, "must be {from, to}: two integers, the smaller one first"),
        }
    }
    spans
}

fn subnets_of(cidrs: &[String], length: Option<&Value>, faults: &mut Faults) -> Option<Subnets> {
    let mut found: Option<Subnets> = None;
    for (i, text) in cidrs.iter().enumerate() {
        let path = format!("spec.cidrs[{i}]");
        let Some((family, address, block)) = parse_cidr(text) else {
            faults.add(path, format!("must be a block such as 10.0.0.0/16 or 2001:db8::/48, not {text:?}"));
            continue;
        };
        let asked =
            length.map_or(Some(family.bits()), |value| value.as_u64().and_then(|one| one.try_into().ok()));
        let Some(length) = asked.filter(|length| (block..=family.bits()).contains(length)) else {
            let most = family.bits();
            faults.add("spec.prefixLength", format!("must be {block} to {most}, for {text}"));
            continue;
        };
        match span_of(family, address, block, length) {
            Err(why) => faults.add(path, why),
            Ok((high, span)) => {
                let subnets = found.get_or_insert(Subnets { family, length, high, spans: Vec::new() });
                match () {
                    () if subnets.family != family => faults.add(path, "IPv4 and IPv6 need a pool each"),
                    () if subnets.high != high => {
                        let bits = length.saturating_sub(64);
                        let message =
                            format!("must have its first {bits} bits in common with the first block");
                        faults.add(path, message);
                    }
                    () => subnets.spans.push(span),
                }
            }
        }
    }
    if found.is_none() && faults.0.is_empty() {
        faults.add("spec.cidrs", "must name a block");
    }
    found
}

/// What stands before the subnets' numbers in a block, and those.
fn span_of(family: Family, address: u128, block: u8, length: u8) -> Result<(u64, Span), String> {
    let bits = length - block;
    let (high, first) = Subnets::number(family, length, address);
    if !is_start(family, address, block) {
        return Err(format!("has bits behind its prefix of {block}: write the first address of the block"));
    }
    let count = 1_u64.checked_shl(u32::from(bits)).filter(|_| bits < 64);
    let last = count.and_then(|count| first.checked_add(count - 1)).filter(|last| *last < u64::MAX);
    let last = last.ok_or("has too many values: take a smaller block, or a shorter prefixLength")?;
    Ok((high, Span { first, last }))
}

/// True if nothing is set behind the block's prefix.
fn is_start(family: Family, address: u128, block: u8) -> bool {
    let hosts = u32::from(family.bits() - block);
    address.trailing_zeros() >= hosts || address == 0
}

fn names_of(spec: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let names = spec.texts("names", faults);
    let mut slots = BTreeSet::new();
    for (i, name) in names.iter().enumerate() {
        let path = format!("spec.names[{i}]");
        match names::label_value(name) {
            Err(why) => faults.add(path, why),
            Ok(()) if name.is_empty() => faults.add(path, "must not be empty"),
            Ok(()) if !slots.insert(name_slot(name)) => faults.add(path, "is there already"),
            Ok(()) => {}
        }
    }
    names
}

/// Reads what is asked of a pool: `{key, value, size, align, prefixLength, ttl}`.
///
/// # Errors
/// Every fault found, with its path and what would be right.
pub fn read_allocation(value: Value) -> Result<ReadAllocation, Vec<Cause>> {
    let mut faults = Faults::default();
    let mut fields = Fields::of("", value, &mut faults);
    let key = fields.text("key", &mut faults).unwrap_or_default();
    if let Err(why) = names::subdomain(&key, KEY_BYTES_MAX) {
        faults.add("key", format!("says for whom the value is: it {why}"));
    }
    let wanted = wanted_value(&mut fields, &mut faults);
    let ttl_ms = fields.duration("ttl", &mut faults);
    if ttl_ms == Some(0) {
        faults.add("ttl", "must be longer than nothing");
    }
    fields.finish(&mut faults);
    if faults.0.is_empty() { Ok(ReadAllocation { key, wanted, ttl_ms }) } else { Err(faults.0) }
}

/// `value`, `size`, `align` and `prefixLength`: which value of a pool, or how many.
pub(super) fn wanted_value(fields: &mut Fields<'_>, faults: &mut Faults) -> WantedValue {
    let value = match fields.take("value") {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => {
            faults.add(fields.path("value"), "must be the value itself, as a number or a string");
            None
        }
    };
    let mut whole = |field: &str, max: u64| {
        let given = fields.take(field)?;
        let number = given.as_u64().filter(|number| (1..=max).contains(number));
        if number.is_none() {
            faults.add(fields.path(field), format!("must be a number, 1 to {max}, not {given}"));
        }
        number
    };
    let size = whole("size", limits::POOL_VALUES_MAX);
    let align = whole("align", limits::POOL_VALUES_MAX);
    let prefix_length = whole("prefixLength", 128).and_then(|length| u8::try_from(length).ok());
    WantedValue { value, size, align, prefix_length }
}
