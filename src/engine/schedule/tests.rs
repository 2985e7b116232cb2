//! The traps of schedules: which day Monday is, both day fields, the clock that jumps, and what must be refused.

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

trait IsOpen {
    fn is_open(&self, now: Timestamp) -> bool;
}

impl IsOpen for RecurringWindow {
    fn is_open(&self, now: Timestamp) -> bool {
        self.open_until(now).unwrap().is_some()
    }
}

fn next(schedule: &str, zone: &str, now: &str) -> String {
    Schedule::parse(schedule, zone).unwrap().next_start(at(now)).unwrap().to_string()
}

fn window(schedule: &str, zone: &str, hours: u64) -> RecurringWindow {
    RecurringWindow { schedule: schedule.to_owned(), time_zone: zone.to_owned(), length: Duration::from_secs(hours * 3600) }
}

#[test]
fn monday_is_one_and_sunday_is_zero_and_seven() {
    // 2026-11-21 is a Saturday.
    for (day, expected) in [("1", "23"), ("MON", "23"), ("mon", "23"), ("0", "22"), ("7", "22"), ("SUN", "22"), ("6", "28"), ("5-7", "22")]
    {
        assert_eq!(next(&format!("0 9 * * {day}"), "UTC", "2026-11-21T12:00:00Z"), format!("2026-11-{expected}T09:00:00Z"), "{day}");
    }
}

#[test]
fn restricted_day_fields_are_alternatives_and_a_star_restricts_nothing() {
    // Friday the 27th comes before the 13th.
    assert_eq!(next("0 0 13 * FRI", "UTC", "2026-11-21T12:00:00Z"), "2026-11-27T00:00:00Z");
    assert_eq!(next("0 0 13 * *", "UTC", "2026-11-21T12:00:00Z"), "2026-12-13T00:00:00Z");
    assert_eq!(next("0 0 13 * ?", "UTC", "2026-11-21T12:00:00Z"), "2026-12-13T00:00:00Z");
    assert_eq!(next("0 0 13 * */1", "UTC", "2026-11-21T12:00:00Z"), "2026-12-13T00:00:00Z");
    // A step over one restricts, as Kubernetes reads it: even days, or the 13th.
    assert_eq!(next("0 0 13 * */2", "UTC", "2026-11-21T12:00:00Z"), "2026-11-22T00:00:00Z");
    assert_eq!(next("0 0 * * 5", "UTC", "2026-11-21T12:00:00Z"), "2026-11-27T00:00:00Z");
}

#[test]
fn steps_lists_names_and_nicknames() {
    let now = "2026-11-21T12:03:00Z";
    assert_eq!(next("*/5 * * * *", "UTC", now), "2026-11-21T12:05:00Z");
    assert_eq!(next("5/20 * * * *", "UTC", now), "2026-11-21T12:05:00Z");
    assert_eq!(next("0 9-17/4 * * *", "UTC", now), "2026-11-21T13:00:00Z");
    assert_eq!(next("30 8,20 * * *", "UTC", now), "2026-11-21T20:30:00Z");
    assert_eq!(next("0 0 1 JAN *", "UTC", now), "2027-01-01T00:00:00Z");
    assert_eq!(next("@daily", "UTC", now), "2026-11-22T00:00:00Z");
    assert_eq!(next("@weekly", "UTC", now), "2026-11-22T00:00:00Z");
    assert_eq!(next("0 0 29 2 *", "UTC", now), "2028-02-29T00:00:00Z");
}

#[test]
fn the_zone_decides_what_the_clock_shows() {
    assert_eq!(next("0 18 * * MON-FRI", "Europe/Berlin", "2026-11-23T10:00:00Z"), "2026-11-23T17:00:00Z");
    assert_eq!(next("0 18 * * MON-FRI", "Europe/Berlin", "2026-07-20T10:00:00Z"), "2026-07-20T16:00:00Z");
    assert_eq!(next("0 18 * * MON-FRI", "Asia/Kolkata", "2026-11-23T10:00:00Z"), "2026-11-23T12:30:00Z");
}

#[test]
fn a_start_in_the_gap_is_the_first_moment_after_it() {
    // Berlin skips 02:00 to 03:00 on 2026-03-29, at 01:00 UTC.
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z");
    let window = window("30 2 * * *", "Europe/Berlin", 1);
    assert!(!window.is_open(at("2026-03-29T00:59:59Z")));
    assert!(window.is_open(at("2026-03-29T01:00:00Z")));
    assert!(window.is_open(at("2026-03-29T01:59:59Z")));
    assert!(!window.is_open(at("2026-03-29T02:00:00Z")));
}

#[test]
fn a_start_that_is_shown_twice_is_the_first_of_the_two() {
    // Berlin shows 02:00 to 03:00 twice on 2026-10-25: 02:30 is 00:30 and 01:30 UTC.
    let schedule = "30 2 * * *";
    assert_eq!(next(schedule, "Europe/Berlin", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
    assert_eq!(next(schedule, "Europe/Berlin", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
    let window = window(schedule, "Europe/Berlin", 1);
    let open = |now| window.is_open(at(now));
    assert!(!open("2026-10-25T00:29:00Z") && open("2026-10-25T00:30:00Z") && open("2026-10-25T01:29:00Z"));
    assert!(!open("2026-10-25T01:30:00Z") && !open("2026-10-25T01:59:00Z"), "the second showing opens it again");
}

#[test]
fn a_window_that_opens_again_at_once_is_always_open() {
    let always = window("0 * * * *", "Europe/Berlin", 1);
    for minutes in 0..600 {
        for day in ["2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z"] {
            let now = at(day) + Duration::from_secs(minutes * 60);
            assert!(always.is_open(now), "{now}");
        }
    }
}

#[test]
fn a_window_lasts_in_real_time_over_a_jump_of_the_clock() {
    // From 18:00 on the Saturday before: the clock jumps over one hour, so fifteen hours end at 10:00 in the morning, not at 09:00.
    let night = window("0 18 * * *", "Europe/Berlin", 15);
    assert!(night.is_open(at("2026-03-29T07:59:00Z")));
    assert!(!night.is_open(at("2026-03-29T08:00:00Z")));
}

#[test]
fn a_refusal_says_when_it_opens_next() {
    let hours = [window("0 18 * * MON-FRI", "Europe/Berlin", 15)];
    assert_eq!(closed_sentence(&hours, at("2026-11-23T22:00:00Z")), None);
    assert_eq!(closed_sentence(&[], at("2026-11-23T22:00:00Z")), None);
    assert_eq!(
        closed_sentence(&hours, at("2026-11-23T12:00:00Z")).unwrap(),
        "This is outside the hours of merging: `0 18 * * MON-FRI` (Europe/Berlin) for 15h opens next at 2026-11-23T17:00:00Z, in 5h."
    );
    // Saturday 09:00 in Berlin, when the window of Friday has just closed.
    assert_eq!(
        opening(&hours, at("2026-11-21T08:00:00Z")),
        Opening::Closed { next: Some(at("2026-11-23T17:00:00Z")), window: hours[0].to_string() }
    );
}

#[test]
fn of_several_windows_one_is_enough_and_the_soonest_is_named() {
    let hours = [window("0 18 * * *", "UTC", 2), window("0 9 * * *", "UTC", 1)];
    assert_eq!(
        opening(&hours, at("2026-11-23T09:30:00Z")),
        Opening::Open { until: at("2026-11-23T10:00:00Z"), window: "`0 9 * * *` (UTC) for 1h".to_owned() }
    );
    assert_eq!(
        opening(&hours, at("2026-11-23T21:00:00Z")),
        Opening::Closed { next: Some(at("2026-11-24T09:00:00Z")), window: hours[1].to_string() }
    );
}

#[test]
fn what_cannot_be_read_is_closed() {
    for hours in [[window("0 25 * * *", "UTC", 24)], [window("* * * * *", "Mars/Olympus", 24)]] {
        let sentence = closed_sentence(&hours, at("2026-11-23T09:30:00Z")).unwrap();
        assert!(sentence.contains("cannot be read") && sentence.ends_with("never opens."), "{sentence}");
    }
    let open = window("* * * * *", "UTC", 1);
    assert!(!open.is_open(Timestamp(i64::MAX)) && !open.is_open(Timestamp(i64::MIN)));
}

#[test]
fn what_other_crons_allow_is_refused_with_a_sentence() {
    let cases = [
        ("", "has 0 fields, and 5 are meant"),
        ("0 0 9 * * 1", "has 6 fields, and 5 are meant: there are no seconds and no years"),
        ("* * * *", "has 4 fields, and 5 are meant"),
        ("CRON_TZ=Europe/Berlin 0 9 * * *", "holds a time zone"),
        ("0 9 L * *", "has `L` as its day of the month, which goes from 1 to 31"),
        ("0 9 * * 5#2", "has `5#2` as its day of the week, which goes from 0 to 7 or from SUN to SAT"),
        ("60 9 * * *", "has `60` as its minute, which goes from 0 to 59"),
        ("0 24 * * *", "has `24` as its hour, which goes from 0 to 23"),
        ("0 9 0 * *", "has `0` as its day of the month, which goes from 1 to 31"),
        ("0 9 * 13 *", "has `13` as its month, which goes from 1 to 12 or from JAN to DEC"),
        ("0 9 * * 8", "has `8` as its day of the week, which goes from 0 to 7 or from SUN to SAT"),
        ("0 9 * * FRI-MON", "has `FRI-MON` as its day of the week, which runs backwards"),
        ("0 9 * * 1,,2", "has `` as its day of the week, which goes from 0 to 7 or from SUN to SAT"),
        ("*/0 9 * * *", "has the step of `*/0` in its minute, which is no number over 0"),
        ("0 0 30 FEB *", "fits no day of any year"),
        ("0 0 31 4,6,9,11 *", "fits no day of any year"),
        ("@reboot", "is no named schedule"),
        ("+5 * * * *", "has `+5` as its minute, which goes from 0 to 59"),
    ];
    for (text, says) in cases {
        assert_eq!(check_schedule(text).unwrap_err().says, says, "{text}");
    }
    assert_eq!(parse_time_zone("Europe/berlin"), Err(UnknownTimeZone("Europe/berlin".to_owned())));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[-*/,0-9A-Za-z@# ?]{0,24}", now in proptest::prelude::any::<i64>()) {
        if let Ok(schedule) = Schedule::parse(&text, "Europe/Berlin") {
            let now = Timestamp(now);
            proptest::prop_assert!(schedule.last_start(now).is_none_or(|start| start <= now));
            proptest::prop_assert!(schedule.next_start(now).is_none_or(|start| start > now));
        }
    }

    #[test]
    fn open_or_closed_agrees_with_the_starts(minutes in 0..2_000_000_i64, hour in 0..24_u32, length in 1..40_u64) {
        let now = Timestamp::from_secs(1_760_000_000 + minutes * 60);
        let window = window(&format!("15 {hour} * * *"), "America/New_York", length);
        let schedule = Schedule::parse(&window.schedule, &window.time_zone).unwrap();
        let open = schedule.last_start(now).is_some_and(|start| now.since(start) < window.length);
        proptest::prop_assert_eq!(window.is_open(now), open);
    }
}
