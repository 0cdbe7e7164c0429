//! The order of versions of an API.

/// The greater, the more to be preferred: `v2`, `v1`, `v2beta1`, `v1alpha1`, then all other names.
pub(super) fn priority(name: &str) -> impl Ord + use<> {
    let parsed = parse(name);
    // Other names go by the alphabet, the first one first.
    (parsed, std::cmp::Reverse(name.to_owned()))
}

/// Stability, major and minor number.
fn parse(name: &str) -> Option<(u8, u32, u32)> {
    let rest = name.strip_prefix('v')?;
    let letters = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (major, stage) = rest.split_at(letters);
    let major = major.parse().ok()?;
    if stage.is_empty() {
        return Some((2, major, 0));
    }
    let (rank, minor) = match stage.strip_prefix("beta") {
        Some(minor) => (1, minor),
        None => (0, stage.strip_prefix("alpha")?),
    };
    Some((rank, major, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_first_and_odd_names_last() {
        let mut names = ["foo", "v1alpha1", "v1", "v2beta1", "v10", "bar", "v2beta2"];
        names.sort_by_key(|name| std::cmp::Reverse(priority(name)));
        assert_eq!(names, ["v10", "v1", "v2beta2", "v2beta1", "v1alpha1", "bar", "foo"]);
    }
}
