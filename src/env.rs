//! The machine's clock and entropy: the one place where they enter.

use tallyman_model::Env;

/// The real world.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Machine;

impl Env for Machine {
    #[expect(clippy::disallowed_methods, reason = "this is the seam that everybody else goes through")]
    fn now_ms(&self) -> u64 {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A clock before 1970 reads as 1970; the log keeps time from going back.
        u64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
    }

    fn random(&self, bytes: &mut [u8]) {
        // Ids from a source that failed could collide with those of others: better no replica than such a one.
        if let Err(error) = getrandom::fill(bytes) {
            panic!("failed to read random bytes from the system: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_uids_differ_and_the_clock_is_past_2020() {
        assert_ne!(Machine.uid(), Machine.uid());
        assert!(Machine.now_ms() > 1_577_836_800_000);
    }
}
