//! Which manifest of a submission decides how its run ends.

use super::{ManifestName, Submit, SubmitManifest};
use crate::record::StatusRule;
use crate::{Cause, Damaged, Refusal, RefusalKind, Txn};

/// The one that was named, or the only one that runs to completion: by what is known of its kind, or by the status rule
/// that users made for it. Else why there is none.
pub(super) fn choose(txn: &Txn<'_>, submit: &Submit) -> Result<Result<u16, Refusal>, Damaged> {
    let mut completing = Vec::new();
    for (i, one) in (0_u16..).zip(&submit.planned) {
        let by_rule = txn.status_rule(&one.kind)?.as_ref().is_some_and(StatusRule::completes);
        if one.kind.completes() || by_rule {
            completing.push(i);
        }
    }
    let named = (submit.main != Submit::UNNAMED).then_some(submit.main);
    let (field, message) = match (named, completing.as_slice()) {
        (Some(named), all) if all.contains(&named) => return Ok(Ok(named)),
        (None, [only]) => return Ok(Ok(*only)),
        (Some(named), _) => {
            let named = submit.planned.get(usize::from(named)).map(ended_unknown);
            ("spec.main", named.unwrap_or_else(|| "there is no such manifest".to_owned()))
        }
        (None, []) => {
            let other = submit.planned.iter().find(|one| one.kind.is_other());
            let why = other.map_or_else(String::new, |one| format!("; {}", ended_unknown(one)));
            ("spec.manifests", format!("one of them must run to completion (a Job, a Workflow, a Pod){why}"))
        }
        (None, _) => {
            let names = completing.iter().filter_map(|i| submit.planned.get(usize::from(*i))).map(called);
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!(
                "more than one manifest runs to completion ({names}): say which decides, {{kind, name}}"
            );
            ("spec.main", message)
        }
    };
    let mut refusal = Refusal::new(RefusalKind::Invalid, format!("{field}: {message}"));
    refusal.causes = vec![Cause { field: field.to_owned(), message }];
    Ok(Err(refusal))
}

fn called(one: &SubmitManifest) -> String {
    match &one.name {
        ManifestName::Fixed(name) => format!("{} {name}", one.kind),
        ManifestName::Generate(prefix) => format!("{} {prefix}*", one.kind),
    }
}

fn ended_unknown(one: &SubmitManifest) -> String {
    format!(
        "when {} {} has ended is not known: a status rule for its kind says it (statusrules.tallyman.dev)",
        one.kind.api_version(),
        one.kind
    )
}
