//! The same hour of the day before, by rounds that are spelt out: one a minute, `.` good, `x` bad and `?` not measured.

use super::*;
use crate::engine::id::SloName;
use crate::engine::policy::{Alert, AlertRule, HttpIndicator, Indicator, Mode, Objective, Unreachable};
use crate::engine::round::{Outcome, Unknown};

const MINUTE: Duration = Duration::from_secs(60);

fn slo() -> Slo {
    Slo {
        name: SloName::new("probe"),
        indicator: Indicator::Http(HttpIndicator {
            url: "http://checkout.example/journey".into(),
            every: MINUTE,
            timeout: Duration::from_secs(2),
            expect_status: vec![200],
            unreachable: Unreachable::Unknown,
        }),
        objective: Objective { target: None, max: None, min: None, time_window: None },
        alert: Alert { rule: AlertRule::Failing { count: 3, of: 5 }, recover_good: None, up_to: Mode::Merge },
        further: Vec::new(),
    }
}

/// The moment, a day before the onset, that all times here are counted from.
fn onset() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

/// Twenty good minutes, then these, of which the one at `at` begins with the onset.
fn day(minutes: &str, at: u32) -> Vec<Round> {
    let all = format!("{}{minutes}", ".".repeat(20));
    let outcome = |sign| match sign {
        'x' => Outcome::Bad("503".into()),
        '?' => Outcome::Unknown(Unknown::NoData),
        _ => Outcome::Good("200".into()),
    };
    let begin = onset() - MINUTE * (20 + at);
    let round =
        |(number, sign): (u32, char)| Round { start: begin + MINUTE * number, end: begin + MINUTE * (number + 1), outcome: outcome(sign) };
    (0..).zip(all.chars()).map(round).collect()
}

/// Asked so many minutes after the onset.
fn same(minutes: &str, at: u32, after: u32) -> Option<SameHour> {
    same_hour(&slo(), &day(minutes, at), onset(), onset() + MINUTE * after)
}

#[test]
fn trouble_at_the_same_hour_is_found_with_its_rounds() {
    let found = same("xxxx.xx.............", 0, 3).unwrap();
    assert_eq!((found.bad, found.rounds), (6, 7));
    assert_eq!((found.began, found.until), (onset() + MINUTE, onset() + MINUTE * 7));
    assert!(same("....................", 0, 3).is_none(), "a good day");
    assert!(same("x.......x...........", 0, 3).is_none(), "a bad round now and then");
}

#[test]
fn a_little_earlier_or_later_is_the_same_hour_and_an_hour_is_not() {
    assert!(same("xxxxx...............", 4, 3).is_some(), "four minutes earlier");
    assert!(same(".....xxxxx..........", 0, 3).is_some(), "five minutes later");
    assert!(same(&format!("xxxxx{}", ".".repeat(60)), 45, 3).is_none(), "three quarters of an hour earlier");
}

#[test]
fn what_was_over_the_day_before_excuses_nothing_that_goes_on() {
    let minutes = "xxxxx.........................";
    assert!(same(minutes, 0, 5).is_some());
    assert!(same(minutes, 0, 15).is_some(), "ten minutes after the last bad round");
    assert!(same(minutes, 0, 16).is_none());
}

#[test]
fn what_was_bad_all_the_time_is_no_matter_of_the_hour() {
    assert!(same(&"x".repeat(60), 40, 5).is_none());
}

#[test]
fn a_day_of_which_nothing_is_kept_says_nothing() {
    assert!(same_hour(&slo(), &[], onset(), onset() + MINUTE).is_none());
}

/// Promise P2: where it speaks against acting, no round that goes missing makes it silent.
#[test]
fn no_unknown_round_takes_it_away() {
    for (minutes, after) in [("xxxx.xx.............", 3), ("xx.x.x..............", 8), ("..xxx....xx.........", 12)] {
        let rounds = day(minutes, 0);
        let ask = |rounds: &[Round]| same_hour(&slo(), rounds, onset(), onset() + MINUTE * after);
        assert!(ask(&rounds).is_some(), "{minutes}");
        for position in 0..rounds.len() {
            let mut rounds = rounds.clone();
            rounds[position].outcome = Outcome::Unknown(Unknown::NoData);
            assert!(ask(&rounds).is_some(), "{minutes} without round {position}");
        }
    }
}
