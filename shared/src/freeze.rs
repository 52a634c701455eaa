//! Freeze windows: times in which nothing is released.

use std::cmp::Ordering;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, AmbiguousTimestamp, TimeZone};
use jiff::{Span, Timestamp, ToSpan};

/// A time, recurring weekly or once, in which no deployment starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Freeze {
    /// As it is written in `releases.yaml`.
    pub text: String,
    when: When,
    zone: TimeZone,
}

/// By the clock on the wall; the end no longer belongs to it.
#[derive(Debug, Clone, PartialEq)]
enum When {
    Weekly { from: (Weekday, Time), days: i8, to: Time },
    Once { from: DateTime, to: DateTime },
}

/// One side of a freeze, as written.
enum Moment {
    Weekly(Weekday, Option<Time>),
    Once(Date, Option<Time>),
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

const FORM: &str =
    "write it like 'fri 16:00 - mon 08:00 Europe/Dublin' or '2026-12-20 - 2027-01-04 Europe/Dublin'";

impl Freeze {
    /// Reads `fri 16:00 - mon 08:00 Europe/Dublin`, or dates in place of the days. A side
    /// without a time is a whole day, the last one included.
    ///
    /// Fails with what is wrong and the way out.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [from, to] = words.split(|word| *word == "-").collect::<Vec<_>>()[..] else {
            return Err(format!("'{text}' does not have two moments with ' - ' between them; {FORM}"));
        };
        let (to, zone) = match to {
            [to @ .., zone] if !to.is_empty() && !zone.contains(':') => (to, zone),
            _ => return Err(format!("'{text}' does not end with a time zone; {FORM}")),
        };
        let (from, to) = (Moment::parse(from)?, Moment::parse(to)?);
        let zone = TimeZone::get(zone).map_err(|_| {
            format!("unknown time zone '{zone}'; write its IANA name, such as Europe/Dublin or UTC")
        })?;
        Ok(Self { text: text.to_owned(), when: When::between(from, to)?, zone })
    }

    /// When the freeze that is on at `now` ends; nothing if none is on.
    ///
    /// A freeze lasts at least as long as the clock on the wall says so. Where a change to
    /// daylight-saving time skips its start or end, it is the moment of the change; where
    /// the clock shows them twice, the first start and the second end count.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let on = |from: DateTime, to: DateTime| {
            let (from, to) = (self.start(from)?, self.end(to)?);
            (from <= now && now < to).then_some(to)
        };
        match self.when {
            When::Once { from, to } => on(from, to),
            When::Weekly { from: (weekday, time), days, to } => {
                // From tomorrow back: at a change, a start can come before its own day on the wall.
                let today = self.zone.to_datetime(now).date();
                (-1_i8..=8)
                    .filter_map(|back| today.checked_sub(Span::new().days(back)).ok())
                    .filter(|day| day.weekday() == weekday)
                    .filter_map(|day| {
                        on(day.to_datetime(time), day.checked_add(days.days()).ok()?.to_datetime(to))
                    })
                    .max()
            }
        }
    }

    fn start(&self, at: DateTime) -> Option<Timestamp> {
        let moments = self.zone.to_ambiguous_timestamp(at);
        if is_skipped(&moments) { self.change(moments) } else { moments.earlier().ok() }
    }

    fn end(&self, at: DateTime) -> Option<Timestamp> {
        let moments = self.zone.to_ambiguous_timestamp(at);
        if is_skipped(&moments) { self.change(moments) } else { moments.later().ok() }
    }

    /// The change that skips what `moments` would be: the last one up to the later reading,
    /// which is the change itself for the first moment that is skipped.
    fn change(&self, moments: AmbiguousTimestamp) -> Option<Timestamp> {
        let past = moments.later().ok()?.checked_add(1.nanosecond()).ok()?;
        self.zone.preceding(past).next().map(|change| change.timestamp())
    }
}

fn is_skipped(moments: &AmbiguousTimestamp) -> bool {
    matches!(moments.offset(), AmbiguousOffset::Gap { .. })
}

impl When {
    fn between(from: Moment, to: Moment) -> Result<Self, String> {
        match (from, to) {
            (Moment::Weekly(first, start), Moment::Weekly(last, end)) => {
                Self::weekly((first, start), (last, end))
            }
            (Moment::Once(first, start), Moment::Once(last, end)) => Self::once((first, start), (last, end)),
            (Moment::Weekly(..), Moment::Once(..)) | (Moment::Once(..), Moment::Weekly(..)) => {
                Err(format!("has a day of the week on one side and a date on the other; {FORM}"))
            }
        }
    }

    fn weekly(first: (Weekday, Option<Time>), last: (Weekday, Option<Time>)) -> Result<Self, String> {
        let from = first.1.unwrap_or(Time::midnight());
        let days = first.0.until(last.0);
        let (days, to) = match last.1 {
            // `fri 16:00 - fri 08:00` is all of the week but eight hours.
            Some(time) if days == 0 && time < from => (7, time),
            Some(time) => (days, time),
            None => (days + 1, Time::midnight()),
        };
        if days % 7 == 0 && from == to {
            return Err(format!("starts and ends at the same time, which would be always; {FORM}"));
        }
        Ok(Self::Weekly { from: (first.0, from), days, to })
    }

    fn once(first: (Date, Option<Time>), last: (Date, Option<Time>)) -> Result<Self, String> {
        let from = first.0.to_datetime(first.1.unwrap_or(Time::midnight()));
        let to = match last.1 {
            Some(time) => last.0.to_datetime(time),
            None => {
                last.0.tomorrow().map_err(|_| format!("ends too late; {FORM}"))?.to_datetime(Time::midnight())
            }
        };
        match from.cmp(&to) {
            Ordering::Less => Ok(Self::Once { from, to }),
            Ordering::Equal => Err(format!("starts and ends at the same time, which would be never; {FORM}")),
            Ordering::Greater => Err("ends before it starts; swap the two".to_owned()),
        }
    }
}

impl Moment {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let (day, time) = match words {
            [day] => (*day, None),
            [day, time] => (*day, Some(time_of_day(time)?)),
            _ => return Err(format!("'{}' is not a day and a time; {FORM}", words.join(" "))),
        };
        if day.starts_with(|c: char| c.is_ascii_digit()) {
            // Of the forms that parse, `20261220T16` and the like would read as something else.
            let date = day.parse().ok().filter(|_| day.len() == "2026-12-20".len());
            let date = date.ok_or_else(|| format!("'{day}' is not a date; write it like 2026-12-20"))?;
            return Ok(Self::Once(date, time));
        }
        let known = DAYS.into_iter().find(|(name, _)| *name == day.to_ascii_lowercase());
        let (_, weekday) = known.ok_or_else(|| {
            let names = DAYS.map(|(name, _)| name).join(", ");
            format!("unknown day '{day}'; the days are {names}, or a date such as 2026-12-20")
        })?;
        Ok(Self::Weekly(weekday, time))
    }
}

fn time_of_day(text: &str) -> Result<Time, String> {
    let (hour, minute) = text.split_once(':').unwrap_or_default();
    let number = |digits: &str| {
        let right = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        if right { digits.parse::<i8>().ok() } else { None }
    };
    let time = number(hour).zip(number(minute)).and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
    time.ok_or_else(|| format!("'{text}' is not a time of day; write it from 00:00 to 23:59"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Asserts that the freeze is on from the first moment to just before the second, which is its end.
    fn lasts(freeze: &str, from: &str, to: &str) {
        let (freeze, from, to) = (Freeze::parse(freeze).unwrap(), at(from), at(to));
        let moment = 1.nanosecond();
        let text = &freeze.text;
        assert_eq!(freeze.until(from), Some(to), "{text} at its start");
        assert_eq!(freeze.until(to - moment), Some(to), "{text} just before its end");
        assert_eq!(freeze.until(from - moment), None, "{text} just before its start");
        assert_eq!(freeze.until(to), None, "{text} at its end");
    }

    #[test]
    fn a_weekly_freeze_wraps_the_week_and_may_be_short_or_almost_all_of_it() {
        lasts("fri 16:00 - mon 08:00 Europe/Dublin", "2026-01-16T16:00Z", "2026-01-19T08:00Z");
        lasts("fri 16:00 - mon 08:00 Europe/Dublin", "2026-07-17T15:00Z", "2026-07-20T07:00Z");
        lasts("Tue 09:30 - TUE 10:00 UTC", "2026-01-13T09:30Z", "2026-01-13T10:00Z");
        lasts("tue 10:00 - tue 09:30 UTC", "2026-01-13T10:00Z", "2026-01-20T09:30Z");
        lasts("sat - sun UTC", "2026-01-17T00:00Z", "2026-01-19T00:00Z");
        lasts("sun - sun America/New_York", "2026-01-18T05:00Z", "2026-01-19T05:00Z");
    }

    #[test]
    fn dates_include_the_last_day_unless_it_has_a_time() {
        lasts("2026-12-20 - 2027-01-04 Europe/Dublin", "2026-12-20T00:00Z", "2027-01-05T00:00Z");
        lasts("2026-12-20 16:00 - 2026-12-24 08:00 Europe/Dublin", "2026-12-20T16:00Z", "2026-12-24T08:00Z");
        lasts("2026-07-04 - 2026-07-04 America/New_York", "2026-07-04T04:00Z", "2026-07-05T04:00Z");
        lasts("2026-07-04 12:00 - 2026-07-05 America/New_York", "2026-07-04T16:00Z", "2026-07-06T04:00Z");
    }

    #[test]
    fn a_freeze_over_a_change_of_clocks_follows_the_clock_on_the_wall() {
        // Dublin: 01:00 to 02:00 on 29 March 2026, 02:00 to 01:00 on 25 October.
        lasts("fri 16:00 - mon 08:00 Europe/Dublin", "2026-03-27T16:00Z", "2026-03-30T07:00Z");
        lasts("fri 16:00 - mon 08:00 Europe/Dublin", "2026-10-23T15:00Z", "2026-10-26T08:00Z");
        // New York: 02:00 to 03:00 on 8 March 2026, 02:00 to 01:00 on 1 November.
        lasts("sat 20:00 - sun 20:00 America/New_York", "2026-03-08T01:00Z", "2026-03-09T00:00Z");
        lasts("sat 20:00 - sun 20:00 America/New_York", "2026-11-01T00:00Z", "2026-11-02T01:00Z");
    }

    #[test]
    fn a_time_that_the_clock_skips_is_the_moment_of_the_change() {
        lasts("sun 01:30 - sun 05:00 Europe/Dublin", "2026-03-29T01:00Z", "2026-03-29T04:00Z");
        lasts("sun 01:00 - sun 05:00 Europe/Dublin", "2026-03-29T01:00Z", "2026-03-29T04:00Z");
        lasts("sat 12:00 - sun 02:59 America/New_York", "2026-03-07T17:00Z", "2026-03-08T07:00Z");
        lasts("2026-03-08 02:00 - 2026-03-09 America/New_York", "2026-03-08T07:00Z", "2026-03-10T04:00Z");
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_starts_at_the_first_and_ends_at_the_second() {
        lasts("sun 01:30 - sun 05:00 Europe/Dublin", "2026-10-25T00:30Z", "2026-10-25T05:00Z");
        lasts("sat 12:00 - sun 01:30 Europe/Dublin", "2026-10-24T11:00Z", "2026-10-25T01:30Z");
        lasts("2026-10-31 - 2026-11-01 01:00 America/New_York", "2026-10-31T04:00Z", "2026-11-01T06:00Z");
    }

    #[test]
    fn each_half_hour_that_the_wall_shows_as_frozen_is_frozen() {
        for zone in ["Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"] {
            let freeze = Freeze::parse(&format!("sun 01:30 - mon 02:30 {zone}")).unwrap();
            let zone = TimeZone::get(zone).unwrap();
            for n in 0..(2 * 24 * 366) {
                let now = at("2026-01-01T00:00Z") + (n * 30).minutes();
                let wall = zone.to_datetime(now);
                let frozen = match wall.weekday() {
                    Weekday::Sunday => (wall.hour(), wall.minute()) >= (1, 30),
                    Weekday::Monday => (wall.hour(), wall.minute()) < (2, 30),
                    _ => false,
                };
                let until = freeze.until(now);
                assert!(until.is_some() || !frozen, "{wall} {zone:?}");
                assert!(until.is_none_or(|until| until > now), "{wall} {zone:?}");
            }
        }
    }

    #[test]
    fn each_fault_says_what_is_wrong_and_the_way_out() {
        for (text, what) in [
            ("", "does not have two moments"),
            ("fri 16:00 Europe/Dublin", "does not have two moments"),
            ("fri - sat - sun UTC", "does not have two moments"),
            ("fri 16:00 - mon 08:00", "does not end with a time zone"),
            ("fri 16:00 - UTC", "does not end with a time zone"),
            ("fri 16:00 - mon 08:00 Dublin", "unknown time zone 'Dublin'; write its IANA name"),
            ("friday 16:00 - mon 08:00 UTC", "unknown day 'friday'; the days are mon, tue"),
            ("fri 16 - mon 08:00 UTC", "'16' is not a time of day; write it from 00:00 to 23:59"),
            ("fri 16:00 - mon 24:00 UTC", "'24:00' is not a time of day"),
            ("fri 16:60 - mon 08:00 UTC", "'16:60' is not a time of day"),
            ("fri +1:00 - mon 08:00 UTC", "'+1:00' is not a time of day"),
            ("fri 16:00 x - mon 08:00 UTC", "'fri 16:00 x' is not a day and a time"),
            (" - mon 08:00 UTC", "'' is not a day and a time"),
            ("fri 16:00 - 2026-12-20 UTC", "has a day of the week on one side and a date on the other"),
            ("2026-02-30 - 2026-03-01 UTC", "'2026-02-30' is not a date; write it like 2026-12-20"),
            ("20261220 - 20261224 UTC", "'20261220' is not a date"),
            ("2026-12-20T16:00 - 2026-12-24 UTC", "'2026-12-20T16:00' is not a date"),
            ("9999-12-31 - 9999-12-31 UTC", "ends too late"),
            ("fri 16:00 - fri 16:00 UTC", "starts and ends at the same time, which would be always"),
            ("mon - sun UTC", "starts and ends at the same time, which would be always"),
            (
                "2026-12-20 16:00 - 2026-12-20 16:00 UTC",
                "starts and ends at the same time, which would be never",
            ),
            ("2026-12-24 - 2026-12-20 UTC", "ends before it starts; swap the two"),
        ] {
            let fault = Freeze::parse(text).unwrap_err();
            assert!(fault.contains(what), "{text}: {fault}");
        }
    }

    #[test]
    fn the_ends_of_the_calendar_are_no_reason_to_panic() {
        for text in ["fri 16:00 - mon 08:00 Europe/Dublin", "9999-12-30 - 9999-12-30 23:00 America/New_York"]
        {
            let freeze = Freeze::parse(text).unwrap();
            for now in [Timestamp::MIN, Timestamp::MAX] {
                let _ = freeze.until(now);
            }
        }
    }
}
