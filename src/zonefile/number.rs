//! Numbers, TTLs and times in presentation format.

/// A decimal number up to `max`: digits only, no sign.
pub(super) fn decimal(text: &[u8], max: u64) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let mut value: u64 = 0;
    for &octet in text {
        let digit = octet.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (value <= max).then_some(value)
}

/// Seconds, as a number or with units as BIND writes them (`1h30m`, `2W`), 0 to 2^31 - 1 (RFC 2181 section 8).
pub(super) fn ttl(text: &[u8]) -> Option<u32> {
    u32::try_from(seconds(text)?).ok().filter(|seconds| *seconds <= i32::MAX as u32)
}

/// Seconds as in [`ttl`], but of 32 bits, as the SOA's timers are (RFC 1035 section 3.3.13).
pub(super) fn period(text: &[u8]) -> Option<u32> {
    u32::try_from(seconds(text)?).ok()
}

fn seconds(text: &[u8]) -> Option<u64> {
    if let Some(seconds) = decimal(text, u64::from(u32::MAX)) {
        return Some(seconds);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.iter().position(|octet| !octet.is_ascii_digit())?;
        let count = decimal(rest.get(..digits)?, u64::from(u32::MAX))?;
        let unit: u64 = match rest.get(digits)?.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(count * unit).filter(|total| *total <= u64::from(u32::MAX))?;
        rest = rest.get(digits + 1..)?;
    }
    (!text.is_empty()).then_some(total)
}

/// Digits of a time in seconds at most: with 14 it is a date, and no other number is allowed (RFC 4034 section 3.2).
const MAX_SECONDS_DIGITS: usize = 10;

/// A time of RFC 4034 section 3.2: `YYYYMMDDHHmmSS` in UTC with 14 digits, or seconds since 1970 with 10 at most. `None` if 32
/// bits cannot hold it (section 3.1.5): 21060207062815 is the last second that they can.
pub(super) fn time(text: &[u8]) -> Option<u32> {
    if text.len() <= MAX_SECONDS_DIGITS {
        return decimal(text, u64::from(u32::MAX)).and_then(|value| u32::try_from(value).ok());
    }
    let digits = Some(text).filter(|text| text.len() == 14)?;
    let part = |from: usize, to: usize, max: u64| decimal(digits.get(from..to)?, max);
    let (year, month, day) = (part(0, 4, 9_999)?, part(4, 6, 12)?, part(6, 8, 31)?);
    let (hour, minute, second) = (part(8, 10, 23)?, part(10, 12, 59)?, part(12, 14, 59)?);
    if year < 1970 || month == 0 || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let days = days_from_epoch(year, month, day);
    u32::try_from(((days * 24 + hour) * 60 + minute) * 60 + second).ok()
}

/// Writes what [`time`] reads, in the years 1970 to 2106.
pub(super) fn write_time(seconds: u32, out: &mut Vec<u8>) {
    let days = u64::from(seconds / 86_400);
    let mut year = 1970;
    while days_from_epoch(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_from_epoch(year, month + 1, 1) <= days {
        month += 1;
    }
    let day = days - days_from_epoch(year, month, 1) + 1;
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    out.extend_from_slice(format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}").as_bytes());
}

fn days_from_epoch(year: u64, month: u64, day: u64) -> u64 {
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400;
    let in_year: u64 = (1..month).map(|month| days_in_month(year, month)).sum();
    // 719,162 days lie between the first of January of the years 1 and 1970.
    before * 365 + leap_days + in_year + day - 1 - 719_162
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttls_have_units_and_an_end() {
        let cases: [(&str, Option<u32>); 13] = [
            ("0", Some(0)),
            ("3600", Some(3_600)),
            ("1h30m", Some(5_400)),
            ("2W", Some(1_209_600)),
            ("1d1s", Some(86_401)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", None),
            ("1h30", None),
            ("h", None),
            ("", None),
            ("-1", None),
            ("99999999999999999999999w", None),
            ("4294967295w", None),
        ];
        for (text, expected) in cases {
            assert_eq!(ttl(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn times_go_both_ways() {
        // The times of the RRSIG in RFC 4034 section 3.3.
        assert_eq!(time(b"20030322173103"), Some(1_048_354_263));
        assert_eq!(time(b"1048354263"), Some(1_048_354_263));
        assert_eq!(time(b"20030229000000"), None);
        assert_eq!(time(b"20031301000000"), None);
        assert_eq!(time(b"21060207062815"), Some(u32::MAX));
        assert_eq!(time(b"4294967295"), Some(u32::MAX));
        assert_eq!(time(b"19700101000000"), Some(0));
        assert_eq!(time(b"20000229000000"), Some(951_782_400));
        let refused = [
            "21060207062816",
            "22000101000000",
            "99991231235959",
            "4294967296",
            "00000000001",
            "2030022800006",
            "202903221731030",
            "19691231235959",
            "20300229000000",
            "21000229000000",
            "20300431000000",
            "20300100000000",
            "20300001000000",
            "20300101240000",
            "20300101006000",
            "20300101000060",
            "2030-01-010000",
            "-1",
            "+1",
            "",
        ];
        for text in refused {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
        for seconds in [0, 86_399, 86_400, 951_782_400, 951_868_800, 4_102_444_800, u32::MAX] {
            let mut text = Vec::new();
            write_time(seconds, &mut text);
            assert_eq!(time(&text), Some(seconds), "{}", String::from_utf8_lossy(&text));
        }
    }
}
