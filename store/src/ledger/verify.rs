//! The whole chain, from the first record to the last.

use super::{Ledger, LedgerError, damaged, segment};

/// Records read at once from the open segment.
const PAGE_RECORDS: usize = 1024;

impl Ledger {
    /// Reads everything: each sealed segment is what was sealed, each record follows from the one before. Gives
    /// number and hash of the last record. Takes time in proportion to the ledger.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] names the first record that is wrong.
    pub fn verify(&self) -> Result<(u64, [u8; 32]), LedgerError> {
        let mut head = [0; 32];
        let mut next = 1;
        for seal in self.sealed() {
            let path = segment::path(&self.dir, seal.first);
            let bytes = seal.read_segment(&self.dir)?;
            head = segment::check_chain(&path, &bytes, seal.first, &head, self.chain)?;
            if head != seal.head {
                return Err(damaged(&path, seal.last, "it is not the head that was sealed"));
            }
            next = seal.last + 1;
        }
        loop {
            let page = self.read(next, PAGE_RECORDS)?;
            for line in &page {
                if (self.chain)(&head, &line.bytes) != line.hash {
                    let path = segment::path(&self.dir, next);
                    return Err(damaged(&path, line.seq, "its hash does not follow from the one before"));
                }
                (head, next) = (line.hash, line.seq + 1);
            }
            if page.is_empty() {
                return Ok((next - 1, head));
            }
        }
    }
}
