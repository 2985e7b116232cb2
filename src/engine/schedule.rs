//! Windows of time that people write as five-field schedules: the hours in which merging is allowed, and maintenance.
//!
//! The front means what crontab(5) and Kubernetes CronJobs mean: `minute hour day-of-month month day-of-week`, Sunday is 0 or 7 and Monday
//! is 1, names in English, `*/15`, `9-17`, `1,3` and the usual `@daily` forms; when both day fields are restricted, a day fits that fits
//! either (`*` and `?` restrict nothing). The time zone is a key of its own. What other crons add (seconds, years, `L`, `W`, `#`) is
//! refused rather than half understood. The `cron` crate finds the times; this file decides what text reaches it.
//!
//! Daylight saving time: a start that the clock skips is the first moment after the gap. A start at one minute of one hour that the clock
//! shows twice is the first of the two; a schedule that starts several times a day starts in both. A window lasts as long as it says in
//! real time, whatever the clock does meanwhile.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use cron::Cron;
use serde::{Deserialize, Serialize};

use super::time::{Timestamp, millis, spoken};

/// A window that opens again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecurringWindow {
    /// When it opens, in five fields.
    pub schedule: String,
    /// The IANA name of the zone whose clock the schedule means.
    pub time_zone: String,
    /// How long it stays open.
    #[serde(rename = "for", with = "millis")]
    pub length: Duration,
}

/// A schedule that can be asked.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

/// A time zone that is not in the IANA database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone of the IANA database")]
pub struct UnknownTimeZone(pub String);

/// What is wrong with a schedule: how the sentence about it goes on, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct InvalidSchedule {
    /// The predicate: `has 6 fields, and 5 are meant`.
    pub says: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Why a window cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    /// The schedule.
    #[error("the schedule {0}")]
    Schedule(#[from] InvalidSchedule),
    /// The time zone.
    #[error("{0}")]
    TimeZone(#[from] UnknownTimeZone),
}

/// Whether one of some windows is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// One is.
    Open {
        /// When it closes; the latest, where several are open.
        until: Timestamp,
        /// The window, for a sentence.
        window: String,
    },
    /// None is.
    Closed {
        /// When the next one opens; `None` where none ever does.
        next: Option<Timestamp>,
        /// That window, or why there is none, for a sentence.
        window: String,
    },
}

/// One of the five fields.
struct FieldRule {
    name: &'static str,
    least: u8,
    most: u8,
    /// Names for the numbers from `least` on.
    names: &'static [&'static str],
}

const FIELDS: [FieldRule; 5] = [
    FieldRule { name: "minute", least: 0, most: 59, names: &[] },
    FieldRule { name: "hour", least: 0, most: 23, names: &[] },
    FieldRule { name: "day of the month", least: 1, most: 31, names: &[] },
    FieldRule {
        name: "month",
        least: 1,
        most: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    FieldRule { name: "day of the week", least: 0, most: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
];

/// The named schedules of crontab(5), without `@reboot`.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The most days that each month can have.
const LONGEST_MONTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

// === impl Schedule ===

impl Schedule {
    /// Reads a schedule for a zone.
    ///
    /// # Errors
    /// A schedule that is not five fields of what crontab(5) allows, that no day ever fits, or an unknown zone.
    pub fn parse(schedule: &str, time_zone: &str) -> Result<Self, InvalidWindow> {
        Ok(Self { cron: parse_schedule(schedule)?, zone: parse_time_zone(time_zone)? })
    }

    /// The last start at or before `now`.
    pub fn last_start(&self, now: Timestamp) -> Option<Timestamp> {
        self.cron.find_previous_occurrence(&self.local(now)?, true).ok().map(|start| Timestamp::from_secs(start.timestamp()))
    }

    /// The first start after `now`.
    pub fn next_start(&self, now: Timestamp) -> Option<Timestamp> {
        self.cron.find_next_occurrence(&self.local(now)?, false).ok().map(|start| Timestamp::from_secs(start.timestamp()))
    }

    fn local(&self, now: Timestamp) -> Option<DateTime<Tz>> {
        DateTime::<Utc>::from_timestamp(now.secs(), 0).map(|time| time.with_timezone(&self.zone))
    }
}

// === impl RecurringWindow ===

impl RecurringWindow {
    /// Until when the window is open at `now`, which it is from its start, up to and without start + length; `None` where it is not.
    ///
    /// # Errors
    /// A window that `config/` would have refused.
    pub fn open_until(&self, now: Timestamp) -> Result<Option<Timestamp>, InvalidWindow> {
        Ok(self.closes(&Schedule::parse(&self.schedule, &self.time_zone)?, now))
    }

    /// When it closes, where it is open.
    fn closes(&self, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
        schedule.last_start(now).map(|start| start + self.length).filter(|end| *end > now)
    }
}

impl fmt::Display for RecurringWindow {
    /// `` `0 18 * * MON-FRI` (Europe/Berlin) for 15h ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}) for {}", self.schedule, self.time_zone, spoken(self.length))
    }
}

/// Whether one of the windows is open at `now`. A window that cannot be read is never open.
pub fn opening(windows: &[RecurringWindow], now: Timestamp) -> Opening {
    let mut open: Option<(Timestamp, String)> = None;
    let mut next: Option<(Timestamp, String)> = None;
    let mut unreadable = None;
    for window in windows {
        let schedule = match Schedule::parse(&window.schedule, &window.time_zone) {
            Ok(schedule) => schedule,
            Err(error) => {
                unreadable = Some(format!("{window}, which cannot be read: {error}"));
                continue;
            }
        };
        if let Some(until) = window.closes(&schedule, now)
            && open.as_ref().is_none_or(|(latest, _)| until > *latest)
        {
            open = Some((until, window.to_string()));
        }
        if let Some(start) = schedule.next_start(now)
            && next.as_ref().is_none_or(|(soonest, _)| start < *soonest)
        {
            next = Some((start, window.to_string()));
        }
    }
    match (open, next) {
        (Some((until, window)), _) => Opening::Open { until, window },
        (None, Some((start, window))) => Opening::Closed { next: Some(start), window },
        (None, None) => Opening::Closed { next: None, window: unreadable.unwrap_or_else(|| "no window is written".to_owned()) },
    }
}

/// Why merging is refused at this hour, with when it is allowed next; `None` where it is allowed or no hours are written.
pub fn closed_sentence(windows: &[RecurringWindow], now: Timestamp) -> Option<String> {
    if windows.is_empty() {
        return None;
    }
    match opening(windows, now) {
        Opening::Open { .. } => None,
        Opening::Closed { next: Some(next), window } => {
            Some(format!("This is outside the hours of merging: {window} opens next at {next}, in {}.", spoken(next.since(now))))
        }
        Opening::Closed { next: None, window } => Some(format!("This is outside the hours of merging: {window}; it never opens.")),
    }
}

// === the five fields ===

/// Reads a time zone by its IANA name.
///
/// # Errors
/// A name that is not in the database, or differs from one in the case of its letters.
pub fn parse_time_zone(name: &str) -> Result<Tz, UnknownTimeZone> {
    Tz::from_str(name).map_err(|_| UnknownTimeZone(name.chars().take(80).collect()))
}

/// Every name of the IANA database, for a nearest match.
pub fn time_zones() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
}

/// Judges a schedule without a zone.
///
/// # Errors
/// What is wrong with it.
pub fn check_schedule(text: &str) -> Result<(), InvalidSchedule> {
    parse_schedule(text).map(|_| ())
}

fn parse_schedule(text: &str) -> Result<Cron, InvalidSchedule> {
    let fields = five_fields(text)?;
    let numbers: Vec<Numbers> =
        FIELDS.iter().zip(&fields).map(|(rule, field)| read_field(rule, field)).collect::<Result<_, InvalidSchedule>>()?;
    if let [_, _, days, months, weekdays] = &numbers[..]
        && matches!(weekdays, Numbers::All)
        && never(days, months)
    {
        return Err(wrong("fits no day of any year", Some("no month has that day")));
    }
    let plain = numbers.iter().map(Numbers::canonical).collect::<Vec<_>>().join(" ");
    Cron::from_str(&plain).map_err(|error| InvalidSchedule { says: format!("cannot be read: {error}"), hint: None })
}

fn wrong(says: impl Into<String>, hint: Option<&str>) -> InvalidSchedule {
    InvalidSchedule { says: says.into(), hint: hint.map(str::to_owned) }
}

fn five_fields(text: &str) -> Result<Vec<String>, InvalidSchedule> {
    const FORM: &str = "write `minute hour day-of-month month day-of-week`, as in `0 18 * * MON-FRI`";
    let text = text.trim();
    if text.starts_with('@') {
        let named = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        let names = NICKNAMES.map(|(name, _)| format!("`{name}`")).join(", ");
        return named
            .map(|(_, fields)| fields.split(' ').map(str::to_owned).collect())
            .ok_or_else(|| InvalidSchedule { says: "is no named schedule".to_owned(), hint: Some(format!("there are {names}")) });
    }
    if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        return Err(wrong("holds a time zone", Some("write it into the key `timeZone`")));
    }
    let fields: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
    match fields.len() {
        5 => Ok(fields),
        6 | 7 => Err(wrong(format!("has {} fields, and 5 are meant: there are no seconds and no years", fields.len()), Some(FORM))),
        count => Err(wrong(format!("has {count} fields, and 5 are meant"), Some(FORM))),
    }
}

/// The numbers that a field allows.
enum Numbers {
    /// Every one: the field restricts nothing.
    All,
    /// These.
    Some(Vec<u8>),
}

impl Numbers {
    fn canonical(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::Some(numbers) => numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(","),
        }
    }
}

/// Whether no month that is allowed has a day that is.
fn never(days: &Numbers, months: &Numbers) -> bool {
    let Numbers::Some(days) = days else { return false };
    let allowed = |month: u8| match months {
        Numbers::All => true,
        Numbers::Some(months) => months.contains(&month),
    };
    let longest = (1..).zip(LONGEST_MONTHS).filter(|(month, _)| allowed(*month)).map(|(_, length)| length).max().unwrap_or(0);
    days.iter().all(|day| *day > longest)
}

fn read_field(rule: &FieldRule, field: &str) -> Result<Numbers, InvalidSchedule> {
    let mut allowed = [false; 60];
    for part in field.split(',') {
        // Robfig's parser, which Kubernetes uses, takes `*` with a step of one for `*` and with a longer one for a restriction.
        if matches!(part, "*" | "?" | "*/1" | "?/1") {
            return Ok(Numbers::All);
        }
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step: u8 = match step.map(str::parse) {
            None => 1,
            Some(Ok(step)) if step > 0 => step,
            Some(_) => return Err(wrong(format!("has the step of `{part}` in its {}, which is no number over 0", rule.name), None)),
        };
        let (first, last) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (rule.least, rule.most.min(if rule.names.len() == 7 { 6 } else { rule.most })),
            Some((first, last)) => (number(rule, first, part)?, number(rule, last, part)?),
            None => {
                let first = number(rule, range, part)?;
                // `5/15` means from 5 on, every 15, as in Kubernetes.
                (first, if part.contains('/') { rule.most.min(if rule.names.len() == 7 { 6 } else { rule.most }) } else { first })
            }
        };
        if first > last {
            let hint = format!("write the two parts with a comma: `{first}-{},{}-{last}`", rule.most.min(59), rule.least);
            return Err(wrong(format!("has `{part}` as its {}, which runs backwards", rule.name), Some(&hint)));
        }
        (first..=last).step_by(usize::from(step)).for_each(|number| allowed[usize::from(number)] = true);
    }
    // Sunday has two numbers.
    if rule.names.len() == 7 && allowed[7] {
        (allowed[0], allowed[7]) = (true, false);
    }
    Ok(Numbers::Some((0_u8..60).filter(|number| allowed[usize::from(*number)]).collect()))
}

fn number(rule: &FieldRule, text: &str, part: &str) -> Result<u8, InvalidSchedule> {
    let named = (rule.least..).zip(rule.names).find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(number, _)| number);
    let digits = !text.is_empty() && text.chars().all(|char| char.is_ascii_digit());
    let found = named.or_else(|| text.parse().ok().filter(|_| digits));
    match found {
        Some(number) if (rule.least..=rule.most).contains(&number) => Ok(number),
        _ => {
            let shown: String = part.chars().take(40).collect();
            let names = match rule.names {
                [] => String::new(),
                [first, .., last] => format!(" or from {first} to {last}"),
                [only] => format!(" or {only}"),
            };
            let special = part.contains(['L', 'W', '#', 'l', 'w']).then_some("`L`, `W` and `#` are no part of a five-field schedule");
            Err(wrong(format!("has `{shown}` as its {}, which goes from {} to {}{names}", rule.name, rule.least, rule.most), special))
        }
    }
}

#[cfg(test)]
mod tests;
