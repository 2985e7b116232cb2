//! The pages: what they show is shown as text, and only a form's POST has an effect. What the API answers is tested with the real client.

use super::reply::Body;
use super::*;
use crate::engine::change::Person;
use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;
use crate::git::scratch::{FileEdit, Signed};

const NOW: Timestamp = Timestamp::from_secs(1_795_230_000);

fn commit(repository: &ScratchRepository, branch: &str, content: &str) -> CommitId {
    let person = Person { name: "Robin".to_owned(), email: "robin@acme.example".to_owned() };
    let edit = FileEdit::Write { path: "a.yaml".to_owned(), content: content.as_bytes().to_vec() };
    repository.commit(branch, Signed { person: &person, at: NOW, message: "checkout" }, &[edit]).unwrap()
}

/// A state with one pull request, and the directory of its repository.
fn state(body: &str) -> (GithubState, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let repository = ScratchRepository::init(directory.path(), "main").unwrap();
    let base = commit(&repository, "main", "image: a\n");
    repository.create_branch("revert", base).unwrap();
    commit(&repository, "revert", "image: <b>b</b>\n");
    let settings = FakeSettings {
        repository,
        owner: "acme".to_owned(),
        name: "manifests".to_owned(),
        default_branch: "main".to_owned(),
        clock: Arc::new(|| NOW),
        people: vec![("robin".to_owned(), Role::Write), ("kim".to_owned(), Role::Read)],
        tokens: BTreeMap::new(),
        app: None,
    };
    let state = state_of(settings, "http://127.0.0.1:1").unwrap();
    assert_eq!(state.open("robin", "revert", "main", "Revert <i>x</i>", body), Ok(1));
    (state, directory)
}

fn page(state: &GithubState, method: &str, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    let form: Vec<(String, String)> = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let reply = page::handle(&mut state.locked(), method, path, &form).unwrap_or_else(|refusal| refusal);
    let text = match reply.body {
        Body::Html(text) => text,
        Body::Json(_) | Body::Empty => String::new(),
    };
    (reply.status, text)
}

#[test]
fn foreign_text_is_shown_as_text() {
    let (state, _directory) = state("Hello <script>alert(1)</script> <!-- unseen-mark --> [x](javascript:alert(2)) **bold**");
    state.comment("kim", 1, "<img src=x onerror=alert(3)> @everybody").unwrap();
    let (status, text) = page(&state, "GET", "/acme/manifests/pull/1", &[]);
    assert_eq!(status, 200);
    for forbidden in ["<script", "<img", "javascript:", "unseen-mark", "<i>x</i>", "<b>b</b>"] {
        assert!(!text.contains(forbidden), "{forbidden}: {text}");
    }
    assert!(text.contains("<strong>bold</strong>") && text.contains("Revert &lt;i&gt;x&lt;/i&gt;"), "{text}");
    let id = state.comments(1)[0].id;
    assert!(text.contains(&format!("id=\"issuecomment-{id}\"")), "{text}");
}

#[test]
fn only_a_post_has_an_effect() {
    let (state, _directory) = state("x");
    let form = [("login", "kim"), ("body", "/revertd approve")];
    let (status, _) = page(&state, "GET", "/acme/manifests/pull/1/comments", &form);
    assert_eq!((status, state.comments(1).len()), (404, 0));
    let (status, _) = page(&state, "POST", "/acme/manifests/pull/1/comments", &form);
    assert_eq!(status, 303);
    let comments = state.comments(1);
    assert_eq!((comments[0].author.as_str(), comments[0].body.as_str()), ("kim", "/revertd approve"));
    let (status, _) = page(&state, "POST", "/acme/manifests/pull/1/comments", &[("body", "nobody's")]);
    assert!(status >= 400 && state.comments(1).len() == 1, "somebody must be chosen");
    assert_eq!(page(&state, "GET", "/acme/manifests/pull/2", &[]).0, 404);
    assert_eq!(page(&state, "GET", "/other/manifests/pull/1", &[]).0, 404);
}

#[test]
fn a_page_reads_itself_anew_only_after_a_comment_and_only_while_the_fake_says_so() {
    let (state, _directory) = state("x");
    let live = "/acme/manifests/pull/1/live";
    assert!(!page(&state, "GET", "/acme/manifests/pull/1", &[]).1.contains("http-equiv"), "what is being written would be lost");
    let (status, text) = page(&state, "GET", live, &[]);
    assert_eq!(status, 200);
    assert!(text.contains(&format!("content=\"2;url={live}\"")) && !text.contains("<form"), "{text}");
    state.end_live_pages();
    assert!(!page(&state, "GET", live, &[]).1.contains("http-equiv"));
}

#[test]
fn those_who_may_do_most_come_first_and_programs_cannot_be_chosen() {
    let (state, _directory) = state("x");
    state.set_person("abe", Role::Read);
    state.set_person("zoe", Role::Maintain);
    state.set_person("agent", Role::Write);
    state.set_token("token", Some("agent"));
    let (_, text) = page(&state, "GET", "/acme/manifests/pull/1", &[]);
    let form = text.split_once("id=\"login\"").unwrap().1.split_once("</select>").unwrap().0;
    let place = |login: &str| form.find(&format!("value=\"{login}\""));
    assert!(place("zoe") < place("robin") && place("robin") < place("abe") && place("zoe").is_some(), "{form}");
    assert_eq!(place("agent"), None);
}
