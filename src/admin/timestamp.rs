//! Wall-clock times as log lines show them, in UTC. Pure.

use crate::units::UnixSeconds;

const SECONDS_PER_DAY: u64 = 86_400;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The latest time shown: the last second of the year 9999. Later ones show as this one.
const LATEST: UnixSeconds = UnixSeconds(253_402_300_799);

/// A date and time of day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year, four digits.
    pub year: u64,
    /// Month, 1..=12.
    pub month: u64,
    /// Day of the month, 1..=31.
    pub day: u64,
    /// Hour, 0..=23.
    pub hour: u64,
    /// Minute, 0..=59.
    pub minute: u64,
    /// Second, 0..=59.
    pub second: u64,
}

impl Civil {
    /// The date and time of day at `at`.
    #[must_use]
    pub fn at(at: UnixSeconds) -> Self {
        let at = at.min(LATEST).0;
        let (days, time) = (at / SECONDS_PER_DAY, at % SECONDS_PER_DAY);
        // Days counted from 0000-03-01, so that a leap day ends its year; an era is 400 years of 146097 days.
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self {
            year,
            month,
            day,
            hour: time / 3600,
            minute: time / 60 % 60,
            second: time % 60,
        }
    }

    /// As Apache's logs show it: `10/Oct/2000:13:55:36 +0000`.
    #[must_use]
    pub fn combined(&self) -> String {
        let month = usize::try_from(self.month)
            .ok()
            .and_then(|month| MONTHS.get(month.wrapping_sub(1)))
            .unwrap_or(&"???");
        format!(
            "{:02}/{month}/{:04}:{:02}:{:02}:{:02} +0000",
            self.day, self.year, self.hour, self.minute, self.second
        )
    }

    /// As RFC 3339 writes it, up to the seconds and without zone: `2000-10-10T13:55:36`.
    #[must_use]
    pub fn rfc3339_seconds(&self) -> String {
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn combined_and_rfc3339_show_known_times() {
        let civil = Civil::at(UnixSeconds(971_186_136));
        assert_eq!(civil.combined(), "10/Oct/2000:13:55:36 +0000");
        assert_eq!(civil.rfc3339_seconds(), "2000-10-10T13:55:36");
        assert_eq!(
            Civil::at(UnixSeconds(0)).combined(),
            "01/Jan/1970:00:00:00 +0000"
        );
        assert_eq!(
            Civil::at(UnixSeconds(951_782_400)).rfc3339_seconds(),
            "2000-02-29T00:00:00"
        );
        assert_eq!(
            Civil::at(UnixSeconds(u64::MAX)).rfc3339_seconds(),
            "9999-12-31T23:59:59"
        );
    }

    proptest! {
        #[test]
        fn dates_agree_with_the_http_form(seconds in 0..=LATEST.0) {
            let http = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
            let expected = format!("{}/{}/{}:{} +0000", &http[5..7], &http[8..11], &http[12..16], &http[17..25]);
            let civil = Civil::at(UnixSeconds(seconds));
            prop_assert_eq!(civil.combined(), expected);
            prop_assert_eq!(&civil.rfc3339_seconds()[..4], &http[12..16]);
        }
    }
}
