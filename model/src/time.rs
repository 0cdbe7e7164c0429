//! RFC 3339 times in UTC, as Kubernetes writes them, from and to ms since 1970.
//!
//! The calendar arithmetic is Howard Hinnant's (<https://howardhinnant.github.io/date_algorithms.html>).

/// The time of a text like `2026-11-20T23:59:59Z`; fractions of a second are dropped. `None` for anything else.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !text.ends_with('Z') || !(1..=12).contains(&month) || !(1970..=9999).contains(&year) {
        return None;
    }
    // Years start in March, so that the leap day is a year's last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, month_from_march) = (shifted / 400, (month + 9) % 12);
    let year_of_era = shifted % 400;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    u64::try_from(((days * 24 + hour) * 60 + minute) * 60 + second).ok().map(|seconds| seconds * 1000)
}

/// The text of a time, to the second.
#[must_use]
pub fn format(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, second_of_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let mut text = *b"0000-00-00T00:00:00Z";
    let [century, year_of_century] = [year / 100, year % 100];
    let numbers = [century, year_of_century, month, day, hour, minute, second];
    for (place, number) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(numbers) {
        let digits = [number / 10, number].map(|number| b'0' + (number % 10) as u8);
        text.iter_mut().skip(place).zip(digits).for_each(|(place, digit)| *place = digit);
    }
    // All digits: it is text.
    let mut text = String::from_utf8(text.to_vec()).unwrap_or_default();
    if year > 9999 {
        text.replace_range(..4, &year.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_as_written() {
        for seconds in [0, 951_782_399, 951_782_400, 951_868_800, 1_709_164_800, 1_795_219_199, 4_102_444_800]
        {
            assert_eq!(parse(&format(seconds * 1000)), Some(seconds * 1000), "{seconds}");
        }
        assert_eq!(format(951_868_800_000), "2000-03-01T00:00:00Z");
        assert_eq!(format(253_402_300_799_000), "9999-12-31T23:59:59Z");
        assert_eq!(format(253_402_300_800_000), "10000-01-01T00:00:00Z");
        assert_eq!(parse("yesterday"), None);
    }
}
