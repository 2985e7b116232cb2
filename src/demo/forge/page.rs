//! The pages that people look at: a list of pull requests, and one page for each with its text, its comments, its changes, and a form to
//! answer in. Made on the server, without scripts.
//!
//! Reading never has an effect; only the form's POST has. Everything that is shown was written by somebody: it is escaped, and `markdown`
//! renders what is Markdown. After a comment the page is shown without forms and reads itself anew, so that its writer sees what comes of it.

use std::fmt::Write as _;

use crate::engine::time::Timestamp;

use super::markdown::rendered;
use super::merging::Merge;
use super::people::{AccountKind, Role};
use super::pulls::{Pull, PullState, ReviewState, changed_files};
use super::reply::{Handled, Reply, decoded};
use super::state::{MergeMethod, World};
use super::style::STYLE;

/// Answers what is no API request.
pub(super) fn handle(world: &mut World, method: &str, path: &str, form: &[(String, String)]) -> Handled {
    let segments: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (owner, name, rest) = match segments.as_slice() {
        [""] => return Ok(Reply::empty(303).with("location", format!("/{}/pulls", world.full_name()))),
        [owner, name, rest @ ..] => (*owner, *name, rest),
        _ => return Err(missing()),
    };
    if !owner.eq_ignore_ascii_case(&world.owner) || !name.eq_ignore_ascii_case(&world.name) {
        return Err(missing());
    }
    match (method, rest) {
        ("GET", [] | ["pulls"]) => Ok(Reply::html(list(world))),
        // An issue's address leads to its pull request, as on GitHub.
        ("GET", ["pull" | "issues", number]) => one(world, pull_number(number)?, View::Forms),
        ("GET", ["pull", number, "live"]) => one(world, pull_number(number)?, View::Live),
        ("POST", ["pull", number, "comments"]) => comment(world, pull_number(number)?, form),
        ("POST", ["pull", number, "act"]) => act(world, pull_number(number)?, form),
        ("GET", ["commit", id]) => commit(world, id),
        _ => Err(missing()),
    }
}

fn pull_number(text: &str) -> Result<u64, Reply> {
    text.parse().map_err(|_| missing())
}

fn missing() -> Reply {
    let mut reply = Reply::html(document("Not found", "", "<h1>Not found</h1><p>There is no such page.</p>"));
    reply.status = 404;
    reply
}

fn refused(sentence: &str) -> Reply {
    let mut reply = Reply::html(document("Not done", "", &format!("<h1>Not done</h1><p>{}</p>", escaped(sentence))));
    reply.status = 422;
    reply
}

// === text ===

/// Escapes text for an element or a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A page with a title, what else its head holds, and its text.
fn document(title: &str, head: &str, main: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{}</title>{head}<style>{STYLE}</style></head><body>{main}</body></html>\n",
        escaped(title)
    )
}

fn state_of(pull: &Pull) -> (&'static str, &'static str) {
    match pull.state {
        PullState::Open => ("open", "Open"),
        PullState::Merged { .. } => ("merged", "Merged"),
        PullState::Closed => ("closed", "Closed"),
    }
}

fn navigation(world: &World) -> String {
    let name = world.full_name();
    format!("<nav><a href=\"/{0}/pulls\">{0}</a></nav>", escaped(&name))
}

// === pages ===

fn list(world: &World) -> String {
    let mut main = navigation(world);
    main.push_str("<h1>Pull requests</h1>");
    if world.pulls.is_empty() {
        main.push_str("<p class=\"quiet\">There are none yet.</p>");
    }
    for pull in world.pulls.values().rev() {
        let (class, word) = state_of(pull);
        let _ = write!(
            main,
            "<article><header><span class=\"state {class}\">{word}</span><a href=\"/{}/pull/{}\">{}</a> <span class=\"quiet\">#{} by {}</span>{}</header></article>",
            escaped(&world.full_name()),
            pull.number,
            escaped(&pull.title),
            pull.number,
            escaped(&pull.author),
            labels(pull)
        );
    }
    document(&format!("Pull requests · {}", world.full_name()), "", &main)
}

fn labels(pull: &Pull) -> String {
    pull.labels.iter().map(|label| format!("<span class=\"label\">{}</span>", escaped(label))).collect()
}

/// How a pull request is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// With the forms; it stays as it is, so that nothing that is being written is lost.
    Forms,
    /// Without forms, read anew again and again.
    Live,
}

fn one(world: &World, number: u64, view: View) -> Handled {
    let pull = world.pull(number).map_err(|_| missing())?;
    let (class, word) = state_of(pull);
    let mut main = navigation(world);
    let _ = write!(
        main,
        "<h1>{} <span>#{number}</span></h1><p><span class=\"state {class}\">{word}</span><strong>{}</strong> wants to merge \
         <code>{}</code> into <code>{}</code>{}</p>",
        escaped(&pull.title),
        escaped(&pull.author),
        escaped(&pull.head_branch),
        escaped(&pull.base_branch),
        labels(pull)
    );
    main.push_str(&entry(world, "", &pull.author, "opened this", pull.created, &pull.body, ""));
    main.push_str(&conversation(world, pull));
    main.push_str(&checks(world, pull));
    let mut head = String::new();
    match view {
        View::Forms => {
            main.push_str(&answer_form(world, number));
            if pull.state == PullState::Open {
                main.push_str(&actions(world, number));
            }
        }
        View::Live => {
            let link = format!("<a href=\"/{}/pull/{number}\">Write another comment</a>", escaped(&world.full_name()));
            let note = if world.pages_are_live { "This page keeps itself up to date. " } else { "" };
            let _ = write!(main, "<p class=\"quiet\">{note}{link}</p>");
            if world.pages_are_live {
                // With its address: Chromium reads no page again whose address leads to a place on it.
                head = format!("<meta http-equiv=\"refresh\" content=\"2;url=/{}/pull/{number}/live\">", escaped(&world.full_name()));
            }
        }
    }
    main.push_str(&differences(world, pull)?);
    Ok(Reply::html(document(&format!("{} · #{number}", pull.title), &head, &main)))
}

fn entry(world: &World, anchor: &str, author: &str, what: &str, at: Timestamp, body: &str, footer: &str) -> String {
    let id = if anchor.is_empty() { String::new() } else { format!(" id=\"{anchor}\"") };
    let time = if anchor.is_empty() { moment(at) } else { format!("<a href=\"#{anchor}\">{}</a>", moment(at)) };
    let footer = if footer.is_empty() { String::new() } else { format!("<footer>{footer}</footer>") };
    let body = rendered(body, &format!("/{}/commit", world.full_name()));
    format!(
        "<article{id}><header><strong>{}</strong> <span class=\"quiet\">{what} {time}</span></header><div>{body}</div>{footer}</article>",
        escaped(author)
    )
}

/// A moment as a reader wants it.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("<time datetime=\"{text}\">{day} {} UTC</time>", time.get(..8).unwrap_or_default())
}

/// Comments and reviews in the order of their times.
fn conversation(world: &World, pull: &Pull) -> String {
    let mut entries = Vec::new();
    for comment in world.comments.values().filter(|comment| comment.number == pull.number) {
        let mut footer: Vec<String> =
            comment.reactions.iter().map(|(_, login, reaction)| format!("{} {}", symbol(reaction), escaped(login))).collect();
        if let Some((editor, at)) = &comment.edited {
            footer.push(format!("edited by {}, {}", escaped(editor), moment(*at)));
        }
        let hidden = comment.minimized.as_ref().map(|reason| format!("This comment was hidden as {}.", reason.to_lowercase()));
        let body = hidden.as_deref().unwrap_or(&comment.body);
        let anchor = format!("issuecomment-{}", comment.id);
        let shown = entry(world, &anchor, &comment.author, "commented", comment.created, body, &footer.join(" · "));
        entries.push((comment.created, comment.id, shown));
    }
    for review in &pull.reviews {
        let what = match review.state {
            ReviewState::Approved => "approved",
            ReviewState::ChangesRequested => "asked for changes",
            ReviewState::Commented => "reviewed",
            ReviewState::Dismissed => "had approved an earlier state",
        };
        let anchor = format!("pullrequestreview-{}", review.id);
        entries.push((review.at, review.id, entry(world, &anchor, &review.author, what, review.at, &review.body, "")));
    }
    entries.sort_by_key(|(at, id, _)| (*at, *id));
    entries.into_iter().map(|(_, _, shown)| shown).collect()
}

fn symbol(reaction: &str) -> &'static str {
    match reaction {
        "+1" => "👍",
        "-1" => "👎",
        "laugh" => "😄",
        "confused" => "😕",
        "heart" => "❤️",
        "hooray" => "🎉",
        "rocket" => "🚀",
        _ => "👀",
    }
}

fn checks(world: &World, pull: &Pull) -> String {
    let mut last: std::collections::BTreeMap<&str, (&str, &str)> = std::collections::BTreeMap::new();
    for status in world.statuses.iter().filter(|status| status.commit == pull.head) {
        last.insert(&status.context, (&status.state, status.description.as_deref().unwrap_or_default()));
    }
    for check in world.checks.iter().filter(|check| check.commit == pull.head) {
        last.insert(&check.name, (check.conclusion.as_deref().unwrap_or("in progress"), &check.title));
    }
    if last.is_empty() {
        return String::new();
    }
    let rows: String = last
        .into_iter()
        .map(|(name, (state, text))| {
            format!("<li><strong>{}</strong>: {} <span class=\"quiet\">{}</span></li>", escaped(name), escaped(state), escaped(text))
        })
        .collect();
    format!("<h2>Checks</h2><ul class=\"checks\">{rows}</ul>")
}

/// Who may be chosen: those who may do most first, and nobody who comes with a token, because that is a program.
fn people(world: &World, least: &Role) -> String {
    let is_program = |login: &str| world.credentials.tokens.values().any(|known| known.eq_ignore_ascii_case(login));
    let mut can: Vec<_> = world
        .accounts
        .values()
        .filter(|account| account.kind == AccountKind::User && account.role.level() >= least.level() && !is_program(&account.login))
        .collect();
    can.sort_by_key(|account| std::cmp::Reverse(account.role.level()));
    can.into_iter()
        .map(|account| format!("<option value=\"{0}\">{0} ({1})</option>", escaped(&account.login), escaped(account.role.name())))
        .collect()
}

fn answer_form(world: &World, number: u64) -> String {
    format!(
        "<h2>Write a comment</h2><form method=\"post\" action=\"/{}/pull/{number}/comments\"><p><label for=\"login\">As</label>\
         <select id=\"login\" name=\"login\">{}</select></p><p><label for=\"body\">Comment</label></p>\
         <textarea id=\"body\" name=\"body\" required></textarea><p><button class=\"main\" type=\"submit\">Comment</button></p></form>",
        escaped(&world.full_name()),
        people(world, &Role::Read)
    )
}

fn actions(world: &World, number: u64) -> String {
    format!(
        "<h2>Or decide without revertd</h2><form method=\"post\" action=\"/{}/pull/{number}/act\"><p><label for=\"actor\">As</label><select id=\"actor\" name=\"login\">{}</select>\
         <button type=\"submit\" name=\"act\" value=\"merge\">Merge</button><button type=\"submit\" name=\"act\" value=\"approve\">Approve</button>\
         <button type=\"submit\" name=\"act\" value=\"close\">Close</button></p></form>",
        escaped(&world.full_name()),
        people(world, &Role::Write)
    )
}

fn differences(world: &World, pull: &Pull) -> Result<String, Reply> {
    let range = format!("{}...{}", pull.base, pull.head);
    let files = changed_files(world, pull.base, pull.head)?;
    let mut shown = format!("<h2>{} changed</h2>", if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) });
    for file in files {
        let patch = world.repository.text(&["diff", "--no-color", "--no-ext-diff", "--no-textconv", &range, "--", &file.path])?;
        let _ = write!(
            shown,
            "<details open><summary>{} <span class=\"quiet\">+{} −{}</span></summary>{}</details>",
            escaped(&file.path),
            file.additions,
            file.deletions,
            coloured(&patch)
        );
    }
    Ok(shown)
}

/// A unified diff from its first hunk on, a line each.
fn coloured(patch: &str) -> String {
    let Some(start) = patch.find("\n@@ ") else { return "<p class=\"quiet\">No lines to show.</p>".to_owned() };
    let mut shown = String::from("<pre class=\"diff\">");
    for line in patch[start + 1..].lines() {
        let class = match line.as_bytes().first() {
            Some(b'+') => "added",
            Some(b'-') => "removed",
            Some(b'@') => "hunk",
            _ => "same",
        };
        let _ = write!(shown, "<span class=\"{class}\">{}</span>", escaped(line));
    }
    shown.push_str("</pre>");
    shown
}

fn commit(world: &World, id: &str) -> Handled {
    let id = world.commit(id).ok_or_else(missing)?;
    let message = world.repository.message(id)?;
    let (subject, body) = message.split_once('\n').unwrap_or((&message, ""));
    let patch = world.repository.text(&[
        "show",
        "--format=",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "-m",
        "--first-parent",
        &id.to_string(),
    ])?;
    let main = format!(
        "{}<h1>{}</h1><p class=\"quiet\">Commit {id}</p>{}<details open><summary>Changes</summary>{}</details>",
        navigation(world),
        escaped(subject),
        if body.trim().is_empty() { String::new() } else { format!("<pre>{}</pre>", escaped(body.trim())) },
        coloured(&patch)
    );
    Ok(Reply::html(document(subject, "", &main)))
}

// === what the forms do ===

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

/// The person that was chosen, if it may do this.
fn chosen(world: &World, form: &[(String, String)], least: &Role) -> Result<String, Reply> {
    let login = field(form, "login");
    match world.account(login) {
        Some(account) if account.kind == AccountKind::User && account.role.level() >= least.level() => Ok(account.login.clone()),
        _ => Err(refused("Choose somebody who may do this.")),
    }
}

fn sentence(reply: &Reply) -> String {
    match &reply.body {
        super::reply::Body::Json(body) => {
            body["errors"][0]["message"].as_str().or_else(|| body["message"].as_str()).unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

fn comment(world: &mut World, number: u64, form: &[(String, String)]) -> Handled {
    let login = chosen(world, form, &Role::Read)?;
    // A form sends line ends as CR LF.
    let body = field(form, "body").replace("\r\n", "\n");
    let id = world.write_comment(&login, number, &body, false).map_err(|reply| refused(&sentence(&reply)))?;
    Ok(Reply::empty(303).with("location", format!("/{}/pull/{number}/live#issuecomment-{id}", world.full_name())))
}

fn act(world: &mut World, number: u64, form: &[(String, String)]) -> Handled {
    let login = chosen(world, form, &Role::Write)?;
    let done = match field(form, "act") {
        "merge" => {
            let method = world.merge_methods.first().copied().unwrap_or(MergeMethod::Merge);
            world.merge(&login, number, &Merge { method, head: None, title: None, message: None }).map(drop)
        }
        "approve" => world.review(&login, number, ReviewState::Approved, "", None).map(drop),
        "close" => world.close(&login, number),
        _ => return Err(refused("There is no such button.")),
    };
    done.map_err(|reply| refused(&sentence(&reply)))?;
    Ok(Reply::empty(303).with("location", format!("/{}/pull/{number}/live", world.full_name())))
}
