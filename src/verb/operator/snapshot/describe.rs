//! What a backup says of itself, for people.

use crate::screen::Screen;
use tallyman_model::{Digest, ReplicaId, Uid, time};
use tallyman_store::backup::BackupFile;

/// One line for each thing, `name: value`.
pub(super) fn show(backup: &BackupFile) {
    let screen = Screen::stdout();
    let head = &backup.head;
    let segments = backup.parts.iter().filter(|part| part.segment.is_some()).count();
    let (index, term) = head.last.map_or((0, 0), |last| (last.index, last.term));
    for (name, value) in [
        ("group", format!("{} ({})", head.name, Uid(head.group))),
        ("lineage", Uid(head.lineage).to_string()),
        ("taken", format!("{} from {}", time::format(head.taken_ms), ReplicaId(head.replica))),
        ("log index", format!("{index} of term {term}")),
        ("revision", head.revision.to_string()),
        ("state hash", hex(&head.state_hash)),
        ("ledger", format!("{} records, {}", head.ledger_records, Digest(head.ledger_head))),
        ("parts", format!("1 snapshot, {segments} full segments of the ledger")),
        ("bytes", backup.bytes.to_string()),
        ("sha256", hex(&backup.sha256)),
        ("made by", head.made_by.clone()),
    ] {
        screen.line(&format!("{name:<12}{value}"));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
