use proptest::prelude::*;

use super::*;

fn approve() -> Parsed {
    Parsed::One(Command::Approve { plan: None })
}

#[test]
fn every_command_is_read() {
    let table = [
        ("/revertd approve", Command::Approve { plan: None }),
        ("/revertd approve 0123abCD", Command::Approve { plan: Some(PlanPrefix("0123abcd".into())) }),
        ("/revertd hold", Command::Hold),
        ("/revertd hold I am fixing it", Command::Hold),
        ("/revertd resume", Command::Resume),
        ("/revertd cancel", Command::Cancel),
        ("/revertd retry", Command::Retry),
        ("/revertd snooze 30m", Command::Snooze(Duration::from_secs(1800))),
        ("/revertd snooze 24h", Command::Snooze(LONGEST_SNOOZE)),
        ("/revertd force the budget is spent", Command::Force { reason: "the budget is spent".into() }),
        ("/revertd reland fixed_by #12, see a*b", Command::Reland { reason: "fixed_by #12, see a*b".into() }),
        ("/revertd explain", Command::Explain),
        ("/revertd status", Command::Status),
        ("/revertd help", Command::Help),
        ("/Revertd Approve", Command::Approve { plan: None }),
        ("  /revertd  approve  ", Command::Approve { plan: None }),
    ];
    for (body, command) in table {
        assert_eq!(parse(body), Parsed::One(command), "{body}");
    }
}

#[test]
fn a_command_stands_among_other_paragraphs_and_lines() {
    for body in [
        "looks right\n/revertd approve\nthanks",
        "looks right\r\n\r\n/revertd approve\r\n",
        "> /revertd approve deadbeef99\n\n/revertd approve",
        "```\n/revertd hold\n```\n/revertd approve",
        "<!-- say what you think -->\n\n/revertd approve",
        "/revertd approve\n\n<details>\n\n/not ours\n\n</details>",
        "see [this](https://x.example)\n/revertd approve",
    ] {
        assert_eq!(parse(body), approve(), "{body:?}");
    }
}

#[test]
fn what_is_not_said_is_no_command() {
    for body in [
        "",
        "approve",
        "please /revertd approve",
        "> /revertd approve",
        "> quoted\n/revertd approve",
        "> [!NOTE]\n> /revertd approve",
        "```\n/revertd approve\n```",
        "~~~\n/revertd approve",
        "    /revertd approve",
        "`/revertd approve`",
        "`\n/revertd approve\n`",
        "<!--\n/revertd approve\n-->",
        "<details>\n/revertd approve\n</details>",
        "text <!--\n/revertd approve\n-->",
        "[/revertd approve](https://x.example)",
        "[a\n/revertd approve\nb](https://x.example)",
        "![/revertd approve](https://x.example/x.png)",
        "# /revertd approve",
        "/revertd approve\n---",
        "/revertd approve\n===",
        "| a |\n|---|\n| /revertd approve |",
        "- /revertd approve",
        "1. /revertd approve",
        "- [ ] /revertd approve",
        "- a\n\n  /revertd approve",
        "[^1]: /revertd approve",
        "**a\n/revertd approve\nb**",
        "~~a\n/revertd approve\nb~~",
        "$$\n/revertd approve\n$$",
        "[a]: /revertd",
        "\\/revertd approve",
        "/revertd/config.yaml",
        "/revertdx approve",
        "/revertd-bot approve",
    ] {
        assert_eq!(parse(body), Parsed::None, "{body:?}");
    }
}

#[test]
fn what_pretends_is_refused_with_a_sentence() {
    use CommandRefusal::*;
    let long = format!("/revertd approve\n{}", "x".repeat(LONGEST_BODY));
    let long_reason = format!("/revertd force {}", "because ".repeat(40));
    let table = [
        ("/revertd approve\n/revertd hold", Several(2)),
        ("/revertd approve\n\n/revertd approve", Several(2)),
        ("／revertd approve", NotAscii),
        ("/rеvertd approve", NotAscii),
        ("/revertd\u{a0}approve", NotAscii),
        ("/revertd\u{200b}approve", NotAscii),
        ("/revertd approve\u{200b}", NotAscii),
        ("\u{feff}/revertd approve", NotAscii),
        ("/revertd force it’s broken", NotAscii),
        ("/revertd\tapprove", NotAscii),
        ("fine\r/revertd approve", Disguised),
        ("\0\n/revertd approve", Disguised),
        ("\u{202e}abc\n/revertd approve", Disguised),
        ("/revertd force *now*", NotPlain),
        ("/revertd force `now`", NotPlain),
        ("&#47;revertd approve", NotPlain),
        ("text\n        /revertd approve", NotPlain),
        ("<details>\n\n/revertd approve\n\n</details>", AfterHtml),
        ("a <b>\n/revertd approve\n</b>", AfterHtml),
        ("<!--> <details> -->\n\n/revertd approve", AfterHtml),
        (long.as_str(), TooLong),
        ("/revertd", NoVerb),
        ("/revertd merge", UnknownVerb),
        ("/revertd: approve", UnknownVerb),
        ("/revertd approve.", UnknownVerb),
        ("/revertd resume now", NoArgument("resume")),
        ("/revertd approve please", WrongPlan),
        ("/revertd approve 0123abc", WrongPlan),
        ("/revertd approve 0123abcd 0123abcd", WrongPlan),
        ("/revertd snooze", WrongDuration),
        ("/revertd snooze 0m", WrongDuration),
        ("/revertd snooze +5m", WrongDuration),
        ("/revertd snooze 25h", WrongDuration),
        ("/revertd snooze 99999999999999999999h", WrongDuration),
        ("/revertd force", NoReason("force")),
        ("/revertd reland 123", NoReason("reland")),
        (long_reason.as_str(), LongReason),
    ];
    for (body, refusal) in table {
        assert_eq!(parse(body), Parsed::Refused(refusal), "{:?}", body.chars().take(60).collect::<String>());
    }
}

proptest! {
    #[test]
    fn no_input_panics(body in "(?s).{0,200}") {
        let _ = parse(&body);
    }

    #[test]
    fn no_mix_of_marks_panics_or_accepts_what_is_not_in_the_source(
        parts in prop::collection::vec(prop::sample::select(vec![
            "/revertd approve", "\n", "\n\n", "> ", "- ", "```", "`", "    ", "<details>", "</details>", "<!--", "-->", "[", "](x)", "**",
            "| ", "|---|", "# ", "---", "\r", "\t", "\u{200b}", "$$", "\\", "&#47;", "x ", "[^1]: ", "~~",
        ]), 0..24)
    ) {
        let body = parts.concat();
        if let Parsed::One(_) = parse(&body) {
            prop_assert!(body.lines().any(|line| line.trim_matches(' ') == "/revertd approve"), "{body:?}");
        }
    }
}
