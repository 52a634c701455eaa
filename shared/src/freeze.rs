//! Freeze windows: times in which nothing is released.

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
        if let AmbiguousOffset::Gap { .. } = moments.offset() {
            return self.change(moments);
        }
        moments.earlier().ok()
    }

    fn end(&self, at: DateTime) -> Option<Timestamp> {
        let moments = self.zone.to_ambiguous_timestamp(at);
        if let AmbiguousOffset::Gap { .. } = moments.offset() {
            return self.change(moments);
        }
        moments.later().ok()
    }

    /// The change that skips what `moments` would be: the last one up to the later reading,
    /// which is the change itself for the first moment that is skipped.
    fn change(&self, moments: AmbiguousTimestamp) -> Option<Timestamp> {
        let past = moments.later().ok()?.checked_add(1.nanosecond()).ok()?;
        self.zone.preceding(past).next().map(|change| change.timestamp())
    }
}

impl When {
    fn between(from: Moment, to: Moment) -> Result<Self, String> {
        match (from, to) {
            (Moment::Weekly(first, start), Moment::Weekly(last, end)) => {
                let mut days = first.until(last);
                let from = start.unwrap_or(Time::midnight());
                let to = end.unwrap_or_else(|| {
                    days += 1;
                    Time::midnight()
                });
                if (days == 0 || days == 7) && from == to {
                    return Err(format!("starts and ends at the same time, which would be always; {FORM}"));
                }
                // `fri 16:00 - fri 08:00` is all of the week but eight hours.
                if days == 0 && to < from {
                    days = 7;
                }
                Ok(Self::Weekly { from: (first, from), days, to })
            }
            (Moment::Once(first, start), Moment::Once(last, end)) => {
                let from = first.to_datetime(start.unwrap_or(Time::midnight()));
                let to = match end {
                    Some(end) => last.to_datetime(end),
                    None => last
                        .tomorrow()
                        .map_err(|_| format!("ends too late; {FORM}"))?
                        .to_datetime(Time::midnight()),
                };
                if to == from {
                    return Err(format!("starts and ends at the same time, which would be never; {FORM}"));
                }
                if to < from {
                    return Err("ends before it starts; swap the two".to_owned());
                }
                Ok(Self::Once { from, to })
            }
            (Moment::Weekly(..), Moment::Once(..)) | (Moment::Once(..), Moment::Weekly(..)) => {
                Err(format!("has a day of the week on one side and a date on the other; {FORM}"))
            }
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
