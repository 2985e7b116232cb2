//! What a backtest found, as text for a terminal: the sentence of design §14, and a table with a row for each incident.

use std::time::Duration;

use super::neutral::flat;
use crate::engine::backtest::{Deed, Found, Incident, Label, People, Report, Summary};
use crate::engine::id::{InstanceName, PolicyName};
use crate::engine::time::{Timestamp, spoken};

/// The longest subject that is shown of a commit.
const LONGEST_SUBJECT: usize = 50;

/// The whole report.
pub fn backtest(report: &Report) -> String {
    let scope = &report.scope;
    let mut lines = vec![
        format!("{} of `{}`, from {} to {}.", counted(scope.commits, "commit"), flat(scope.branch.as_str()), scope.since, scope.until),
        "Commit dates stand in for landing times: a commit that was pushed later than it was made looks older than it was.".to_owned(),
    ];
    lines.extend(scope.left_out.iter().map(|left| {
        format!("Left out: the SLO `{}` of `{}`, because nothing recorded what its probe would have found.", left.slo, left.policy)
    }));
    lines.extend(scope.series.iter().filter(|series| series.known < series.rounds).map(|series| {
        let unknown = series.rounds - series.known;
        format!(
            "Unknown: {unknown} of {} rounds of the SLO `{}` of `{}`.",
            series.rounds,
            series.slo,
            place(&series.policy, &series.instance)
        )
    }));
    lines.push(String::new());
    lines.extend(sentences(&report.summary));
    if scope.reverts_by_revertd > 0 {
        lines.push(format!("{} by revertd itself are no labels.", counted(scope.reverts_by_revertd, "revert")));
    }
    if !report.incidents.is_empty() {
        lines.push(String::new());
        lines.extend(table(&report.incidents));
    }
    let missed: Vec<&Label> = report.human_reverts.iter().filter(|label| label.found != Found::Proposed).collect();
    if !missed.is_empty() {
        lines.push(String::new());
        lines.push("Reverts of people that it would not have proposed:".to_owned());
        lines.extend(missed.into_iter().map(|label| {
            let why = label.why.as_deref().unwrap_or_default();
            format!("  {}  {}  {}  {}", label.revert.at, label.revert.commit.short(), flat(&label.revert.author), flat(why))
        }));
    }
    lines.join("\n") + "\n"
}

fn sentences(summary: &Summary) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: it would have proposed {} and merged {} of them without waiting for anybody.",
        counted(summary.incidents, "incident"),
        counted(summary.proposed, "revert"),
        summary.merged
    )];
    if summary.proposed > 0 {
        let sooner = |millis| format!(", which it would have done {} (median)", relative(millis, "sooner", "later"));
        lines.push(format!(
            "People made {} of them by hand{}; {} stood against another revert of theirs, and {} nobody made ({} of both merged).",
            summary.agreed,
            summary.median_sooner_millis.map(sooner).unwrap_or_default(),
            summary.wrong,
            summary.nobody,
            summary.merged_against_people
        ));
    }
    lines.push(match summary.human_reverts {
        0 => "People reverted nothing in that time.".to_owned(),
        all => format!(
            "Of the {} that people made in that time, it would have proposed {}.",
            counted(all, "revert"),
            summary.human_reverts_found
        ),
    });
    lines
}

/// A row for each incident, and its reason below it.
fn table(incidents: &[Incident]) -> Vec<String> {
    let heading = ["BEGAN", "LASTED", "SERVICE", "IT WOULD HAVE", "AFTER", "SUSPECT", "PEOPLE"].map(str::to_owned);
    let rows: Vec<[String; 7]> = incidents.iter().map(row).collect();
    let width = |column: usize| rows.iter().chain([&heading]).map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    let shown = |row: &[String; 7]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![shown(&heading)];
    for (incident, row) in incidents.iter().zip(&rows) {
        lines.push(shown(row));
        for suspect in &incident.suspects {
            lines.push(format!("  {} \"{}\"", suspect.commit.short(), flat(&cut(&suspect.subject))));
        }
        lines.push(format!("  {}", flat(&incident.why)));
    }
    lines
}

fn row(incident: &Incident) -> [String; 7] {
    let deed = match (incident.deed, &incident.refusal) {
        (Deed::None, Some(refusal)) => format!("done nothing ({refusal})"),
        (Deed::None, None) => "done nothing".to_owned(),
        (Deed::Propose, _) => "proposed".to_owned(),
        (Deed::Merge, _) => "merged".to_owned(),
    };
    let suspect = match incident.suspects.as_slice() {
        [] => "none".to_owned(),
        [one] => one.commit.short(),
        [first, more @ ..] => format!("{} and {}", first.commit.short(), more.len()),
    };
    let people = match &incident.people {
        People::Nothing => "nothing".to_owned(),
        People::RevertedSuspect { later: Some(later), .. } => format!("the same, {}", relative(*later, "later", "sooner")),
        People::RevertedSuspect { at, later: None, .. } => format!("reverted it at {at}"),
        People::RevertedOther { commit, .. } => format!("another: {}", commit.short()),
    };
    let since = |at: Option<Timestamp>| at.map(|at| spoken(at.since(incident.began)));
    [
        incident.began.to_string(),
        since(incident.ended).unwrap_or_else(|| "to the end".to_owned()),
        place(&incident.policy, &incident.instance),
        deed,
        since(incident.acted_at()).unwrap_or_else(|| "-".to_owned()),
        suspect,
        people,
    ]
}

/// A service, and where it runs of a policy that names instances.
fn place(policy: &PolicyName, instance: &InstanceName) -> String {
    if instance.is_default() { policy.to_string() } else { format!("{policy}/{instance}") }
}

fn relative(millis: i64, ahead: &str, behind: &str) -> String {
    format!("{} {}", spoken(Duration::from_millis(millis.unsigned_abs())), if millis < 0 { behind } else { ahead })
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn cut(subject: &str) -> String {
    match subject.char_indices().nth(LONGEST_SUBJECT) {
        Some((end, _)) => format!("{}…", &subject[..end]),
        None => subject.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backtest::{LeftOut, MeasuredSeries, Scope, Suspect, report};
    use crate::engine::human_revert::HumanRevert;
    use crate::engine::id::{BranchName, CommitId, SloName};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_secs(1_795_230_000 + 60 * minute)
    }

    fn found() -> Report {
        let incident = |began, deed, suspects: Vec<Suspect>| Incident {
            policy: PolicyName::new("checkout"),
            instance: InstanceName::default_instance(),
            began: at(began),
            ended: Some(at(began + 45)),
            deed,
            proposed_at: (deed > Deed::None).then(|| at(began + 3)),
            merged_at: None,
            candidates: suspects.iter().map(|suspect| suspect.commit).collect(),
            suspects,
            refusal: (deed == Deed::None).then(|| "othersFail".to_owned()),
            why: "Because of it.".to_owned(),
            people: People::Nothing,
        };
        let suspect = Suspect { commit: CommitId([0xab; 20]), subject: "Bump\u{1b}[31m checkout".to_owned() };
        let scope = Scope {
            since: at(-1000),
            until: at(1000),
            branch: BranchName::new("main"),
            commits: 12,
            reverts_by_revertd: 0,
            series: vec![MeasuredSeries {
                policy: PolicyName::new("checkout"),
                instance: InstanceName::default_instance(),
                slo: SloName::new("errors"),
                rounds: 10,
                known: 9,
            }],
            left_out: vec![LeftOut { policy: PolicyName::new("checkout"), slo: SloName::new("up") }],
            landing_times: "commitDates",
        };
        let incidents = vec![incident(0, Deed::Propose, vec![suspect]), incident(100, Deed::None, Vec::new())];
        let undoes = vec![CommitId([0xab; 20])];
        let reverts = vec![
            HumanRevert { commit: CommitId([0xcd; 20]), at: at(44), author: "Robin".to_owned(), undoes },
            HumanRevert { commit: CommitId([0xef; 20]), at: at(300), author: "Kim".to_owned(), undoes: Vec::new() },
        ];
        report(scope, incidents, reverts)
    }

    #[test]
    fn it_says_what_it_would_have_done_and_what_people_did() {
        let text = backtest(&found());
        for part in [
            "12 commits of `main`, from ",
            "Commit dates stand in for landing times",
            "Left out: the SLO `up` of `checkout`",
            "Unknown: 1 of 10 rounds of the SLO `errors` of `checkout`.",
            "2 incidents: it would have proposed 1 revert and merged 0 of them",
            "People made 1 of them by hand, which it would have done 41m sooner (median); 0 stood against",
            "Of the 1 revert that people made in that time, it would have proposed 1.",
            "the same, 41m later",
            "done nothing (othersFail)",
            "Kim  Its message names no commit of this branch.",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn an_incident_of_a_policy_with_instances_says_where() {
        let mut found = found();
        assert!(!serde_json::to_string(&found).unwrap().contains("\"instance\""), "a policy without instances has none");
        found.incidents[1].instance = InstanceName::new("eu-1");
        found.scope.series[0].instance = InstanceName::new("eu-1");
        let text = backtest(&found);
        assert!(text.contains("  checkout/eu-1  done nothing"), "{text}");
        assert!(text.contains("rounds of the SLO `errors` of `checkout/eu-1`."), "{text}");
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!((&json["incidents"][1]["instance"], &json["incidents"][0]["instance"]), (&"eu-1".into(), &serde_json::Value::Null));
    }
}
