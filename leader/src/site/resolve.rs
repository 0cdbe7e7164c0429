//! Reads what came of intents without an outcome, of creates in doubt, and of creates of which no watch has told.

use super::work::{Desk, conclude};
use super::{Site, proof, write};
use tallyman_cluster::{CallError, ClusterApi, words};
use tallyman_model::command::{Observation, Outcome};
use tallyman_model::record::{Action, Intent, Object, ObjectState};

/// An intent of an earlier leadership, or one whose outcome is unknown. True if something moved.
pub(super) async fn intent(site: &Site, desk: &Desk, position: u16, intent: Intent) -> bool {
    let Some(object) = desk.run.objects.get(usize::from(position)) else { return false };
    let outcome = match read(site, desk, object).await {
        // The delay before the next reading is in the record.
        Err(error) => Some(Outcome::Unknown { message: words(&error) }),
        Ok(found) => match intent.action {
            Action::Create => of_create(desk, object, found),
            Action::Delete | Action::Release | Action::Relabel | Action::Stop => {
                of_change(object, intent.action, found)
            }
        },
    };
    match outcome {
        Some(outcome) => {
            conclude(site, desk.run.head.ordinal, position, intent.index, outcome).await;
            true
        }
        // The same request again: the same name, the same cluster, by UID where there is one.
        None => write::write(site, desk, position, intent.action).await,
    }
}

/// `None`: the create is to be sent again.
fn of_create(desk: &Desk, object: &Object, found: Option<Observation>) -> Option<Outcome> {
    match found {
        Some(item) if proof::is_exactly(&item, desk.group, &desk.run, object) => {
            Some(Outcome::Done(Box::new(item)))
        }
        Some(item) => Some(Outcome::Taken { uid: item.uid }),
        None if object.wanted && object.state == ObjectState::Absent => None,
        None => Some(Outcome::Absent),
    }
}

/// `None`: the change is to be made again.
fn of_change(object: &Object, action: Action, found: Option<Observation>) -> Option<Outcome> {
    let Some(item) = found.filter(|item| object.uid.as_ref() == Some(&item.uid)) else {
        return Some(Outcome::Gone);
    };
    let is_done = match action {
        Action::Delete => item.seen.is_deleting(),
        Action::Release => !item.held,
        // Whether all marks are back, or it stops, is for the model to say: asking twice does no harm.
        Action::Relabel | Action::Stop | Action::Create => false,
    };
    is_done.then(|| Outcome::Done(Box::new(item)))
}

/// A create that is not wanted any more and may have taken effect since it was read last.
pub(super) async fn doubt(site: &Site, desk: &Desk, position: u16) -> bool {
    let Some(object) = desk.run.objects.get(usize::from(position)) else { return false };
    let outcome = match read(site, desk, object).await {
        Err(_) => return false,
        Ok(None) => Outcome::Absent,
        // A read from an old cache: a UID that is known to be gone does not come back.
        Ok(Some(item)) if object.uid.as_ref() == Some(&item.uid) => return false,
        Ok(Some(item)) if proof::is_exactly(&item, desk.group, &desk.run, object) => {
            Outcome::Done(Box::new(item))
        }
        Ok(Some(item)) => Outcome::Taken { uid: item.uid },
    };
    conclude(site, desk.run.head.ordinal, position, 0, outcome).await;
    true
}

/// An object that was created and of which no watch has told in time. It is read once, whatever comes of that.
pub(super) async fn untold(site: &Site, desk: &Desk, position: u16) -> bool {
    let Some(object) = desk.run.objects.get(usize::from(position)) else { return false };
    let outcome = match read(site, desk, object).await {
        Err(CallError::NotSent { .. }) => return false,
        Err(error) => Outcome::Unknown { message: words(&error) },
        Ok(Some(item)) if object.uid.as_ref() == Some(&item.uid) => Outcome::Done(Box::new(item)),
        Ok(_) => Outcome::Gone,
    };
    conclude(site, desk.run.head.ordinal, position, 0, outcome).await;
    true
}

async fn read(site: &Site, desk: &Desk, object: &Object) -> Result<Option<Observation>, CallError> {
    let unsent = || CallError::NotSent { why: tallyman_cluster::NotSent::Credentials, source: None };
    let reader = site.reader().ok_or_else(unsent)?;
    let plan = desk.run.plan(object).ok_or_else(unsent)?;
    reader.get(&plan.kind, &plan.namespace, &object.name).await
}
