//! The rounds in memory: what the probes found, by series, for as long as decisions look back to them. That is a day longer for what opens
//! incidents, so whoever prunes says how far back each series is needed.
//!
//! The journal keeps the same rounds over a restart; a gap stays a gap.

use std::collections::BTreeMap;

use super::Measured;
use crate::engine::round::{Outcome, Round, Unknown};
use crate::engine::time::Timestamp;
use crate::engine::versions::ToldVersions;
use crate::journal::{Series, StoredRound};

/// Every series, its rounds ordered by their end.
#[derive(Debug, Default)]
pub struct Rounds {
    series: BTreeMap<Series, Vec<Round>>,
    unsaved: Vec<StoredRound>,
    /// What was told of versions last, with the end of the round that it was asked for.
    versions: BTreeMap<Series, (Timestamp, ToldVersions)>,
}

impl Rounds {
    /// Takes up rounds that the journal kept.
    pub fn restore(&mut self, stored: Vec<StoredRound>) {
        for StoredRound { series, round } in stored {
            insert(self.series.entry(series).or_default(), round);
        }
    }

    /// Adds a round, or replaces the one with the same end, as when an unanswered round was asked again.
    pub fn add(&mut self, series: Series, round: Round) {
        insert(self.series.entry(series.clone()).or_default(), round.clone());
        self.unsaved.push(StoredRound { series, round });
    }

    /// Takes up a round that was just measured, with what was told of versions.
    pub fn take(&mut self, measured: Measured) {
        let Measured { series, round, versions } = measured;
        if let Some(told) = versions {
            self.versions.insert(series.clone(), (round.end, told));
        }
        self.add(series, round);
    }

    /// What was told of the versions of a series last, up to when; a restart forgets it.
    pub fn versions(&self, series: &Series) -> Option<&(Timestamp, ToldVersions)> {
        self.versions.get(series)
    }

    /// The rounds of a series that ended after `from`, oldest first.
    pub fn since(&self, series: &Series, from: Timestamp) -> &[Round] {
        let rounds = self.series.get(series).map_or(&[][..], Vec::as_slice);
        &rounds[rounds.partition_point(|round| round.end <= from)..]
    }

    /// The rounds of a series that ended after `from` and by `to`, oldest first.
    pub fn between(&self, series: &Series, from: Timestamp, to: Timestamp) -> &[Round] {
        let since = self.since(series, from);
        &since[..since.partition_point(|round| round.end <= to)]
    }

    /// The newest round of a series.
    pub fn newest(&self, series: &Series) -> Option<&Round> {
        self.series.get(series).and_then(|rounds| rounds.last())
    }

    /// The ends of the rounds that the metrics server did not answer for; they may be asked again.
    pub fn unanswered(&self, series: &Series) -> Vec<Timestamp> {
        let rounds = self.series.get(series).map_or(&[][..], Vec::as_slice);
        rounds
            .iter()
            .filter(|round| matches!(round.outcome, Outcome::Unknown(Unknown::ServerError { .. })))
            .map(|round| round.end)
            .collect()
    }

    /// Rounds that the journal has not got yet; they are forgotten here once taken.
    pub fn take_unsaved(&mut self) -> Vec<StoredRound> {
        std::mem::take(&mut self.unsaved)
    }

    /// Every series that has or had rounds.
    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.series.keys()
    }

    /// Forgets the rounds of each series that ended before the time that `before` gives for it.
    pub fn prune(&mut self, before: impl Fn(&Series) -> Timestamp) {
        self.versions.retain(|series, (until, _)| *until >= before(series));
        for (series, rounds) in &mut self.series {
            let before = before(series);
            rounds.drain(..rounds.partition_point(|round| round.end < before));
        }
    }
}

fn insert(rounds: &mut Vec<Round>, round: Round) {
    let position = rounds.partition_point(|other| other.end < round.end);
    match rounds.get_mut(position) {
        Some(other) if other.end == round.end => *other = round,
        _ => rounds.insert(position, round),
    }
}
