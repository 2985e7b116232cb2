use super::*;

const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

fn after(seconds: u64) -> Timestamp {
    T0 + Duration::from_secs(seconds)
}

fn pending(sequence: u64, notifier: &str, thread: &str) -> Pending {
    Pending {
        sequence,
        notifier: notifier.into(),
        key: format!("k{sequence}"),
        thread: thread.into(),
        since: T0,
        attempts: 0,
        tried_at: None,
        failure: None,
    }
}

fn failed(message: Pending, attempts: u32, at: Timestamp, error: &NotifyError) -> Pending {
    Pending { attempts, tried_at: Some(at), failure: Some(Failure::of(error, at)), ..message }
}

fn down() -> NotifyError {
    NotifyError::Unreachable { detail: "connection refused".into() }
}

fn limited(seconds: u64) -> NotifyError {
    NotifyError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
}

fn sent(due: &Due) -> Vec<(&str, &str, Attempt)> {
    due.send.iter().map(|send| (send.notifier.as_str(), send.key.as_str(), send.attempt)).collect()
}

#[test]
fn what_is_new_is_due_at_once_and_in_order() {
    let messages = [pending(2, "b", "y"), pending(1, "a", "x"), pending(1, "b", "x")];
    let found = due(&messages, T0);
    assert_eq!(sent(&found), [("a", "k1", Attempt::First), ("b", "k1", Attempt::First), ("b", "k2", Attempt::First)]);
    assert_eq!((found.given_up, found.next), (vec![], None));
    assert_eq!(due(&[], T0), Due::default());
}

#[test]
fn a_thread_waits_for_its_oldest_message_and_others_do_not() {
    let messages = [failed(pending(1, "a", "x"), 1, T0, &down()), pending(2, "a", "x"), pending(3, "a", "y"), pending(2, "b", "x")];
    let found = due(&messages, after(1));
    assert_eq!(sent(&found), [("b", "k2", Attempt::First), ("a", "k3", Attempt::First)]);
    assert_eq!(found.next, Some(after(5)));
    assert_eq!(sent(&due(&messages[..2], after(5))), [("a", "k1", Attempt::Again)]);
}

#[test]
fn waits_double_up_to_five_minutes() {
    let waits: Vec<u64> = [1, 2, 3, 4, 7, 8, 40]
        .map(|attempts| due(&[failed(pending(1, "a", "x"), attempts, after(9), &down())], after(9)).next.unwrap().since(after(9)).as_secs())
        .into();
    assert_eq!(waits, [5, 10, 20, 40, 300, 300, 300]);
}

#[test]
fn an_attempt_without_an_end_counts_as_one_whose_answer_was_lost() {
    let crashed = Pending { attempts: 1, tried_at: Some(T0), ..pending(1, "a", "x") };
    assert_eq!(due(std::slice::from_ref(&crashed), after(4)).next, Some(after(5)));
    assert_eq!(sent(&due(&[crashed], after(5))), [("a", "k1", Attempt::Again)]);
}

#[test]
fn a_chat_that_asked_for_less_is_left_alone_in_all_threads() {
    let messages = [failed(pending(1, "a", "x"), 1, T0, &limited(60)), pending(2, "a", "y"), pending(3, "b", "y")];
    let found = due(&messages, after(30));
    assert_eq!(sent(&found), [("b", "k3", Attempt::First)]);
    assert_eq!(found.next, Some(after(60)));
    assert_eq!(sent(&due(&messages, after(60))), [("a", "k1", Attempt::Again), ("a", "k2", Attempt::First), ("b", "k3", Attempt::First)]);
}

#[test]
fn a_wait_that_was_asked_for_does_not_shorten_ours() {
    let message = failed(pending(1, "a", "x"), 4, T0, &limited(1));
    assert_eq!(due(&[message], after(1)).next, Some(after(40)));
}

#[test]
fn what_is_refused_for_itself_is_given_up_and_lets_others_pass() {
    let refused = NotifyError::Refused { code: "invalid_blocks".into(), sentence: "Slack refused (invalid_blocks)".into() };
    let found = due(&[failed(pending(1, "a", "x"), 1, T0, &refused), pending(2, "a", "x")], after(1));
    assert_eq!(sent(&found), [("a", "k2", Attempt::First)]);
    let sentence = "`a` refused the message: Slack refused (invalid_blocks)".to_owned();
    assert_eq!(found.given_up, [GivenUp { notifier: "a".into(), key: "k1".into(), sentence }]);
}

#[test]
fn what_a_person_can_repair_waits_for_that() {
    let refused = NotifyError::Refused { code: "invalid_auth".into(), sentence: "no".into() };
    let found = due(&[failed(pending(1, "a", "x"), 1, T0, &refused)], after(1));
    assert_eq!((found.given_up, found.next), (vec![], Some(after(5))));
}

#[test]
fn a_day_is_enough() {
    let day = 24 * 3600;
    let message = failed(pending(1, "a", "x"), 290, after(day - 10), &down());
    let found = due(std::slice::from_ref(&message), after(day - 1));
    assert_eq!((found.given_up, found.next), (vec![], Some(after(day))));
    let found = due(&[message], after(day));
    assert_eq!(found.send, []);
    let sentence = "`a` did not take the message within 1d and 290 attempts: cannot be reached: connection refused".to_owned();
    assert_eq!(found.given_up, [GivenUp { notifier: "a".into(), key: "k1".into(), sentence }]);
}

#[test]
fn a_pending_message_reads_back_what_it_stores() {
    for message in
        [pending(1, "a", "x"), failed(pending(1, "a", "x"), 3, after(9), &limited(7)), failed(pending(2, "a", "x"), 1, T0, &down())]
    {
        let stored = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Pending>(&stored).unwrap(), message, "{stored}");
    }
}
