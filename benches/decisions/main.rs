//! The benchmark of decisions: labelled incidents, generated from a seed, decided by the engine and by the rules that others use.
//!
//! ```text
//! cargo bench --bench decisions -- [--incidents 100000] [--from 0] [--seed 1] [--held-out] [--guiltless] [--assert] [--archetype NAME]
//!     [--print]
//! ```
//!
//! `world` and `archetypes` make incidents and know the truth, `observe` writes down what was seen of them, `ranges` fixes what is drawn
//! and which half is held out, `rules` is what others do, `score` counts and `table` prints. They share no code and no constant with the
//! engine, which is handed lines of JSON.
//! `--guiltless` decides only those of the incidents that no commit did: `--incidents 80000 --guiltless` are over 30,000.
//! `--assert` fails where a floor is missed beyond what so many incidents can leave to chance. Each wrong force-merge is named with its
//! number; `--print --from NUMBER --incidents 1` writes that line instead, for `revertd judge`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is the result, and the progress is for who waits")]

mod archetypes;
mod observe;
mod random;
mod ranges;
mod rules;
mod score;
mod table;
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use revertd::agent::{DecideAt, JudgedAction, judge};
use revertd::config::judge_file::CaseReader;
use serde_json::Value;

use archetypes::{Counted, Right, all};
use random::Random;
use ranges::{Draw, Half};
use rules::{RULES, Seen};
use score::{Done, Outcome, Score};
use table::{RulePoint, Scored};
use world::World;

/// As many as continuous integration takes the time for.
const INCIDENTS: u64 = 5000;

struct Options {
    incidents: u64,
    from: u64,
    seed: u64,
    half: Half,
    which: Which,
    asserts: bool,
    prints: bool,
    only: Option<String>,
}

/// Which of the incidents are decided.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Guiltless,
}

struct Incident {
    archetype: usize,
    guilty: Vec<String>,
    right: Right,
    onset: i64,
    case: Value,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    if options.prints {
        for number in options.from..options.from + options.incidents {
            if let Some(incident) = incident(&options, number) {
                println!("{}", incident.case);
            }
        }
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let scored = run(&options);
    println!("{}", table::report(&scored));
    eprintln!("{} incidents in {:.0} s", options.incidents, began.elapsed().as_secs_f64());
    if !options.asserts {
        return ExitCode::SUCCESS;
    }
    let missed = floors(&scored);
    for sentence in &missed {
        eprintln!("missed: {sentence}");
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Result<Options, String> {
    let mut options =
        Options { incidents: INCIDENTS, from: 0, seed: 1, half: Half::Tuned, which: Which::All, asserts: false, prints: false, only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse::<u64>().ok()).ok_or_else(|| format!("`{word}` needs a number"));
        match word.as_str() {
            "--incidents" => options.incidents = number()?,
            "--from" => options.from = number()?,
            "--seed" => options.seed = number()?,
            "--held-out" => options.half = Half::HeldOut,
            "--guiltless" => options.which = Which::Guiltless,
            "--assert" => options.asserts = true,
            "--print" => options.prints = true,
            "--archetype" => options.only = words.next(),
            // Cargo says so to every benchmark.
            "--bench" => {}
            other => return Err(format!("`{other}` is no option; see the head of benches/decisions/main.rs")),
        }
    }
    match &options.only {
        Some(name) if !all().iter().any(|archetype| archetype.name == name) => Err(format!("there is no archetype `{name}`")),
        _ => Ok(options),
    }
}

/// Makes the incident of a number; `None` where it is none of those that are decided.
fn incident(options: &Options, number: u64) -> Option<Incident> {
    let archetypes = all();
    let archetype = match &options.only {
        Some(name) => archetypes.iter().position(|archetype| archetype.name == name).unwrap_or_default(),
        None => (number % archetypes.len() as u64) as usize,
    };
    // The halves are of different incidents, not of the same ones with other parameters.
    let salt = if options.half == Half::HeldOut { 0x5EED_0FF5 } else { 0 };
    let random = Random::new(options.seed ^ salt, number);
    let mut world = World::new(random, Draw { half: options.half, archetype: archetypes[archetype].name });
    let truth = (archetypes[archetype].build)(&mut world);
    if options.which == Which::Guiltless && !truth.guilty.is_empty() {
        return None;
    }
    let onset = world.moment(world.onset);
    let id = format!("{}-{number}", archetypes[archetype].name);
    let case = world.observe(&id, &truth.guilty, truth.right.label());
    Some(Incident { archetype, guilty: truth.guilty, right: truth.right, onset, case })
}

fn run(options: &Options) -> Scored {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let (done, began) = (AtomicU64::new(0), Instant::now());
    let parts: Vec<Scored> = std::thread::scope(|scope| {
        let (options, done) = (&options, &done);
        let workers: Vec<_> = (0..threads).map(|worker| scope.spawn(move || part(options, worker, threads, done, began))).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    assert_eq!(parts.len() as u64, threads, "a worker failed");
    let mut sum = empty();
    for part in parts {
        for ((_, into), (_, from)) in sum.archetypes.iter_mut().zip(&part.archetypes) {
            into.merge(from);
        }
        for (into, from) in sum.rules.iter_mut().zip(&part.rules) {
            into.score.merge(&from.score);
        }
    }
    sum
}

fn empty() -> Scored {
    let rules = RULES
        .iter()
        .enumerate()
        .flat_map(|(rule, it)| it.sweep.iter().map(move |threshold| RulePoint { rule, threshold: *threshold, score: Score::default() }));
    Scored { archetypes: all().into_iter().map(|archetype| (archetype, Score::default())).collect(), rules: rules.collect() }
}

/// Every `threads`th incident, from `worker` on.
fn part(options: &Options, worker: u64, threads: u64, done: &AtomicU64, began: Instant) -> Scored {
    let mut scored = empty();
    let mut reader = CaseReader::default();
    for number in (options.from + worker..options.from + options.incidents).step_by(threads as usize) {
        let Some(incident) = incident(options, number) else { continue };
        let decided = revertd(&mut reader, &incident);
        let (archetype, score) = &mut scored.archetypes[incident.archetype];
        if score.add(&incident.guilty, incident.right, &decided) == Outcome::WrongMerge && archetype.counted == Counted::Yes {
            eprintln!(
                "wrong force-merge: seed {} number {number}, {} ({:.0} s after the onset)",
                options.seed, archetype.name, decided.after
            );
        }
        if archetype.counted == Counted::Yes {
            let seen = Seen::of(&incident.case);
            for point in &mut scored.rules {
                let action = RULES[point.rule].judge(&seen, point.threshold);
                point.score.add(&incident.guilty, incident.right, &by_rule(&incident, action));
            }
        }
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(500) {
            eprintln!("{count} of {} incidents, {:.0} s", options.incidents, began.elapsed().as_secs_f64());
        }
    }
    scored
}

fn revertd(reader: &mut CaseReader, incident: &Incident) -> Done {
    let case = match reader.read(&incident.case.to_string()) {
        Ok(case) => case,
        Err(error) => unreachable!("the generator wrote a line that cannot be read: {error}"),
    };
    let answer = judge(&case, DecideAt::Each);
    let action = match answer.action {
        JudgedAction::None => Right::Nothing,
        JudgedAction::Propose => Right::Propose,
        JudgedAction::Merge => Right::Merge,
    };
    let refusal = match (answer.refusal, answer.decisions.is_empty()) {
        (Some(refusal), _) => refusal,
        (None, true) => "no breach".to_owned(),
        (None, false) => "waits".to_owned(),
    };
    Done {
        action,
        undoes: answer.suspects.iter().map(ToString::to_string).collect(),
        after: answer.since.map_or(0.0, |since| (since - incident.onset) as f64 / 1000.0),
        refusal,
    }
}

/// A rule takes back one commit; what it does is what revertd calls a proposal.
fn by_rule(incident: &Incident, action: Option<(i64, String)>) -> Done {
    match action {
        Some((at, commit)) => {
            Done { action: Right::Propose, undoes: vec![commit], after: (at - incident.onset) as f64 / 1000.0, refusal: String::new() }
        }
        None => Done { action: Right::Nothing, undoes: Vec::new(), after: 0.0, refusal: String::new() },
    }
}

/// What is missed, beyond what so many incidents can leave to chance.
fn floors(scored: &Scored) -> Vec<String> {
    let sum = scored.sum();
    let mut missed = Vec::new();
    if sum.guiltless_merges > 0 {
        missed.push(format!("{} force-merges in {} incidents without a guilty commit (limit 0)", sum.guiltless_merges, sum.guiltless));
    }
    let floors =
        [("right force-merges", sum.merges, 0.999), ("right proposals", sum.proposals, 0.95), ("regressions found", sum.found, 0.85)];
    for (what, share, floor) in floors {
        if share.interval().1 < floor {
            missed.push(format!("{what}: {:.2} % of {} (floor {:.1} %)", share.value() * 100.0, share.among, floor * 100.0));
        }
    }
    let (precision, recall) = (sum.actions, sum.found);
    for point in &scored.rules {
        let (other, found) = (point.score.actions, point.score.found);
        // At each rule's recall a higher precision: with one point of our own, both must be higher than the rule's.
        if other.among > 0 && (other.value() >= precision.value() || found.value() > recall.value()) {
            missed.push(format!(
                "{} at {} {}: precision {:.1} %, recall {:.1} %; revertd {:.1} % and {:.1} %",
                RULES[point.rule].name,
                RULES[point.rule].threshold,
                point.threshold,
                other.value() * 100.0,
                found.value() * 100.0,
                precision.value() * 100.0,
                recall.value() * 100.0
            ));
        }
    }
    missed
}
