//! Take up an earlier generation of a deployable again: it becomes the newest one.
//!
//! Reads the deployable and that generation; writes what [`Redeploy`](super::Redeploy) does. Refused when there is no
//! deployable of that name (`NotFound`), it is not at the revision that was asked for or is being removed
//! (`Conflict`), or that generation is not kept, or is the newest already (`Invalid`).

use super::deploy::{Deployment, generation};
use super::{Principal, Target, install};
use crate::record::{Deployable, Record};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn, query};
use serde::{Deserialize, Serialize};

/// Which deployable, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Which one.
    pub target: Target,
    /// The generation to take up again; `None`: the one before the newest.
    pub to: Option<u32>,
}

impl Rollback {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let mut deployable = match txn.deployable_named(&self.target)? {
            Ok(deployable) => deployable,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if deployable.withdrawal.is_some() {
            let message = "it is being removed: make another one when it is gone";
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        let Some(Record::Bundle(bundle)) =
            self.kept(&deployable, txn.now_ms()).map(|at| txn.record(at)).transpose()?.flatten()
        else {
            let kept: Vec<String> =
                deployable.bundles.iter().map(|(generation, _)| generation.to_string()).collect();
            let message = format!(
                "there is no such revision to go back to: kept are {}, and it is at {}",
                kept.join(", "),
                deployable.generation
            );
            return Ok(Err(Refusal::new(RefusalKind::Invalid, message)));
        };
        let mut asked = Deployment {
            spec: bundle.spec.clone(),
            digest: bundle.digest,
            planned: bundle.planned.clone(),
            manifests: query::bundle_manifests(txn.view(), &bundle)?,
        };
        generation(txn, by, &mut deployable, &mut asked, Some(&bundle))?;
        txn.say(format!("revision {} is revision {} again", deployable.generation, bundle.generation));
        let record = install::spread(txn, deployable)?;
        Ok(Ok(Done::with(txn, record)))
    }

    fn kept(&self, deployable: &Deployable, now: u64) -> Option<crate::Ordinal> {
        let (_, earlier) = deployable.bundles.split_last()?;
        // The newest one itself is asked for anew where nobody agrees to it any more.
        let kept = if deployable.is_lapsed(now) { deployable.bundles.as_slice() } else { earlier };
        let found = match self.to {
            None => earlier.last(),
            Some(to) => kept.iter().find(|(generation, _)| *generation == to),
        };
        found.map(|(_, ordinal)| *ordinal)
    }
}
