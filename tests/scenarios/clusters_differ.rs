//! One policy, two clusters: each is measured and followed on its own. A cluster that has not applied a change clears it or accuses it, and a
//! revert counts once it runs in both.

use revertd::engine::attribution::Candidate;
use revertd::engine::incident::{Incident, Phase};
use revertd::engine::verification::RecoveryStanding;

use crate::chat::{CHANNEL, Chat};
use crate::support::{Health, World, policy};
use crate::sync::{ArgoCd, Automation};

/// The clusters `eu` and `us-1`, with one Argo CD each.
struct Clusters {
    eu: ArgoCd,
    us: ArgoCd,
}

impl Clusters {
    fn start() -> Self {
        Self { eu: ArgoCd::start(), us: ArgoCd::start() }
    }

    fn lines(&self) -> String {
        format!("  sync: [{}, {}]\n", self.eu.named("argo-eu"), self.us.named("argo-us"))
    }

    fn policy(mode: &str, more: &str) -> String {
        policy("checkout", mode, more).replace(
            "  sync: {lag: 2s}\n",
            "  instances:\n    - {cluster: eu, sync: argo-eu, application: checkout}\n    \
             - {name: us, cluster: us-1, sync: {source: argo-us, application: checkout}}\n",
        )
    }

    fn world(&self, mode: &str) -> World {
        self.healthy(World::with_agent(&["checkout"], &[Self::policy(mode, "")], &self.lines()))
    }

    /// Both are well, and one has synced a bump.
    fn changed_in_eu(&self, mode: &str) -> (World, String) {
        let mut world = self.world(mode);
        let commit = world.bump("checkout", "1.5.0");
        self.eu.runs(&commit, Automation::On);
        world.seconds(6);
        (world, commit)
    }

    /// Both run what was there first, and are well for a while.
    fn healthy(&self, mut world: World) -> World {
        self.run(&world.remote_head().unwrap());
        world.set_health("checkout/eu", Health::Good);
        world.set_health("checkout/us", Health::Good);
        world.seconds(8);
        world
    }

    /// Both have synced this commit.
    fn run(&self, commit: &str) {
        self.eu.runs(commit, Automation::On);
        self.us.runs(commit, Automation::On);
    }
}

fn incident_in(world: &World, instance: &str) -> Incident {
    world.incidents().into_values().find(|incident| incident.instance.as_str() == instance).unwrap()
}

fn suspect(incident: &Incident) -> Candidate {
    let attribution = incident.attribution.clone().unwrap();
    assert_eq!(attribution.suspects.len(), 1, "{attribution:#?}");
    attribution.candidates.into_iter().find(|candidate| candidate.commit == attribution.suspects[0]).unwrap()
}

#[test]
fn a_cluster_without_the_change_that_is_well_is_named_as_control() {
    let clusters = Clusters::start();
    let world = World::on_github_with(&["checkout"], &[Clusters::policy("propose", "")], &clusters.lines());
    let mut world = clusters.healthy(world);
    let commit = world.bump("checkout", "1.5.0");
    clusters.eu.runs(&commit, Automation::On);
    world.seconds(6);
    world.set_health("checkout/eu", Health::Bad);
    world.until(20, |world| world.branches().len() == 1);
    world.until(15, |world| !world.proposal().shown.is_empty());
    let incident = world.incident();
    assert_eq!((incident.instance.as_str(), incident.cluster.as_deref()), ("eu", Some("eu")));
    let because = suspect(&incident).because;
    assert!(because.contains("`us` (cluster `us-1`) had not applied it ") && because.ends_with(" and is healthy"), "{because}");
    let pull = world.pull();
    assert!(pull.title.contains("checkout in eu"), "{}", pull.title);
    assert!(pull.body.contains("checkout in eu"), "{}", pull.body);
    assert!(pull.body.contains("had not applied it "), "{}", pull.body);
    // What never ran the change need not get its revert.
    world.approve_on_github();
    world.until(15, |world| world.landings() == 1);
    clusters.eu.runs(&world.remote_head().unwrap(), Automation::On);
    world.set_health("checkout/eu", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
}

#[test]
fn a_change_that_broke_one_cluster_alone_is_merged_away_where_the_other_lacks_it() {
    let clusters = Clusters::start();
    let (mut world, _) = clusters.changed_in_eu("merge");
    world.set_health("checkout/eu", Health::Bad);
    world.until(30, |world| world.reverts() == 1);
}

#[test]
fn a_cluster_that_runs_the_change_well_leaves_the_merge_to_people() {
    let clusters = Clusters::start();
    let mut world = clusters.world("merge");
    let commit = world.bump("checkout", "1.5.0");
    clusters.run(&commit);
    world.seconds(6);
    world.set_health("checkout/eu", Health::Bad);
    world.seconds(40);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1));
    assert!(world.refusals().contains(&"runsWellElsewhere".to_owned()), "{:?}", world.refusals());
    // Not to know how it is there is no better.
    world.set_health("checkout/us", Health::Unknown);
    world.seconds(20);
    assert_eq!(world.reverts(), 0);
    world.approve();
    world.until(10, |world| world.reverts() == 1);
}

#[test]
fn a_cluster_that_fails_without_the_change_clears_it() {
    let clusters = Clusters::start();
    let (mut world, _) = clusters.changed_in_eu("merge");
    world.set_health("checkout/eu", Health::Bad);
    world.set_health("checkout/us", Health::Bad);
    world.seconds(40);
    assert!(world.branches().is_empty() && world.reverts() == 0, "{:#?}", world.incidents());
    let refusals = incident_in(&world, "eu").decision.unwrap().refusals;
    let refusal = refusals.iter().find(|refusal| refusal.code.label() == "failsWithoutIt").unwrap();
    assert!(refusal.sentence.starts_with("`checkout` in `us` (cluster `us-1`) began to fail with it"), "{}", refusal.sentence);
    let there = incident_in(&world, "us").decision.unwrap().refusals;
    assert!(there.iter().any(|refusal| refusal.code.label() == "breachBeforeChange"), "{there:?}");
}

#[test]
fn a_cluster_without_the_change_of_which_nothing_is_known_any_more_clears_it_too() {
    let clusters = Clusters::start();
    let (mut world, _) = clusters.changed_in_eu("merge");
    world.set_health("checkout/eu", Health::Bad);
    world.set_health("checkout/us", Health::Unknown);
    world.seconds(40);
    assert!(world.branches().is_empty() && world.reverts() == 0, "{:#?}", world.incidents());
    assert!(world.refusals().contains(&"failsWithoutIt".to_owned()), "{:?}", world.refusals());
}

#[test]
fn a_change_that_broke_both_clusters_is_one_proposal_and_one_revert() {
    let clusters = Clusters::start();
    let mut world = clusters.world("propose");
    let commit = world.bump("checkout", "1.5.0");
    clusters.run(&commit);
    world.seconds(6);
    world.set_health("checkout/eu", Health::Bad);
    world.set_health("checkout/us", Health::Bad);
    world.until(20, |world| world.branches().len() == 1);
    world.seconds(5);
    assert_eq!(world.incidents().len(), 2);
    assert_eq!(world.proposal().incidents.len(), 2, "{:#?}", world.proposal());
    // One cluster recovers by itself: the other still needs it.
    world.set_health("checkout/us", Health::Good);
    world.until(20, |world| incident_in(world, "us").phase == Phase::Withdrawn);
    world.seconds(3);
    assert_eq!(world.branches().len(), 1);
    assert_eq!(world.proposal().closing, None);
    world.approve_proposal();
    world.until(10, |world| world.reverts() == 1);
    let message = world.remote(&["log", "-1", "--format=%B", "main"]);
    assert_eq!(message.matches("Revertd-Policy: checkout").count(), 1, "{message}");
    assert!(message.contains("checkout in eu breaches its objectives"), "{message}");
    clusters.run(&world.remote_head().unwrap());
    world.set_health("checkout/eu", Health::Good);
    world.until(20, |world| incident_in(world, "eu").phase == Phase::Recovered);
}

#[test]
fn a_revert_that_one_cluster_does_not_pick_up_is_not_effective_and_that_cluster_is_named() {
    let clusters = Clusters::start();
    let chat = Chat::start();
    let agent = format!("{}  notifiers: [{}]\n", clusters.lines(), chat.slack("oncall", CHANNEL));
    let world = World::with_agent(&["checkout"], &[Clusters::policy("propose", "  notify: [oncall]\n")], &agent);
    let mut world = clusters.healthy(world);
    let commit = world.bump("checkout", "1.5.0");
    clusters.run(&commit);
    world.seconds(6);
    world.set_health("checkout/eu", Health::Bad);
    world.told_until(20, |world| world.branches().len() == 1);
    clusters.us.runs(&commit, Automation::Off);
    world.approve();
    world.told_until(10, |world| world.reverts() == 1);
    let revert = world.remote_head().unwrap();
    clusters.eu.runs(&revert, Automation::On);
    world.set_health("checkout/eu", Health::Good);
    world.told_seconds(60);
    let incident = world.incident();
    assert_eq!(incident.ending, None, "{:?}", incident.sentence);
    let recovery = incident.recovery.unwrap();
    assert_eq!(recovery.standing, RecoveryStanding::NotEffective, "{}", recovery.sentence);
    assert!(recovery.sentence.starts_with("`us` (cluster `us-1`) still runs the other version: "), "{}", recovery.sentence);
    assert!(recovery.sentence.contains("automatic sync is off"), "{}", recovery.sentence);
    let told: Vec<String> =
        chat.posts().iter().map(|post| post.body.to_string()).filter(|body| body.contains("is not applied in `us`")).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("The revert for checkout in eu is not applied"), "{}", told[0]);
    clusters.us.runs(&revert, Automation::Off);
    world.told_until(20, |world| world.phase() == Phase::Recovered);
}
