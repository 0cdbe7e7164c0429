//! Durations as people write them: `500ms`, `10s`, `15m`, `24h`, `30d`, `1h30m`.

use crate::limits::DURATION_MS_MAX;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1_000)];

/// A duration in ms.
///
/// # Errors
/// What is wrong and what would be right.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a duration; write it like 90s, 15m, 24h or 30d");
    let (mut rest, mut sum) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let (unit, ms) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit)).ok_or_else(wrong)?;
        rest = &rest[unit.len()..];
        sum = number.checked_mul(*ms).and_then(|part| sum.checked_add(part)).ok_or_else(wrong)?;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    if sum > DURATION_MS_MAX {
        return Err(format!("{text:?} is longer than {}", write(DURATION_MS_MAX)));
    }
    Ok(sum)
}

/// The shortest form of a duration in one unit; a day is written as 24h.
#[must_use]
pub fn write(ms: u64) -> String {
    let in_order = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    match in_order.iter().find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit)) {
        Some((name, unit)) => (ms / unit).to_string() + name,
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        for (text, ms) in
            [("10s", 10_000), ("1h30m", 5_400_000), ("500ms", 500), ("2d", 172_800_000), ("0s", 0)]
        {
            assert_eq!(parse(text), Ok(ms));
        }
        for wrong in ["", "10", "s", "-1s", "1w", "1.5h", "99999999999999999999s", "400d"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!([write(900_000), write(86_400_000), write(1500)], ["15m", "24h", "1500ms"]);
    }
}
