//! A person in front of a real browser approves the demo's proposal: headless Chromium opens the page, types into the form and clicks, and
//! the demo goes on to the recovery.
//!
//! Chromium is driven over the DevTools protocol on a pipe, which needs no client but a few lines. Only input (mouse, keys) and reading the
//! document are used, and scripts are switched off: nothing on the page may need them.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{ChildStdin, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ChildGuard, eventually, find_program, skip_or_fail};

/// The longest that the browser may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page open.
struct Browser {
    _child: ChildGuard,
    input: ChildStdin,
    answers: Receiver<Value>,
    session: Option<String>,
    last: u64,
}

impl Browser {
    fn start(program: &Path, profile: &Path) -> Self {
        let mut command = Command::new("sh");
        // The protocol's pipes are the descriptors 3 and 4.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"]).arg(program);
        command.args(["--headless", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        command.args(["--window-size=1000,900", "--disable-background-networking"]);
        command.arg(format!("--user-data-dir={}", profile.display())).env("HOME", profile);
        if is_root() {
            command.arg("--no-sandbox");
        }
        let (child, input, output) = ChildGuard::talking(&mut command);
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self { _child: child, input, answers, session: None, last: 0 };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"})).unwrap();
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true})).unwrap();
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser.ask("Emulation.setScriptExecutionDisabled", json!({"value": true})).unwrap();
        browser
    }

    /// Asks for something; an error is what the browser says.
    fn ask(&mut self, method: &str, parameters: Value) -> Result<Value, String> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.answers.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{method}: {error}"));
            if answer["id"] == self.last {
                return match answer.get("error") {
                    Some(error) => Err(error.to_string()),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
    }

    fn open(&mut self, url: &str) {
        let opened = self.ask("Page.navigate", json!({"url": url})).unwrap();
        assert_eq!(opened.get("errorText"), None, "{opened}");
    }

    /// The first element of the page that a selector finds.
    fn element(&mut self, selector: &str) -> Result<Value, String> {
        let document = self.ask("DOM.getDocument", json!({"depth": 0}))?;
        let found = self.ask("DOM.querySelector", json!({"nodeId": document["root"]["nodeId"], "selector": selector}))?;
        if found["nodeId"] == 0 { Err(format!("there is no {selector}")) } else { Ok(found["nodeId"].clone()) }
    }

    /// What an element looks like; nothing while the page changes.
    fn html(&mut self, selector: &str) -> Option<String> {
        let node = self.element(selector).ok()?;
        Some(self.ask("DOM.getOuterHTML", json!({"nodeId": node})).ok()?["outerHTML"].as_str()?.to_owned())
    }

    /// Moves the mouse into the middle of an element and clicks.
    fn click(&mut self, selector: &str) {
        let node = self.element(selector).unwrap();
        self.ask("DOM.scrollIntoViewIfNeeded", json!({"nodeId": node})).unwrap();
        let model = self.ask("DOM.getBoxModel", json!({"nodeId": node})).unwrap();
        let corner = |index: usize| model["model"]["content"][index].as_f64().unwrap();
        let (x, y) = (f64::midpoint(corner(0), corner(4)), f64::midpoint(corner(1), corner(5)));
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.ask("Input.dispatchMouseEvent", json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})).unwrap();
        }
    }

    /// Presses keys, one for each character.
    fn keys(&mut self, text: &str) {
        for character in text.chars() {
            for kind in ["keyDown", "keyUp"] {
                let pressed = if kind == "keyDown" { json!(character) } else { json!("") };
                self.ask("Input.dispatchKeyEvent", json!({"type": kind, "text": pressed, "key": character})).unwrap();
            }
        }
    }

    /// Fills in the form as somebody whose login begins so, and sends it.
    fn comment(&mut self, login: &str, text: &str) {
        let select = self.element("#login").unwrap();
        self.ask("DOM.focus", json!({"nodeId": select})).unwrap();
        self.keys(login);
        self.click("#body");
        self.keys(text);
        self.click("form[action$=comments] button");
    }
}

fn is_root() -> bool {
    let answered = Command::new("id").arg("-u").output().unwrap();
    answered.stdout == b"0\n"
}

/// Waits until an element of the page, which reads itself anew, says something.
async fn until_it_says(browser: &mut Browser, selector: &str, wanted: &str) -> String {
    let browser = std::sync::Mutex::new(browser);
    let look = async || browser.lock().unwrap().html(selector).filter(|html| html.contains(wanted));
    eventually(&format!("{selector} says {wanted}"), look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_in_a_browser() {
    let Some(chromium) = find_program("chromium") else {
        skip_or_fail("chromium");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_revertd"));
    command.args(["--log", "warn", "demo", "--story", "approve", "--interactive"]).env("TMPDIR", folder.path());
    let (mut demo, output) = ChildGuard::printing(&mut command);
    let mut output = BufReader::new(output);
    let mut said = String::new();
    while !said.contains("Ctrl-C ends it") {
        assert_ne!(output.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let url = said.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).unwrap().to_owned();

    let mut browser = Browser::start(&chromium, &folder.path().join("profile"));
    browser.open(&url);
    let page = until_it_says(&mut browser, "body", "Waits for an approval").await;
    let line = page.lines().find_map(|line| Some(&line[line.find("/revertd approve ")?..])).unwrap();
    let line = line.split('<').next().unwrap().trim().to_owned();
    assert!(page.contains("<svg class=\"chart\"") && page.contains("1 file changed"), "{page}");

    browser.comment("guest", &line);
    let refused = until_it_says(&mut browser, "body", "To <strong>guest</strong>").await;
    assert!(refused.contains("<span class=\"state open\">Open</span>"), "{refused}");
    browser.click("p > a[href$='/pull/1']");
    until_it_says(&mut browser, "form", "textarea").await;

    browser.comment("yuki", &line);
    let merged = until_it_says(&mut browser, "body", "<h3>Recovered</h3>").await;
    for part in ["<span class=\"state merged\">Merged</span>", "Approved by yuki-brandt"] {
        assert!(merged.contains(part), "{part} is not in\n{merged}");
    }
    let ended = demo.end().await;
    output.read_to_string(&mut said).unwrap();
    assert!(ended.success(), "{said}");
    assert!(said.ends_with("`revertd explain`.\n") && said.contains("1 of 1 stories came as they had to."), "{said}");
    // The browser may be gone with its answer.
    let _ = browser.ask("Browser.close", json!({}));
}
