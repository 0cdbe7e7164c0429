//! The order of resourceVersions.

/// True if `this` is certainly older than `that`.
///
/// resourceVersions of one resource order as decimal numbers of any length (KEP-5504, stable in Kubernetes 1.35);
/// others are opaque and never older.
#[must_use]
pub fn is_older(this: &str, that: &str) -> bool {
    is_decimal(this) && is_decimal(that) && (this.len(), this) < (that.len(), that)
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// True if a watch may be opened from it. From an empty one or `0` a server may send the whole state again instead
/// of what came after.
pub(crate) fn is_position(version: &str) -> bool {
    !version.is_empty() && version != "0"
}

#[cfg(test)]
mod tests {
    use super::is_older;

    #[test]
    fn decimal_versions_order_as_numbers() {
        assert!(is_older("9", "10"));
        assert!(is_older("18446744073709551616", "18446744073709551617"));
        assert!(!is_older("10", "10"));
        assert!(!is_older("11", "10"));
    }

    #[test]
    fn opaque_versions_are_never_older() {
        for (this, that) in [("", "1"), ("a", "b"), ("1", "x2"), ("007", "8"), ("1", "")] {
            assert!(!is_older(this, that), "{this} {that}");
        }
    }
}
