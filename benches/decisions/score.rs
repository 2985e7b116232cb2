//! Counts right and wrong, with Wilson's intervals.

use std::collections::BTreeMap;

use crate::archetypes::Right;

/// A share with how many it is of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// How many are.
    pub of: u64,
    /// Among how many.
    pub among: u64,
}

impl Share {
    /// As a number; one where there is nothing to be wrong about.
    pub fn value(self) -> f64 {
        if self.among == 0 { 1.0 } else { self.of as f64 / self.among as f64 }
    }

    /// Wilson's two-sided 95 % interval (Wilson 1927).
    pub fn interval(self) -> (f64, f64) {
        if self.among == 0 {
            return (0.0, 1.0);
        }
        let (z, count, share) = (1.959_963_985, self.among as f64, self.value());
        let middle = share + z * z / (2.0 * count);
        let spread = z * (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt();
        let scale = 1.0 + z * z / count;
        (((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0))
    }

    /// Counts one.
    pub fn add(&mut self, right: bool) {
        self.among += 1;
        self.of += u64::from(right);
    }

    fn merge(&mut self, other: Self) {
        self.of += other.of;
        self.among += other.among;
    }
}

/// What somebody did about an incident.
pub struct Done {
    /// Merge, propose, or nothing.
    pub action: Right,
    /// What it undoes.
    pub undoes: Vec<String>,
    /// How long after the onset, in seconds.
    pub after: f64,
    /// Why not more, where that is known.
    pub refusal: String,
}

/// What an incident came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something was merged that should not have been.
    WrongMerge,
    /// Anything else.
    Other,
}

/// The sums of one archetype, or of all.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Incidents.
    pub incidents: u64,
    /// Incidents that no commit did.
    pub guiltless: u64,
    /// Merges that were right, among all merges.
    pub merges: Share,
    /// Merges in incidents that no commit did.
    pub guiltless_merges: u64,
    /// Proposals in incidents that no commit did.
    pub guiltless_proposals: u64,
    /// Merges of exactly the guilty commit where a person should have looked.
    pub rash_merges: u64,
    /// Proposals that undo the guilty commit, among all proposals.
    pub proposals: Share,
    /// Merges and proposals that undo the guilty commit where doing something was right, among all of them: what a rule of others is
    /// measured by as well.
    pub actions: Share,
    /// Incidents in which the guilty commit was merged away or proposed, among those in which it should have been.
    pub found: Share,
    /// Incidents in which it was merged away, among those in which that was right.
    pub merged: Share,
    /// Seconds from the onset to the right decision.
    pub after: Vec<f32>,
    /// Why nothing was done where something should have been.
    pub missed: BTreeMap<String, u64>,
    /// Why something was only proposed that could have been merged.
    pub held_back: BTreeMap<String, u64>,
}

impl Score {
    /// Counts one incident.
    pub fn add(&mut self, guilty: &[String], right: Right, done: &Done) -> Outcome {
        let merges = self.merges;
        self.incidents += 1;
        self.guiltless += u64::from(guilty.is_empty());
        // What undoes every guilty commit is right, where doing something is right at all.
        let undone = !guilty.is_empty() && guilty.iter().all(|commit| done.undoes.contains(commit));
        let hit = undone && right > Right::Nothing;
        if done.action > Right::Nothing {
            self.actions.add(hit);
        }
        match done.action {
            Right::Merge => {
                let exact = undone && done.undoes.len() == guilty.len();
                self.merges.add(exact && right == Right::Merge);
                self.guiltless_merges += u64::from(guilty.is_empty());
                self.rash_merges += u64::from(exact && right < Right::Merge);
            }
            Right::Propose => {
                self.proposals.add(hit);
                self.guiltless_proposals += u64::from(guilty.is_empty());
            }
            Right::Nothing => {}
        }
        if right > Right::Nothing {
            let found = hit && done.action > Right::Nothing;
            self.found.add(found);
            if found {
                self.after.push(done.after as f32);
            } else {
                let why = if done.action == Right::Nothing { done.refusal.clone() } else { "another commit".to_owned() };
                *self.missed.entry(why).or_default() += 1;
            }
        }
        if right == Right::Merge {
            self.merged.add(hit && done.action == Right::Merge);
            if hit && done.action == Right::Propose {
                *self.held_back.entry(done.refusal.clone()).or_default() += 1;
            }
        }
        let wrong = |merges: Share| merges.among - merges.of;
        if wrong(self.merges) > wrong(merges) { Outcome::WrongMerge } else { Outcome::Other }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.incidents += other.incidents;
        self.guiltless += other.guiltless;
        self.merges.merge(other.merges);
        self.guiltless_merges += other.guiltless_merges;
        self.guiltless_proposals += other.guiltless_proposals;
        self.rash_merges += other.rash_merges;
        self.proposals.merge(other.proposals);
        self.actions.merge(other.actions);
        self.found.merge(other.found);
        self.merged.merge(other.merged);
        self.after.extend(&other.after);
        for (why, count) in &other.missed {
            *self.missed.entry(why.clone()).or_default() += count;
        }
        for (why, count) in &other.held_back {
            *self.held_back.entry(why.clone()).or_default() += count;
        }
    }

    /// Seconds from the onset to the right decision, at a quantile.
    pub fn after(&self, quantile: f64) -> Option<f32> {
        let mut sorted = self.after.clone();
        sorted.sort_by(f32::total_cmp);
        sorted.get(((sorted.len() as f64 * quantile) as usize).min(sorted.len().saturating_sub(1))).copied()
    }
}
