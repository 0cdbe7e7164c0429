//! The state that an answer is made from.

use crate::backend::Backend;
use crate::status::Failure;
use tallyman_model::{Damaged, Revision, View};

/// Runs `f` on the state at `revision`, or on the newest one; `f` learns which revision that is, and sees no other.
pub(crate) fn with<T>(
    backend: &dyn Backend,
    revision: Option<Revision>,
    f: impl FnOnce(&dyn View, Revision) -> Result<T, Damaged>,
) -> Result<T, Failure> {
    let mut f = Some(f);
    let mut result = None;
    let mut current = Revision(0);
    let shown = backend.now(&mut |view, newest| {
        current = newest;
        if revision.is_none_or(|revision| revision == newest)
            && let Some(f) = f.take()
        {
            result = Some(f(view, newest));
        }
    });
    shown
        .map_err(|_| Failure::unavailable("this replica has just taken over another state; ask again", 1))?;
    if let (None, Some(revision)) = (&result, revision) {
        if revision > current {
            return Err(Failure::too_new(Some(revision), current));
        }
        backend.at(revision, &mut |view| {
            if let Some(f) = f.take() {
                result = Some(f(view, revision));
            }
        })?;
    }
    match result {
        Some(result) => Ok(result?),
        None => Err(Failure::unavailable("this replica shows no state now; ask another one", 1)),
    }
}
