//! In which order the objects of a bundle are made and applied; what goes, goes in reverse.

use super::{Health, Installation, Kind, ObjectState, Synced};

impl Kind {
    /// What others of a bundle need comes before them: definitions of kinds, then what only exists to be referred to.
    fn stage(&self) -> u8 {
        const REFERRED_TO: [(&str, &str); 9] = [
            ("", "ServiceAccount"),
            ("", "Secret"),
            ("", "ConfigMap"),
            ("", "ResourceQuota"),
            ("", "LimitRange"),
            ("", "PersistentVolumeClaim"),
            ("networking.k8s.io", "NetworkPolicy"),
            ("rbac.authorization.k8s.io", "Role"),
            ("rbac.authorization.k8s.io", "RoleBinding"),
        ];
        match (self.group(), self.as_str()) {
            _ if self.is_definition() => 0,
            names if REFERRED_TO.contains(&names) => 1,
            _ => 2,
        }
    }
}

impl Synced {
    /// Its place in the order; of one stage as they are written.
    fn place(&self) -> (u8, u16) {
        (self.kind.stage(), self.planned)
    }

    /// True while something of it is there, or may be.
    fn lingers(&self) -> bool {
        self.state == ObjectState::Live || self.pending.is_some()
    }
}

impl Installation {
    /// True if everything before it is applied, and kinds that are defined before it are served.
    pub(super) fn is_turn(&self, object: &Synced) -> bool {
        let is_there = |one: &Synced| {
            self.is_synced(one) && (!one.kind.is_definition() || one.health == Health::Healthy)
        };
        let mut before = self.objects.iter().filter(|one| one.wanted && one.place() < object.place());
        before.all(is_there)
    }

    /// True if everything behind it that is to be deleted, too, is gone.
    pub(super) fn is_last(&self, object: &Synced) -> bool {
        let goes = |one: &&Synced| !one.wanted && !one.is_kept() && one.place() > object.place();
        !self.objects.iter().filter(goes).any(Synced::lingers)
    }
}
