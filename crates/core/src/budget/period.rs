//! Where periods begin, in UTC, from the fleet's own time.
//!
//! Months by the civil-from-days algorithm (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
use fleet_types::Time;
use fleet_types::budget::Period;

const HOUR_US: u64 = 3_600_000_000;
const DAY_US: u64 = 24 * HOUR_US;

/// The start of the period that `now` lies in; zero for budgets that never start afresh.
pub fn start(period: Period, now: Time) -> Time {
    match period {
        Period::Total => Time::ZERO,
        Period::Hour => Time(now.0 - now.0 % HOUR_US),
        Period::Day => Time(now.0 - now.0 % DAY_US),
        Period::Month => {
            let days = now.0 / DAY_US;
            Time((days - (day_of_month(days) - 1)) * DAY_US)
        }
    }
}

/// When the next period starts; `None` for budgets that never do.
pub fn end(period: Period, now: Time) -> Option<Time> {
    let start = start(period, now).0;
    match period {
        Period::Total => None,
        Period::Hour => Some(Time(start + HOUR_US)),
        Period::Day => Some(Time(start + DAY_US)),
        Period::Month => {
            // Thirty-two days after the first is always in the next month.
            Some(self::start(Period::Month, Time(start + 32 * DAY_US)))
        }
    }
}

/// 1–31, for days since 1970-01-01.
fn day_of_month(days: u64) -> u64 {
    let z = days + 719_468;
    let day_of_era = z % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    day_of_year - (153 * month + 2) / 5 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_on_the_first() {
        // Day numbers of the firsts of 1970–2069, counted by the calendar's own rule.
        let mut first = 0u64;
        for year in 1970..2070 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for length in [
                31,
                28 + u64::from(leap),
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ] {
                for day in 0..length {
                    let now = Time((first + day) * DAY_US + 5);
                    assert_eq!(
                        start(Period::Month, now),
                        Time(first * DAY_US),
                        "{year} {day}"
                    );
                    assert_eq!(
                        end(Period::Month, now),
                        Some(Time((first + length) * DAY_US))
                    );
                }
                first += length;
            }
        }
    }
}
