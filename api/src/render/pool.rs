//! `Pool` and `Allocation`.

use super::{API_VERSION, Document, Metadata, Scene, bytes};
use serde::Serialize;
use serde_json::{Value, json};
use tallyman_model::record::{Allocation, Pool, Record, Subnets, Values};
use tallyman_model::{Damaged, Revision, query, time};

pub(super) fn document(
    scene: &Scene<'_>,
    pool: &Pool,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    let allocated = query::allocated(scene.view, pool.head.ordinal)?;
    let size = pool.values.count();
    Ok(bytes(&Document {
        api_version: API_VERSION,
        kind: "Pool",
        metadata: Metadata::of(&pool.head, revision),
        spec: Spec::of(pool),
        status: State { size, allocated, free: size.saturating_sub(allocated) },
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ranges: Vec<Range>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cidrs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix_length: Option<u8>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    names: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    disjoint: &'a str,
}

#[derive(Serialize)]
struct Range {
    from: u64,
    to: u64,
}

#[derive(Serialize)]
struct State {
    size: u64,
    allocated: u64,
    free: u64,
}

impl<'a> Spec<'a> {
    fn of(pool: &'a Pool) -> Self {
        let mut spec = Self {
            ranges: Vec::new(),
            cidrs: Vec::new(),
            prefix_length: None,
            names: &[],
            disjoint: &pool.disjoint,
        };
        match &pool.values {
            Values::Integers(spans) => {
                spec.ranges = spans.iter().map(|span| Range { from: span.first, to: span.last }).collect();
            }
            Values::Subnets(subnets) => {
                spec.cidrs = blocks(subnets);
                spec.prefix_length = Some(subnets.length);
            }
            Values::Names(names) => spec.names = names,
        }
        spec
    }
}

fn blocks(subnets: &Subnets) -> Vec<String> {
    subnets.spans.iter().map(|span| subnets.block(*span)).collect()
}

pub(super) fn allocation(
    scene: &Scene<'_>,
    allocation: &Allocation,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    #[derive(Serialize)]
    struct Spec<'a> {
        pool: &'a str,
        key: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct State<'a> {
        value: &'a str,
        #[serde(skip_serializing_if = "is_one")]
        size: u64,
        fence: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        runnable: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        deployable: Option<String>,
    }
    let (runnable, deployable) = submission(scene, allocation)?;
    Ok(bytes(&Document {
        api_version: API_VERSION,
        kind: "Allocation",
        metadata: Metadata::of(&allocation.head, revision),
        spec: Spec { pool: &allocation.pool_name, key: &allocation.key },
        status: State {
            value: &allocation.value,
            size: allocation.slots.count(),
            fence: allocation.fence().0,
            expires_at: allocation.expires_ms.map(time::format),
            runnable,
            deployable,
        },
    }))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(size: &u64) -> bool {
    *size == 1
}

/// Which runnable's it is, or which deployable's.
fn submission(
    scene: &Scene<'_>,
    allocation: &Allocation,
) -> Result<(Option<String>, Option<String>), Damaged> {
    let Some(ordinal) = allocation.submission else { return Ok((None, None)) };
    Ok(match query::record(scene.view, ordinal)? {
        Some(Record::Runnable(run)) => (Some(run.head.name), None),
        Some(Record::Deployable(deployable)) => (None, Some(deployable.head.name)),
        _ => (None, None),
    })
}

/// The row cells of people.
pub(crate) fn cells(scene: &Scene<'_>, pool: &Pool) -> Result<Vec<Value>, Damaged> {
    const SHOWN: usize = 3;
    let mut all = match &pool.values {
        Values::Integers(spans) => spans.iter().map(|span| format!("{}-{}", span.first, span.last)).collect(),
        Values::Subnets(subnets) => blocks(subnets),
        Values::Names(names) => names.clone(),
    };
    let more = all.len() > SHOWN;
    all.truncate(SHOWN);
    let mut values = all.join(",");
    if let Values::Subnets(subnets) = &pool.values {
        values = format!("{values} as /{}", subnets.length);
    }
    if more {
        values.push_str(",...");
    }
    let allocated = query::allocated(scene.view, pool.head.ordinal)?;
    let free = pool.values.count().saturating_sub(allocated);
    let age = scene.age(Some(pool.head.created_ms));
    Ok(vec![json!(pool.head.name), json!(values), json!(allocated), json!(free), json!(age)])
}

/// The same of an allocation.
pub(crate) fn allocation_cells(scene: &Scene<'_>, allocation: &Allocation) -> Result<Vec<Value>, Damaged> {
    let none = || "<none>".to_owned();
    let (runnable, deployable) = submission(scene, allocation)?;
    Ok(vec![
        json!(allocation.head.name),
        json!(allocation.value),
        json!(runnable.or(deployable).unwrap_or_else(none)),
        json!(allocation.expires_ms.map_or_else(none, time::format)),
        json!(scene.age(Some(allocation.head.created_ms))),
        json!(allocation.fence().0),
        json!(allocation.pool_name),
    ])
}
