//! The outer world that decisions may depend on: wall time and randomness. Both enter the model only inside
//! committed entries.

/// Wall time and entropy. One implementation asks the machine, another a seed.
pub trait Env: Send + Sync + 'static {
    /// Wall time, ms since 1970. It may jump; only the log makes it monotonic.
    fn now_ms(&self) -> u64;

    /// Fills `bytes` with random bytes.
    fn random(&self, bytes: &mut [u8]);

    /// A random UID.
    fn uid(&self) -> crate::Uid {
        let mut bytes = [0; 16];
        self.random(&mut bytes);
        crate::Uid::from_random(bytes)
    }

    /// A random number.
    fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.random(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
