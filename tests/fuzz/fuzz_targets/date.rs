//! Dates: whatever is taken is the second that a reader of its own finds, in each of the three forms of RFC 9110 s5.6.7,
//! and what is written is read back.
//!
//! Input: the field's value.

#![no_main]

use hotplate::http::date::{format, parse, parse_in_any_case};
use hotplate::units::UnixSeconds;
use libfuzzer_sys::fuzz_target;

const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fuzz_target!(|value: &[u8]| {
    let found = parse(value);
    assert_eq!(found, read(value), "{}", value.escape_ascii());
    if let Some(time) = found {
        assert_eq!(parse_in_any_case(value), Some(time));
        let written = format(time);
        assert_eq!(parse(&written), Some(time));
        assert_eq!(read(&written), Some(time), "what is written is a date");
    }
    let loose = parse_in_any_case(value);
    assert_eq!(loose, parse_in_any_case(&value.to_ascii_lowercase()));
    assert_eq!(loose, parse_in_any_case(&value.to_ascii_uppercase()));
    if let Some((seconds, _)) = value.split_first_chunk() {
        // Up to the last second that has four digits of a year.
        let time = UnixSeconds(u64::from_le_bytes(*seconds) % 253_402_300_800);
        assert_eq!(parse(&format(time)), Some(time));
    }
});

/// Reads a date by the letter of the grammar, day by day where others calculate.
fn read(value: &[u8]) -> Option<UnixSeconds> {
    let text = std::str::from_utf8(value).ok()?;
    if let Some((day, rest)) = text.split_once(", ") {
        let rest = rest.strip_suffix(" GMT")?;
        let (date, time) = rest.rsplit_once(' ')?;
        if day.len() == 3 {
            let [day_of_month, month, year] = parts(date, ' ')?;
            let year = number(year, 4)?;
            return seconds(day, year, month, number(day_of_month, 2)?, time, 3);
        }
        let [day_of_month, month, year] = parts(date, '-')?;
        let year = match number(year, 2)? {
            year @ 0..70 => 2000 + year,
            year => 1900 + year,
        };
        return seconds(day, year, month, number(day_of_month, 2)?, time, 9);
    }
    // asctime: "Sun Nov  6 08:49:37 1994"
    let (day, rest) = text.split_at_checked(3)?;
    let (month, rest) = rest.strip_prefix(' ')?.split_at_checked(3)?;
    let (day_of_month, rest) = rest.strip_prefix(' ')?.split_at_checked(2)?;
    let (time, year) = rest.strip_prefix(' ')?.split_at_checked(8)?;
    let year = number(year.strip_prefix(' ')?, 4)?;
    let day_of_month = match day_of_month.strip_prefix(' ') {
        Some(digit) => number(digit, 1)?,
        None => number(day_of_month, 2)?,
    };
    seconds(day, year, month, day_of_month, time, 3)
}

fn parts(text: &str, separator: char) -> Option<[&str; 3]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

fn number(digits: &str, count: usize) -> Option<u64> {
    let is_number = digits.len() == count && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

/// The second, where the day of the week is the date's own, written with up to `letters` letters.
fn seconds(
    day: &str,
    year: u64,
    month: &str,
    day_of_month: u64,
    time: &str,
    letters: usize,
) -> Option<UnixSeconds> {
    let month = MONTHS.iter().position(|known| *known == month)?;
    let [hours, minutes, seconds] = parts(time, ':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    let seconds = number(seconds, 2)?;
    let is_time = hours < 24 && minutes < 60 && seconds < 60;
    if !is_time || year < 1970 || !(1..=days_of(year, month)).contains(&day_of_month) {
        return None;
    }
    let years: u64 = (1970..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum();
    let months: u64 = (0..month).map(|month| days_of(year, month)).sum();
    let days = years + months + day_of_month - 1;
    let name = DAYS[usize::try_from(days % 7).ok()?];
    let name = &name[..letters.min(name.len())];
    (day == name).then_some(UnixSeconds(
        ((days * 24 + hours) * 60 + minutes) * 60 + seconds,
    ))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: usize) -> u64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}
