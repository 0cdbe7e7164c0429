//! `GET .../revisions`: what was to be applied, and is kept.

use super::Named;
use crate::answer;
use crate::api::Shared;
use crate::ask::Ask;
use crate::noun::Noun;
use crate::render::{self, Kept};
use crate::status::Failure;
use crate::view;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use serde_json::value::RawValue;
use tallyman_model::query;

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct All {
    kind: &'static str,
    api_version: &'static str,
    metadata: Value,
    items: Vec<Box<RawValue>>,
}

pub(in crate::route) async fn revisions(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    let exact = ask.await_read().await?;
    view::with(ask.api.backend(), exact, |view, revision| {
        let Some(deployable) = query::deployable(view, &namespace, &name)? else {
            return Ok(Err(Failure::not_found(Noun::Deployables, &name)));
        };
        let mut items: Vec<Box<RawValue>> = Vec::new();
        for (_, ordinal) in &deployable.bundles {
            if let Some(bundle) = query::bundle(view, *ordinal)? {
                let manifests = query::bundle_manifests(view, &bundle)?;
                let bytes = render::bytes(&Kept::of(&bundle, &manifests));
                items.extend(serde_json::from_slice(&bytes).ok());
            }
        }
        let metadata = serde_json::json!({"resourceVersion": revision.to_string()});
        let all = All { kind: "DeployableRevisionList", api_version: render::API_VERSION, metadata, items };
        Ok(Ok(answer::json(StatusCode::OK, render::bytes(&all), revision, 0)))
    })?
}
