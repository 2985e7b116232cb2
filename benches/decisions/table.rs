//! What is printed: the sums, a row for each archetype, and the rules of others beside.

use std::fmt::Write;

use crate::archetypes::{Archetype, Counted};
use crate::rules::RULES;
use crate::score::{Score, Share};

/// A rule at one threshold.
pub struct RulePoint {
    /// Which rule.
    pub rule: usize,
    /// Its threshold.
    pub threshold: f64,
    /// How it did.
    pub score: Score,
}

/// Everything that was scored.
pub struct Scored {
    /// One for each archetype.
    pub archetypes: Vec<(Archetype, Score)>,
    /// Every rule at every threshold, over the archetypes that count.
    pub rules: Vec<RulePoint>,
}

impl Scored {
    /// The sum over the archetypes that count.
    pub fn sum(&self) -> Score {
        let mut sum = Score::default();
        for (_, score) in self.archetypes.iter().filter(|(archetype, _)| archetype.counted == Counted::Yes) {
            sum.merge(score);
        }
        sum
    }
}

fn percent(share: Share) -> String {
    if share.among == 0 {
        return "–".to_owned();
    }
    let (low, high) = share.interval();
    format!("{:.1} % ({:.1}–{:.1}, {} of {})", share.value() * 100.0, low * 100.0, high * 100.0, share.of, share.among)
}

fn short(share: Share) -> String {
    if share.among == 0 { "–".to_owned() } else { format!("{:.1} % of {}", share.value() * 100.0, share.among) }
}

fn most(reasons: &std::collections::BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<_> = reasons.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    sorted.iter().take(3).map(|(why, count)| format!("{why} {count}")).collect::<Vec<_>>().join(", ")
}

/// The whole report in Markdown.
pub fn report(scored: &Scored) -> String {
    let mut text = String::new();
    sums(&mut text, &scored.sum());
    archetypes(&mut text, scored);
    rules(&mut text, scored);
    text
}

fn line(text: &mut String, row: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{row}");
}

fn sums(text: &mut String, sum: &Score) {
    line(text, format_args!("| | share (95 % interval) |\n|---|---|"));
    line(text, format_args!("| incidents | {}, {} of them without a guilty commit |", sum.incidents, sum.guiltless));
    line(text, format_args!("| force-merges without a guilty commit | {} |", sum.guiltless_merges));
    line(text, format_args!("| proposals without a guilty commit | {} |", sum.guiltless_proposals));
    line(text, format_args!("| actions that undo the guilty commit | {} |", percent(sum.actions)));
    line(text, format_args!("| right force-merges | {} |", percent(sum.merges)));
    line(text, format_args!("| of the wrong ones: the guilty commit, where a person should have looked | {} |", sum.rash_merges));
    line(text, format_args!("| right proposals | {} |", percent(sum.proposals)));
    line(text, format_args!("| attributable regressions found | {} |", percent(sum.found)));
    line(text, format_args!("| merged away, where that was right | {} |", percent(sum.merged)));
    let seconds = |quantile| sum.after(quantile).map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.0} s"));
    line(text, format_args!("| from the onset to the decision, median and 95 % | {}, {} |\n", seconds(0.5), seconds(0.95)));
}

fn archetypes(text: &mut String, scored: &Scored) {
    line(
        text,
        format_args!(
            "| archetype | id | incidents | right merges | right proposals | found | merged | median | missed by | proposed only, by |"
        ),
    );
    line(text, format_args!("|---|---|---|---|---|---|---|---|---|---|"));
    for (archetype, score) in &scored.archetypes {
        let apart = if archetype.counted == Counted::Apart { " (apart)" } else { "" };
        let median = score.after(0.5).map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.0} s"));
        line(
            text,
            format_args!(
                "| {}{apart} | {} | {} | {} | {} | {} | {} | {median} | {} | {} |",
                archetype.name,
                archetype.id,
                score.incidents,
                short(score.merges),
                short(score.proposals),
                short(score.found),
                short(score.merged),
                most(&score.missed),
                most(&score.held_back),
            ),
        );
    }
    line(text, format_args!(""));
}

fn rules(text: &mut String, scored: &Scored) {
    let ours = scored.sum();
    line(
        text,
        format_args!("| rule | threshold | precision | recall | actions without a guilty commit | median |\n|---|---|---|---|---|---|"),
    );
    let row = |text: &mut String, name: &str, threshold: &str, score: &Score| {
        let median = score.after(0.5).map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.0} s"));
        let none = score.guiltless_merges + score.guiltless_proposals;
        line(text, format_args!("| {name} | {threshold} | {} | {} | {none} | {median} |", percent(score.actions), percent(score.found)));
    };
    row(text, "revertd", "as it is", &ours);
    for point in &scored.rules {
        let rule = &RULES[point.rule];
        row(text, rule.name, &format!("{} {}", rule.threshold, point.threshold), &point.score);
    }
}
