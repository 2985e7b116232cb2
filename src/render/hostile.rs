//! A suspect whose subject, author, paths, and everything else that comes from outside hold mentions, closing keywords, HTML, commands and
//! trailers: none of it has an effect in anything that revertd writes.

use super::neutral::tests::{HOSTILE, effects};
use super::samples::{SUSPECT, Story, Words, at};
use super::templates::Templates;
use super::{chat, commit, proposal, reply, sticky};
use crate::engine::change::Reverted;
use crate::engine::consent::{Hold, SaidId, UserId};
use crate::engine::fact::{CommandAnswer, Event};
use crate::engine::plan::{Account, AlsoUndone};

/// The effects that are ours: the mark, the fold, the rule, the policy's link.
fn foreign(text: &str) -> Vec<String> {
    let own = |effect: &String| {
        [
            "html <!-- revertd:",
            "html <details><summary>Who did what</summary>",
            "html </details>",
            "link https://wiki.shop.example/checkout",
        ]
        .iter()
        .any(|own| effect.starts_with(own))
    };
    effects(text).into_iter().filter(|effect| !own(effect)).collect()
}

fn told(hostile: &str) -> Story {
    let mut story = Story::proposed(Words::all(hostile));
    let said = |number, command: &str, answer| Event::CommandAnswered {
        proposal: story.key(),
        said: SaidId::Comment(number),
        by: hostile.to_owned(),
        command: command.to_owned(),
        answer,
    };
    let refused = said(2, hostile, CommandAnswer::Refused { sentence: hostile.to_owned() });
    let approved = said(3, "approve", CommandAnswer::Accepted);
    let hold = Hold { said: SaidId::Comment(4), by: UserId(4), login: hostile.to_owned(), at: at(120) };
    let held = Event::HoldsChanged { proposal: story.key(), holds: vec![hold] };
    for event in [refused, approved, held] {
        story.tell(130, event);
    }
    story
}

#[test]
fn nothing_that_somebody_else_wrote_has_an_effect() {
    let templates = Templates::built_in().unwrap();
    for hostile in HOSTILE {
        let story = told(hostile);
        let view = story.view();
        let incident = &story.state.incidents[&story.incident()];
        for (what, text) in [
            ("the text", proposal::body(&templates, &view).unwrap()),
            ("the comment", sticky::text(&templates, &view).unwrap()),
            ("a refusal", reply::body(hostile, &reply::refused(hostile), &reply::mark(SaidId::Comment(1)))),
            ("an explanation", reply::body(hostile, &reply::explanation(&[incident]), &reply::mark(SaidId::Comment(1)))),
            ("a standing", reply::body(hostile, &reply::standing(&[incident]), &reply::mark(SaidId::Comment(1)))),
        ] {
            assert_eq!(foreign(&text), Vec::<String>::new(), "{what} with {hostile:?}:\n{text}");
        }
        let title = proposal::title(&templates, &view).unwrap();
        assert!(!title.contains('\n') && title.chars().count() <= 256, "{title:?}");
        no_reference(&title);
        for said in [
            chat::proposed(&view),
            chat::waiting(&view),
            chat::approved(&view, hostile),
            chat::refused(incident),
            chat::agent_impaired(hostile),
            chat::agent_restored(hostile),
            chat::merged(&view),
            chat::ended(incident),
            chat::stranded(&view, hostile, ready()),
        ] {
            assert!(said.lines.iter().chain([&said.title]).all(|line| !line.contains('\n')), "{said:?}");
            said.lines.iter().chain([&said.title]).for_each(|line| no_reference(line));
        }
    }
}

fn ready() -> chat::Ready<'static> {
    chat::Ready { commit: SUSPECT, mirror: "/srv/mirrors/manifests.git", remote: "https://git.example/m.git", branch: "main" }
}

#[test]
fn a_revert_that_is_ready_says_how_to_land_it() {
    let story = Story::proposed(Words::honest());
    let said = chat::stranded(&story.view(), "no route", ready());
    assert_eq!(
        said.command.unwrap(),
        format!("git -C /srv/mirrors/manifests.git push https://git.example/m.git {SUSPECT}:refs/heads/main")
    );
    let lines = said.lines.join("\n");
    for part in ["no route", "Suspected: ", "1.5.0 → 1.4.2", &format!("commit {SUSPECT} in /srv/mirrors/manifests.git")] {
        assert!(lines.contains(part), "{part} is not in {lines}");
    }
    // No chat's code block holds an `@`: what would be broken there is not offered for copying.
    let said = chat::stranded(&story.view(), "no route", chat::Ready { remote: "git@git.example:m.git", ..ready() });
    assert_eq!(said.command.unwrap(), format!("git -C /srv/mirrors/manifests.git show {SUSPECT}"));
}

fn no_reference(text: &str) {
    let lower = text.to_lowercase();
    for word in ["@dana", "@shop", "#1", "#2", "gh-3", "[skip ci]", "***no_ci***"] {
        assert!(!lower.contains(word), "{word}: {text:?}");
    }
}

/// An account whose every text was written by somebody else.
fn hostile_account(hostile: &str) -> Account {
    Account {
        conflicts: vec![hostile.to_owned()],
        restored: vec![format!("`{hostile}`")],
        left: vec![hostile.to_owned()],
        good: None,
        also_undone: vec![AlsoUndone { commit: SUSPECT, subject: hostile.to_owned() }],
    }
}

#[test]
fn a_commit_carries_our_trailers_and_no_other() {
    let templates = Templates::built_in().unwrap();
    for hostile in HOSTILE {
        let story = told(hostile);
        let message = commit::revert_message(
            &templates,
            &commit::RevertMessage {
                reverted: &[Reverted { id: SUSPECT, subject: hostile.to_owned(), merge_parent: None }],
                policy: &story.policy,
                incident: &story.state.incidents[&story.incident()],
                also: &[],
                plan: story.view().proposal.plan.as_ref().unwrap(),
                account: Some(&hostile_account(hostile)),
                why_proposed: hostile,
                approval: None,
                audit: None,
            },
        )
        .unwrap();
        no_reference(&message);
        let last = message.trim_end().rsplit("\n\n").next().unwrap();
        let names: Vec<&str> = last.lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names, ["Reverts", "Revertd-Policy", "Revertd-Incident", "Revertd-Plan"], "{message}");
        assert_eq!(message.matches("\nThis reverts commit ").count(), 1, "{message}");
    }
}

#[test]
fn values_are_in_the_proposal_and_in_no_chat() {
    let templates = Templates::built_in().unwrap();
    let story = Story::proposed(Words::honest());
    let view = story.view();
    assert!(proposal::body(&templates, &view).unwrap().contains("CANARY1"));
    let said =
        format!("{:?}", [chat::proposed(&view), chat::waiting(&view), chat::merged(&view), chat::stranded(&view, "no route", ready())]);
    assert!(said.contains("1.5.0 → 1.4.2") && !said.contains("CANARY"), "{said}");
}
