//! Right before a merge a receiver is asked that may only refuse, over real HTTP: a yes merges, and everything else is a no.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::support::{World, policy};

const SECRET: &str = "canary-ask-5a0e";

/// What the receiver answers; nothing at all, without a text.
type Answer = Option<&'static str>;
/// What somebody does while the question is on its way.
type Meanwhile = Box<dyn FnMut() + Send>;

/// A server that answers every request in the same way until it is told otherwise.
struct Receiver {
    url: String,
    answer: Arc<Mutex<Answer>>,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/gate/canary-path", listener.local_addr().unwrap());
        let (answer, seen) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(Vec::new())));
        let (answers, requests) = (answer.clone(), seen.clone());
        let meanwhile: Arc<Mutex<Option<Meanwhile>>> = Arc::default();
        let happens = meanwhile.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                requests.lock().unwrap().push(request(&mut stream));
                if let Some(mut happens) = happens.lock().unwrap().take() {
                    happens();
                }
                let answer = *answers.lock().unwrap();
                match answer {
                    Some(text) => stream.write_all(text.as_bytes()).unwrap(),
                    // Held open until the other side has had enough.
                    None => {
                        let _ = stream.read_to_end(&mut Vec::new());
                    }
                }
            }
        });
        Self { url, answer, meanwhile, seen }
    }

    fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// Headers and body of one request.
fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).unwrap();
        text.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
        if count == 0 || body.len() >= length {
            return text;
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn world(receiver: &Receiver, mode: &str) -> World {
    let ask = format!("  guardrails: {{ask: {{url: \"{}\", timeout: 500ms}}}}\n", receiver.url);
    let mut world = World::with_agent_file(&["checkout"], &[policy("checkout", mode, &ask)], "  ask: {secretFile: ROOT/ask}\n", |root| {
        std::fs::write(root.join("ask"), format!("{SECRET}\n")).unwrap();
    });
    world.break_checkout();
    world.seconds(6);
    world
}

const YES: Answer =
    Some("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"allow\": true}");
const NO: Answer = Some(
    "HTTP/1.1 200 OK\r\ncontent-length: 61\r\nconnection: close\r\n\r\n{\"allow\": false, \"reason\": \"the region is being failed over\"} ",
);

#[test]
fn a_yes_merges_and_the_question_is_signed() {
    let receiver = Receiver::start(YES);
    let world = world(&receiver, "merge");
    assert_eq!(world.reverts(), 1, "{:?}", world.incident().decision);
    assert_eq!(receiver.asked(), 1, "only when nothing else stands against it, and once");
    let seen = receiver.seen.lock().unwrap()[0].clone();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /gate/canary-path HTTP/1.1"), "{head}");
    let timestamp = header(head, "x-revertd-timestamp").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    assert_eq!(header(head, "x-revertd-signature-256"), Some(signature.as_str()));
    let asked: Value = serde_json::from_str(body).unwrap();
    let incident = world.incident();
    assert_eq!(asked["version"], 1);
    assert_eq!(asked["action"], "merge");
    assert_eq!((&asked["repository"], &asked["branch"], &asked["policy"]), (&"manifests".into(), &"main".into(), &"checkout".into()));
    assert_eq!(asked["incident"], incident.id.as_str());
    assert_eq!(asked["plan"], incident.decision.unwrap().plan.unwrap().as_str());
    assert_eq!(asked["suspects"], serde_json::json!([incident.attribution.unwrap().suspects[0].to_string()]));
    assert_eq!(asked["paths"], serde_json::json!(["apps/checkout/deployment.yaml"]));
    assert_eq!(asked["approvedBy"], Value::Null);
    assert!(!format!("{:?}", world.facts()).contains("canary"), "neither the secret nor the address");
}

#[test]
fn a_no_leaves_it_to_people_with_the_reason_and_is_asked_again() {
    let receiver = Receiver::start(NO);
    let mut world = world(&receiver, "merge");
    assert_eq!((world.reverts(), world.branches().len()), (0, 1));
    assert_eq!(world.refusals(), ["askRefused"]);
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(sentence.ends_with("did not get a yes: it said no: the region is being failed over."), "{sentence}");
    assert!(!sentence.contains("canary-path"), "{sentence}");
    *receiver.answer.lock().unwrap() = YES;
    let asked = receiver.asked();
    world.seconds(31);
    assert!(receiver.asked() > asked);
    assert_eq!(world.reverts(), 1, "{:?}", world.incident().decision);
}

#[test]
fn no_answer_and_no_good_answer_mean_no() {
    for (answer, why) in [
        (None, "no answer within 500ms"),
        (Some("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"allow\": true}"), "answered 500"),
        (Some("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), "answered 302"),
        (Some("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK"), "not one with `allow`"),
        (Some("HTTP/1.1 200 OK\r\ncontent-length: 17\r\nconnection: close\r\n\r\n{\"allow\": \"true\"}"), "not one with `allow`"),
        (Some("HTTP/1.1 200 OK\r\ncontent-length: 900\r\nconnection: close\r\n\r\n{\"allow\": true}"), ""),
        (Some("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"), "answered 204"),
    ] {
        let receiver = Receiver::start(answer);
        let world = world(&receiver, "merge");
        assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{answer:?}");
        assert_eq!(world.refusals(), ["askRefused"], "{answer:?}");
        let sentence = world.incident().decision.unwrap().sentence;
        assert!(sentence.contains(why), "{sentence}");
    }
}

#[test]
fn a_stop_file_that_is_written_while_it_is_asked_stops_the_merge() {
    let receiver = Receiver::start(YES);
    let ask = format!("  guardrails: {{ask: {{url: \"{}\", timeout: 5s}}}}\n", receiver.url);
    let more = "  ask: {secretFile: ROOT/ask}\n  stop: {file: ROOT/STOP}\n";
    let mut world = World::with_agent_file(&["checkout"], &[policy("checkout", "merge", &ask)], more, |root| {
        std::fs::write(root.join("ask"), SECRET).unwrap();
    });
    let stop = world.root.join("STOP");
    *receiver.meanwhile.lock().unwrap() = Some(Box::new(move || std::fs::write(&stop, "").unwrap()));
    world.break_checkout();
    world.seconds(6);
    assert_eq!((receiver.asked(), world.reverts()), (1, 0), "{:?}", world.incident().decision);
    assert_eq!(world.refusals(), ["killSwitch"]);
    std::fs::remove_file(world.root.join("STOP")).unwrap();
    world.seconds(10);
    assert_eq!(world.reverts(), 1, "{:?}", world.incident().decision);
}

#[test]
fn an_issue_that_is_labelled_while_it_is_asked_stops_the_merge() {
    let receiver = Receiver::start(YES);
    let ask = format!("  guardrails: {{ask: {{url: \"{}\", timeout: 5s}}}}\n", receiver.url);
    let more = "  ask: {secretFile: ROOT/token}\n  stop: {issueLabel: \"stop: revertd\"}\n";
    let mut world = World::on_github_with(&["checkout"], &[policy("checkout", "merge", &ask)], more);
    let github = world.github().clone();
    *receiver.meanwhile.lock().unwrap() = Some(Box::new(move || {
        let issue = github.open_issue("dana", "Stop");
        assert!(github.label_issue("dana", issue, "stop: revertd"));
    }));
    world.break_checkout();
    world.seconds(6);
    assert_eq!((receiver.asked(), world.reverts()), (1, 0), "{:?}", world.incident().decision);
    assert_eq!(world.refusals(), ["killSwitch"]);
}

#[test]
fn an_approval_does_not_stand_in_for_it() {
    let receiver = Receiver::start(NO);
    let mut world = world(&receiver, "propose");
    assert_eq!((world.branches().len(), receiver.asked()), (1, 0), "nobody is asked about what is not merged");
    world.approve();
    world.seconds(3);
    assert_eq!(world.reverts(), 0);
    assert_eq!(world.refusals(), ["askRefused"]);
    *receiver.answer.lock().unwrap() = YES;
    world.seconds(31);
    assert_eq!(world.reverts(), 1);
    let asked = receiver.seen.lock().unwrap().last().unwrap().clone();
    assert!(asked.ends_with("\"approvedBy\":\"dana\"}"), "{asked}");
}

#[test]
fn a_private_address_is_not_asked_unless_the_operator_opened_it() {
    let receiver = Receiver::start(YES);
    let ask = format!("  guardrails: {{ask: {{url: \"{}\", timeout: 500ms}}}}\n", receiver.url.replace("127.0.0.1", "10.0.0.1"));
    let mut world =
        World::with_agent_file(&["checkout"], &[policy("checkout", "merge", &ask)], "  ask: {secretFile: ROOT/ask}\n", |root| {
            std::fs::write(root.join("ask"), SECRET).unwrap();
        });
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.reverts(), 0);
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(sentence.contains("private"), "{sentence}");
}
