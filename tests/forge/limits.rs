//! The limits on requests: polls are shed first, waits are kept, and changes are spaced on a real server.

use std::time::Duration;

use revertd::demo::forge::{Budget, FaultKind};
use revertd::forge::github::{MUTATION_SPACING, mutation_spacing};
use revertd::forge::{CommentCursor, Forge, ForgeError};

use crate::world::World;

fn budget(world: &World, remaining: u32) -> Budget {
    Budget { limit: 5000, remaining, reset: world.now() + Duration::from_secs(1200) }
}

#[test]
fn polls_are_shed_below_a_fifth_and_acting_goes_on() {
    let world = World::new();
    let number = world.opened().number;
    world.state().set_budget("revertd-bot", budget(&world, 1001));
    world.forge.get(world.poll(), number).unwrap();
    world.forge.reviews(world.poll(), number).unwrap();
    assert_eq!(world.forge.rate().unwrap().remaining, 999);
    world.forget();
    let shed = world.forge.comments(world.poll(), &CommentCursor::default()).unwrap_err();
    let ForgeError::RateLimited { until } = shed else { panic!("{shed}") };
    assert!(world.lines().is_empty());
    world.forge.write_comment(world.act(), number, "acting goes on").unwrap();
    world.pass(until.since(world.now()).as_secs() as i64);
    world.forge.comments(world.poll(), &CommentCursor::default()).unwrap();
}

#[test]
fn a_budget_that_is_used_up_is_waited_for() {
    let world = World::new();
    let number = world.opened().number;
    let budget = budget(&world, 0);
    world.state().set_budget("revertd-bot", budget);
    let limited = ForgeError::RateLimited { until: budget.reset };
    assert_eq!(world.forge.close(world.act(), number).unwrap_err(), limited);
    world.forget();
    assert_eq!(world.forge.close(world.act(), number).unwrap_err(), limited);
    assert!(world.lines().is_empty(), "it is not asked again before its time");
    world.pass(1200);
    world.forge.close(world.act(), number).unwrap();
}

#[test]
fn a_secondary_limit_holds_everything_back() {
    let world = World::new();
    let number = world.opened().number;
    world.fault("POST", "/repos/*/*/issues/*/comments", FaultKind::SecondaryLimit(90));
    let limited = ForgeError::RateLimited { until: world.now() + Duration::from_secs(90) };
    assert_eq!(world.forge.write_comment(world.act(), number, "x").unwrap_err(), limited);
    world.forget();
    assert_eq!(world.forge.get(world.act(), number).unwrap_err(), limited);
    assert_eq!(world.forge.comments(world.poll(), &CommentCursor::default()).unwrap_err(), limited);
    assert!(world.lines().is_empty());
    world.pass(90);
    world.forge.write_comment(world.act(), number, "x").unwrap();
    assert_eq!(world.state().comments(number.0).len(), 1);
}

#[test]
fn changes_are_spaced_on_every_server_but_this_machine() {
    assert_eq!(MUTATION_SPACING, Duration::from_secs(1));
    for url in
        ["https://github.com", "https://github.acme.example", "http://localhost.acme.example", "https://127.0.0.1", "http://127.0.0.10"]
    {
        assert_eq!(mutation_spacing(url), MUTATION_SPACING, "{url}");
    }
    for url in ["http://127.0.0.1:4711", "http://127.0.0.1", "http://localhost:80/", "http://localhost"] {
        assert_eq!(mutation_spacing(url), Duration::ZERO, "{url}");
    }
    let world = World::new();
    let number = world.opened().number;
    let spaced = world.client(|settings| settings.spacing = Duration::from_millis(80));
    let began = std::time::Instant::now();
    for _ in 0..3 {
        spaced.write_comment(world.act(), number, "x").unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(160));
}
