//! What people and attackers write on the pull request, over the real client (failures A1 to A16). The judgement alone is tested by the corpus
//! in `tests/approvals`; here it is what GitHub says that counts, at the moment of the merge.

use revertd::demo::forge::{FaultKind, ReviewState, Role};
use revertd::engine::incident::Phase;

use crate::support::{World, deployment, policy};

/// Nothing has landed a while later, and nothing lands after a restart either.
fn nothing_lands(world: &mut World) {
    world.seconds(6);
    world.restart();
    world.seconds(6);
    assert_eq!(world.landings(), 0, "{:#?}", world.written());
}

/// A1: somebody whose right was taken away after they wrote.
#[test]
fn a1_a_right_is_taken_away_before_the_merge() {
    let mut world = World::with_pull_request_and("  approval: {count: 2}\n");
    world.approve_on_github();
    world.seconds(3);
    world.github().set_person("robin", Role::Read);
    world.comment("dana", &world.approve_command());
    nothing_lands(&mut world);
}

/// A1: the login belongs to somebody else now.
#[test]
fn a1_a_login_is_taken_over() {
    let mut world = World::with_pull_request_and("  approval: {count: 2}\n");
    world.approve_on_github();
    world.seconds(2);
    world.github().remove_account("robin");
    world.github().set_person("robin", Role::Admin);
    world.comment("dana", &world.approve_command());
    world.seconds(10);
    assert_eq!(world.landings(), 0, "{:#?}", world.written());
}

/// A2: a comment that was edited is void, by whomever; also between the approval and the merge.
#[test]
fn a2_an_edited_comment_is_void() {
    let mut world = World::with_pull_request_and("  approval: {count: 2}\n");
    let comment = world.comment("robin", "/revertd approve");
    world.seconds(3);
    world.github().edit_comment("mallory", comment, &world.approve_command()).unwrap();
    world.comment("dana", &world.approve_command());
    nothing_lands(&mut world);
}

/// A3: minimised or deleted before it was counted.
#[test]
fn a3_a_hidden_or_deleted_comment_is_void() {
    for deleted in [true, false] {
        let mut world = World::with_pull_request_and("  approval: {count: 2}\n");
        let comment = world.approve_on_github();
        world.seconds(3);
        if deleted {
            assert!(world.github().delete_comment(comment));
        } else {
            world.github().minimise_comment(comment, Some("OFF_TOPIC"));
        }
        world.comment("dana", &world.approve_command());
        nothing_lands(&mut world);
    }
}

/// A4 and A13: bots, revertd itself, and somebody who looks like it.
#[test]
fn a4_bots_and_revertd_itself_approve_nothing() {
    let mut world = World::with_pull_request();
    world.github().set_bot("renovate[bot]", Role::Admin);
    let command = world.approve_command();
    world.comment("renovate[bot]", &command);
    world.comment("revertd", &command);
    world.github().set_person("revertd-", Role::Read);
    world.comment("revertd-", &format!("**Approved by dana.**\n\n{command}"));
    nothing_lands(&mut world);
}

/// A5 and A6: what is quoted, in code, hidden, or only looks like a command.
#[test]
fn a5_a6_what_only_looks_like_a_command() {
    let mut world = World::with_pull_request();
    let command = world.approve_command();
    for text in [
        format!("> {command}"),
        format!("```\n{command}\n```"),
        format!("<!--\n{command}\n-->"),
        format!("    {command}"),
        format!("- {command}"),
        format!("<details>\n{command}\n</details>"),
        command.replace('/', "\u{ff0f}"),
        command.replace('e', "\u{435}"),
        format!("\u{200b}{command}"),
        command.replace(' ', "\u{a0}"),
    ] {
        world.comment("robin", &text);
    }
    nothing_lands(&mut world);
}

/// A7: what was shown on another pull request, or for another plan, approves nothing here.
#[test]
fn a7_an_approval_of_something_else() {
    let mut world = World::with_pull_request();
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["checkout", "--quiet", "-B", "other", "origin/main"]);
    world.write("README.md", "Shop\n");
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", "Say what this is"]);
    world.person(&["push", "--quiet", "origin", "HEAD:other"]);
    let command = world.approve_command();
    let other = world.github().open("dana", "other", "main", "Say what this is", "").unwrap();
    world.github().comment("robin", other, &command).unwrap();
    let ours = world.github().pulls().unwrap()[0].number;
    world.github().comment("robin", ours, "/revertd approve 0123456789ab").unwrap();
    nothing_lands(&mut world);
}

/// A8: somebody approves, and somebody else pushes onto the branch before it is merged; with the plan's own trailers, and also if they put the
/// old head back afterwards.
#[test]
fn a8_the_branch_is_pushed_to_after_the_approval() {
    for puts_back in [false, true] {
        let mut world = World::with_pull_request();
        let (branch, ours) = (world.branches()[0].clone(), world.pull().head.to_string());
        world.approve_on_github();
        world.person(&["fetch", "--quiet", "origin"]);
        world.person(&["checkout", "--quiet", "-B", "theirs", &format!("origin/{branch}")]);
        let message = world.person(&["log", "-1", "--format=%B"]);
        world.write("apps/checkout/deployment.yaml", &deployment("checkout", "6.6.6"));
        world.person(&["commit", "--quiet", "--all", "--amend", "--message", &message]);
        world.person(&["push", "--quiet", "--force", "origin", &format!("theirs:{branch}")]);
        world.seconds(3);
        if puts_back {
            world.person(&["push", "--quiet", "--force", "origin", &format!("{ours}:refs/heads/{branch}")]);
        }
        nothing_lands(&mut world);
        assert!(!world.remote(&["show", "main:apps/checkout/deployment.yaml"]).contains("6.6.6"));
        assert!(world.written()[0].contains("### Not revertd's any more"), "{}", world.written()[0]);
    }
}

/// A8: the push comes between the last look and the merge call, which names the head that was approved.
#[test]
fn a8_the_branch_is_pushed_to_during_the_merge_call() {
    let mut world = World::with_pull_request();
    let (branch, number) = (world.branches()[0].clone(), world.pull().number);
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["checkout", "--quiet", "-B", "theirs", &format!("origin/{branch}")]);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "6.6.6"));
    world.person(&["commit", "--quiet", "--all", "--message", "One more thing"]);
    // The checks of the branch are asked for right before the call.
    world.github().forget_mergeability(1000);
    world.approve_on_github();
    world.seconds(4);
    world.person(&["push", "--quiet", "origin", &format!("theirs:{branch}")]);
    world.github().forget_mergeability(0);
    nothing_lands(&mut world);
    assert!(world.github().pulls().unwrap().iter().all(|pull| pull.number == number));
}

/// A13: somebody writes what looks like revertd's own comment, mark and all, before revertd could write its own.
#[test]
fn a13_a_forged_comment_is_not_taken_for_ours() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.fault("POST", "/issues/*/comments", 1, FaultKind::Before(502));
    world.break_checkout();
    world.until(15, |world| world.github().pulls().unwrap().len() == 1);
    let key = world.proposal().key;
    let forged = format!("<!-- revertd:proposal {key} -->\n### Approved\n\nApproved by dana. It is merged as soon as the branch lets it.");
    let comment = world.comment("mallory", &forged);
    world.until(90, |world| world.proposal().sticky.is_some());
    world.restart();
    world.seconds(5);
    assert_eq!(world.written().len(), 1, "{:#?}", world.written());
    assert_ne!(world.proposal().sticky.unwrap().comment, comment);
    let comments = world.github().comments(world.pull().number);
    assert_eq!(comments.iter().find(|known| known.id == comment).unwrap().body, forged, "what others write is not edited");
    assert!(world.written()[0].contains("### Waits for an approval") && !world.written()[0].contains("dana"), "{}", world.written()[0]);
    assert_eq!(world.landings(), 0);
}

/// A13: a status, a reply and a merged-looking review that only look like revertd's change nothing.
#[test]
fn a13_forged_statuses_and_replies_change_nothing() {
    let mut world = World::with_pull_request();
    let (pull, command) = (world.pull(), world.approve_command());
    world.github().set_person("revertd[bot]", Role::Read);
    world.github().status("robin", pull.head, "revertd", "success");
    let comment = world.comment("mallory", &command);
    world.comment("revertd[bot]", &format!("To **mallory**:\n\nYour approval counts.\n\n<!-- revertd:reply comment {comment} -->"));
    world.seconds(5);
    nothing_lands(&mut world);
    assert!(world.replies().iter().all(|reply| !reply.contains("counts")), "{:#?}", world.replies());
    assert!(!world.written()[0].contains("Approved by"), "{}", world.written()[0]);
}

/// A9: one person is one approver, however often they say it and in however many ways.
#[test]
fn a9_one_person_is_one_approver() {
    let mut world = World::with_pull_request_and("  approval: {count: 2}\n");
    world.approve_on_github();
    world.approve_on_github();
    world.github().review("robin", world.pull().number, ReviewState::Approved, "", None).unwrap();
    nothing_lands(&mut world);
    world.comment("dana", &world.approve_command());
    world.until(10, |world| world.landings() == 1);
}

/// A10: in the text of a pull request, of a review and of a commit.
#[test]
fn a10_commands_elsewhere() {
    let mut world = World::with_pull_request();
    let (pull, command) = (world.pull(), world.approve_command());
    world.github().edit_pull(pull.number, &command, &command).unwrap();
    world.github().review("robin", pull.number, ReviewState::Commented, &command, None).unwrap();
    world.write("README.md", "Shop\n");
    world.commit(&format!("Say what this is\n\n{command}"));
    nothing_lands(&mut world);
}

/// A10: a review of a head that is not the newest one.
#[test]
fn a10_a_review_of_an_older_head() {
    let mut world = World::with_pull_request();
    let old = world.pull().head;
    world.write("README.md", "Shop\n");
    world.commit("Say what this is");
    world.seconds(4);
    assert_ne!(world.pull().head, old);
    world.github().review("robin", world.pull().number, ReviewState::Approved, "", Some(old)).unwrap();
    nothing_lands(&mut world);
}

/// A11: a flood of commands from somebody without rights gets ten answers, and the approval is found among them.
#[test]
fn a11_a_flood_is_answered_ten_times() {
    let mut world = World::with_pull_request();
    for _ in 0..60 {
        world.comment("mallory", "/revertd approve");
    }
    world.seconds(10);
    assert!(world.replies().len() <= 10, "{} answers", world.replies().len());
    world.approve_on_github();
    world.until(10, |world| world.landings() == 1);
}

/// A12: what the messages link to is a page; nothing that can be fetched with a GET approves.
#[test]
fn a12_reading_a_page_approves_nothing() {
    let mut world = World::with_pull_request();
    let page = world.github().page(world.pull().number);
    let answer = std::process::Command::new("curl").args(["--silent", "--show-error", "--location", &page]).output();
    if let Ok(answer) = answer {
        assert!(String::from_utf8_lossy(&answer.stdout).contains("checkout"), "{answer:?}");
    }
    nothing_lands(&mut world);
}

/// A14: `force` where nobody may force.
#[test]
fn a14_force_without_the_right() {
    let mut world = World::with_pull_request();
    world.comment("dana", "/revertd force the site is down");
    nothing_lands(&mut world);
    assert_eq!(world.replies().len(), 1, "{:#?}", world.replies());
}

/// A15: `hold` and `approve` in one poll, in either order.
#[test]
fn a15_hold_beats_approve_in_either_order() {
    for hold_first in [true, false] {
        let mut world = World::with_pull_request();
        let command = world.approve_command();
        let said = if hold_first { ["/revertd hold", &command] } else { [&command, "/revertd hold"] };
        world.comment("dana", said[0]);
        world.comment("robin", said[1]);
        nothing_lands(&mut world);
        world.comment("dana", "/revertd resume");
        world.until(10, |world| world.landings() == 1);
    }
}

/// A15: a hold by somebody whose comment is deleted afterwards stays, until somebody resumes.
#[test]
fn a15_a_hold_outlives_its_comment() {
    let mut world = World::with_pull_request();
    let hold = world.comment("dana", "/revertd hold");
    world.seconds(3);
    assert!(world.github().delete_comment(hold));
    world.approve_on_github();
    nothing_lands(&mut world);
}

/// An approval counts for a while only: one that waited too long for the second approver is void.
#[test]
fn an_expired_approval_is_void() {
    let mut world = World::with_pull_request_and("  approval: {count: 2, expires: 5m}\n");
    world.approve_on_github();
    world.seconds(310);
    world.comment("dana", &world.approve_command());
    nothing_lands(&mut world);
    world.approve_on_github();
    world.until(10, |world| world.landings() == 1);
}

/// A cancel closes it for good, whoever approves afterwards.
#[test]
fn a_cancel_is_a_veto() {
    let mut world = World::with_pull_request();
    let command = world.approve_command();
    world.comment("dana", "/revertd cancel");
    world.seconds(3);
    world.comment("robin", &command);
    nothing_lands(&mut world);
    assert_eq!(world.phase(), Phase::Refused);
}

/// Somebody asks for changes: that holds it until they approve.
#[test]
fn asking_for_changes_holds() {
    let mut world = World::with_pull_request();
    let number = world.pull().number;
    world.github().review("dana", number, ReviewState::ChangesRequested, "Not like this.", None).unwrap();
    world.seconds(2);
    world.approve_on_github();
    nothing_lands(&mut world);
    world.github().review("dana", number, ReviewState::Approved, "", None).unwrap();
    world.until(10, |world| world.landings() == 1);
}

/// Modes are not raised by words: in `merge` mode nothing waits for an approval, in `observe` none counts.
#[test]
fn observe_opens_nothing() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "observe", "")]);
    world.break_checkout();
    world.seconds(12);
    assert!(world.github().pulls().unwrap().is_empty());
}
