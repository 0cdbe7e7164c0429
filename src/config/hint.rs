//! What somebody who misspelt a key may have meant.

/// The known word that is nearest to `word`, if any is near.
pub(super) fn did_you_mean<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '.'], "_");
    let word = plain(word);
    let near = known.iter().map(|known| (distance(&word, &plain(known)), *known));
    let (steps, nearest) = near.min_by_key(|(steps, _)| *steps)?;
    (steps <= nearest.len().div_ceil(3).min(3)).then_some(nearest)
}

/// How many letters have to be added, taken away or replaced.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, above), diagonal) in to.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above + 1).min(left + 1).min(diagonal + usize::from(a != *b)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["api_listen", "peer_listen", "advertise"];
        assert_eq!(did_you_mean("api_lisen", &known), Some("api_listen"));
        assert_eq!(did_you_mean("peer-listen", &known), Some("peer_listen"));
        assert_eq!(did_you_mean("adverties", &known), Some("advertise"));
        assert_eq!(did_you_mean("heartbeat_ms", &known), None);
    }
}
