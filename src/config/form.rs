//! The rules for texts: names, addresses, branches, globs and queries. Each says what is wrong and what to write.

use std::net::{IpAddr, SocketAddr};

use globset::GlobBuilder;
use ipnet::IpNet;

use crate::engine::channel::Channel;
use crate::engine::schedule;

use super::check::nearest;
use super::diagnostic::quoted;
use super::shape::Form;

/// The longest name.
const MAX_NAME: usize = 63;

/// The longest text of any form.
const MAX_TEXT: usize = 4096;

/// What is wrong with a text: how the sentence about the key goes on, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The predicate: `is empty`.
    pub says: String,
    /// What to write.
    pub hint: Option<String>,
}

type Verdict = Result<(), Complaint>;

fn wrong<T>(says: impl Into<String>, hint: impl Into<Option<&'static str>>) -> Result<T, Complaint> {
    Err(Complaint { says: says.into(), hint: hint.into().map(str::to_owned) })
}

/// Judges a text.
///
/// # Errors
/// What is wrong with it.
pub fn check(form: Form, text: &str) -> Verdict {
    if form != Form::Secret && text.trim().is_empty() {
        return wrong("is empty", None);
    }
    if text.len() > MAX_TEXT {
        return wrong(format!("is longer than {MAX_TEXT} characters"), None);
    }
    if !matches!(form, Form::Query | Form::Selector | Form::Secret) && (text.trim() != text || text.contains('\n')) {
        return wrong("has spaces round it or goes over several lines", "write it on one line without them");
    }
    match form {
        Form::Line => Ok(()),
        Form::Name => name(text),
        Form::VariableName => name(&without_variables(text)).or_else(|_| name(text)),
        Form::Path if text.contains("://") => wrong("is an address, and a file or directory is meant", None),
        Form::Path => Ok(()),
        Form::HttpUrl => http_url(text),
        Form::ProbedUrl => http_url(&without_variables(text)),
        Form::GitUrl => git_url(text),
        Form::Branch => branch(text),
        Form::Glob => glob(text),
        Form::Socket => socket(text),
        Form::Network => network(text).map(|_| ()),
        Form::Email => email(text),
        Form::Query => query(text),
        Form::Selector => selector(text),
        Form::LabelName => label_name(text),
        Form::Schedule => schedule::check_schedule(text)
            .map_err(|error| Complaint { says: format!("is a schedule, and this one {}", error.says), hint: error.hint }),
        Form::TimeZone => time_zone(text),
        Form::Channel => match Channel::parse(text) {
            Ok(_) => Ok(()),
            Err(error) => wrong(format!("is no channel: {error}"), "write `\"#oncall\"` or `\"#$team-oncall\"`"),
        },
        // The value is a secret: nothing of it is repeated.
        Form::Secret if text.is_empty() || text.chars().any(|char| char.is_control()) || !text.is_ascii() => {
            wrong("is empty or holds characters that a header cannot carry", None)
        }
        Form::Secret => Ok(()),
    }
}

/// A range of addresses without host bits.
///
/// # Errors
/// What is wrong with it.
pub fn network(text: &str) -> Result<IpNet, Complaint> {
    match text.parse::<IpNet>() {
        Ok(network) if network.trunc() == network => Ok(network),
        Ok(network) => Err(Complaint {
            says: format!("is a range of addresses, and {} has bits set after its prefix", quoted(text)),
            hint: Some(format!("write `{}`", network.trunc())),
        }),
        Err(_) => Err(Complaint {
            says: format!("is a range of addresses, and {} is none", quoted(text)),
            hint: Some(match text.parse::<IpAddr>() {
                Ok(address) => format!("write `{}`", IpNet::from(address)),
                Err(_) => "write an address and a prefix length: `10.0.0.0/8`".to_owned(),
            }),
        }),
    }
}

fn name(text: &str) -> Verdict {
    let inner = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let fits = text.chars().all(|char| inner(char) || matches!(char, '-' | '.')) && text.starts_with(inner) && text.ends_with(inner);
    if fits && text.len() <= MAX_NAME {
        return Ok(());
    }
    wrong(
        format!("is a name, and {} is none", quoted(text)),
        "a name has small letters, digits, `-` and `.`, begins and ends with a letter or digit, and has at most 63 characters",
    )
}

/// Whether a text can be the login of somebody at a forge, or one part of a team's name.
pub fn is_login(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
}

fn label_name(text: &str) -> Verdict {
    let fits =
        text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') && !text.starts_with(|char: char| char.is_ascii_digit());
    if fits {
        return Ok(());
    }
    wrong(format!("is the name of a label, and {} is none", quoted(text)), "a label has letters, digits and `_`, and begins with no digit")
}

fn time_zone(text: &str) -> Verdict {
    if schedule::parse_time_zone(text).is_ok() {
        return Ok(());
    }
    let near = schedule::time_zones().find(|name| name.eq_ignore_ascii_case(text)).or_else(|| nearest(text, schedule::time_zones()));
    Err(Complaint {
        says: format!("is the IANA name of a time zone, and {} is none", quoted(text)),
        hint: Some(near.map_or_else(|| "write a name such as `Europe/Berlin`".to_owned(), |near| format!("did you mean `{near}`?"))),
    })
}

/// The authority and what follows it, of an address with a scheme.
fn authority(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.split_at(end)
}

/// A host with an optional port.
fn host(authority: &str) -> bool {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return false;
        }
        ("v6", port)
    } else {
        authority.find(':').map_or((authority, ""), |at| authority.split_at(at))
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => port.is_empty(),
    };
    port && !host.is_empty() && host.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '.' | '_'))
}

fn http_url(text: &str) -> Verdict {
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return wrong(format!("is an address, and {} is none", quoted(text)), "write `http://host/path` or `https://host/path`");
    }
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, _) = authority(rest);
    if authority.contains('@') || (rest.contains('@') && !host(authority)) {
        return wrong(
            "holds credentials",
            "take them out of the address; a metrics server takes `bearerTokenFile` or `headers`, a probe takes none",
        );
    }
    if !host(authority) || text.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return wrong(
            format!("is an address, and {} has no valid host", quoted(text)),
            "write `http://host/path` or `https://host:port/path`",
        );
    }
    Ok(())
}

/// A text with a digit for every variable, so that the rest of it can be judged.
fn without_variables(text: &str) -> String {
    let mut parts = text.split('$');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let braced = part.strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(_, rest)| rest);
        let rest = braced.unwrap_or_else(|| part.trim_start_matches(|char: char| char.is_ascii_alphanumeric() || char == '_'));
        whole.push('1');
        whole.push_str(rest);
    }
    whole
}

fn git_url(text: &str) -> Verdict {
    const FORMS: &str = "write `https://host/path.git`, `ssh://git@host/path.git`, `git@host:path.git` or `file:///path.git`";
    if text.starts_with('-') || text.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return wrong("is not the address of a repository", FORMS);
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return scp_address(text).then_some(()).ok_or_else(|| Complaint {
            says: format!("is the address of a repository, and {} is none", quoted(text)),
            hint: Some(if text.starts_with('/') { format!("write {}", quoted(&format!("file://{text}"))) } else { FORMS.to_owned() }),
        });
    };
    let (authority, path) = authority(rest);
    let (user, host_port) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let has_path = path.len() > 1;
    match scheme {
        "file" if authority.is_empty() && has_path => Ok(()),
        "http" | "https" if user.is_some() || (rest.contains('@') && !host(authority)) => wrong(
            "holds credentials",
            "take them out of the address and put the password or token into a file: `credentials: {passwordFile: …}`",
        ),
        "ssh" if user.is_some_and(|user| user.contains(':')) => {
            wrong("holds a password", "take it out of the address and use a key: `credentials: {sshKeyFile: …}`")
        }
        "http" | "https" | "ssh" if host(host_port) && !host_port.starts_with('-') && has_path => Ok(()),
        _ => wrong(format!("is the address of a repository, and {} is none", quoted(text)), FORMS),
    }
}

/// `user@host:path`, which Git hands to ssh.
fn scp_address(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    let Some((name, path)) = rest.split_once(':') else { return false };
    let plain = |text: &str| {
        !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
    };
    plain(user) && plain(name) && !path.is_empty()
}

/// The rules of `git check-ref-format`, and that it is a branch which revertd does not write itself.
fn branch(text: &str) -> Verdict {
    if let Some(short) = text.strip_prefix("refs/heads/") {
        let hint = Some(format!("write {}", quoted(short)));
        return Err(Complaint { says: format!("is a branch without `refs/heads/`, and {} has it", quoted(text)), hint });
    }
    if text.starts_with("revertd/") {
        return wrong("begins with `revertd/`, where proposals are written", "name the branch that the sync tool follows");
    }
    let forbidden = |char: char| char.is_whitespace() || char.is_control() || "~^:?*[\\".contains(char);
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    let bad = text.starts_with('-')
        || text == "@"
        || text.ends_with('.')
        || ["..", "@{"].iter().any(|pair| text.contains(pair))
        || text.contains(forbidden)
        || text.split('/').any(bad_part);
    if bad { wrong(format!("is a branch, and Git takes no {} for one", quoted(text)), None) } else { Ok(()) }
}

fn glob(text: &str) -> Verdict {
    if let Some(rest) = text.strip_prefix('!') {
        let hint = Some(format!("put {} under `exclude`", quoted(rest)));
        return Err(Complaint { says: format!("is a glob, and {} is a negated one", quoted(text)), hint });
    }
    if text.starts_with('/') || text.starts_with("./") || text.split('/').any(|part| part == "..") {
        let hint = Some(format!("write {}", quoted(text.trim_start_matches(['.', '/']))));
        return Err(Complaint { says: format!("is relative to the root of the repository, and {} is not", quoted(text)), hint });
    }
    if text.ends_with('/') {
        let hint = Some(format!("write {}", quoted(&format!("{text}**"))));
        return Err(Complaint { says: format!("is a glob, and {} matches no file", quoted(text)), hint });
    }
    match GlobBuilder::new(text).literal_separator(true).build() {
        Ok(_) => Ok(()),
        Err(error) => wrong(format!("is a glob, and {} is none: {}", quoted(text), error.kind()), None),
    }
}

fn socket(text: &str) -> Verdict {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    let hint = match text.rsplit_once(':') {
        Some(("localhost", port)) => format!("write {}", quoted(&format!("127.0.0.1:{port}"))),
        Some(("", port)) => format!("write {} for every interface", quoted(&format!("0.0.0.0:{port}"))),
        _ => "write `127.0.0.1:9464`".to_owned(),
    };
    Err(Complaint { says: format!("is an IP address and a port, and {} is not", quoted(text)), hint: Some(hint) })
}

fn email(text: &str) -> Verdict {
    let fits = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if fits && !text.contains(|char: char| char.is_whitespace() || char.is_control() || matches!(char, '<' | '>')) {
        return Ok(());
    }
    wrong(format!("is an e-mail address, and {} is none", quoted(text)), "write `revertd@acme.example`")
}

fn query(text: &str) -> Verdict {
    match unbalanced(text) {
        Some(char) => wrong(format!("has a `{char}` without its counterpart"), None),
        None => Ok(()),
    }
}

fn selector(text: &str) -> Verdict {
    query(text)?;
    if outside_quotes(text).contains(&'(') || outside_quotes(text).contains(&'[') {
        return wrong(
            "is a plain selector, and this is an expression",
            "write the metric and its labels: `http_requests_total{app=\"checkout\"}`",
        );
    }
    Ok(())
}

/// The characters of an expression that are in no quotes.
fn outside_quotes(text: &str) -> Vec<char> {
    let mut outside = Vec::new();
    let (mut quote, mut escape) = (None, false);
    for char in text.chars() {
        match quote {
            Some(_) if escape => escape = false,
            Some(open) if char == '\\' && open != '`' => escape = true,
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if matches!(char, '"' | '\'' | '`') => quote = Some(char),
            None => outside.push(char),
        }
    }
    // A quote that is not closed counts as a character, so that it is found.
    outside.extend(quote);
    outside
}

/// The first bracket or quote of an expression that has no counterpart.
fn unbalanced(text: &str) -> Option<char> {
    let mut open = Vec::new();
    for char in outside_quotes(text) {
        match char {
            '(' | '[' | '{' => open.push(char),
            ')' | ']' | '}' => {
                let pair = matches!((open.pop(), char), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}'));
                if !pair {
                    return Some(char);
                }
            }
            '"' | '\'' | '`' => return Some(char),
            _ => {}
        }
    }
    open.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(form: Form, texts: &[&str]) {
        for text in texts {
            assert_eq!(check(form, text), Ok(()), "{text}");
        }
    }

    fn refuses(form: Form, texts: &[&str]) {
        for text in texts {
            assert!(check(form, text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_and_branches() {
        accepts(Form::Name, &["a", "checkout-v2.eu", "0"]);
        refuses(Form::Name, &["", "A", "-a", "a-", "a_b", "a/b", "..", &"a".repeat(64)]);
        accepts(Form::VariableName, &["checkout", "$cluster", "shop-$env", "${env}.shop"]);
        refuses(Form::VariableName, &["", "Shop", "$env_x!", "${env", "-$env"]);
        accepts(Form::Branch, &["main", "release/1.2", "@a"]);
        refuses(Form::Branch, &["refs/heads/main", "-x", "a..b", "a b", "a.lock", "a//b", "/a", "a/", "@", "x@{1}", "a:b", "revertd/x"]);
    }

    #[test]
    fn addresses_hold_no_credentials() {
        accepts(Form::HttpUrl, &["http://a", "https://a.b:8443/x?y=@z", "http://[::1]:80/", "HTTP://a"]);
        refuses(
            Form::HttpUrl,
            &["a", "ftp://a", "http://", "http://a:0", "http://a b", "http://u:p@a", "http://u@a/", "http://u:p/w@a", "http:///x"],
        );
        accepts(Form::GitUrl, &["file:///srv/a.git", "https://h/a.git", "http://127.0.0.1:1/a", "ssh://git@h:22/a", "git@h:a/b.git"]);
        refuses(
            Form::GitUrl,
            &[
                "/srv/a.git",
                "https://t@h/a",
                "https://u:p@h/a",
                "ssh://u:p@h/a",
                "ext::sh -c x",
                "-oProxy",
                "ssh://-oX/a",
                "https://h",
                "u@-h:a",
            ],
        );
    }

    #[test]
    fn globs_can_match_something() {
        accepts(Form::Glob, &["apps/checkout/**", "*.yaml", "apps/{a,b}/*", "**/kustomization.yaml"]);
        refuses(Form::Glob, &["/apps/**", "./apps/**", "apps/", "!apps/**", "../x", "apps/[", "a{b"]);
    }

    #[test]
    fn expressions_are_balanced() {
        accepts(Form::Query, &["sum(rate(a{b=\"(\"}[5m]))", "a{b='\\'('}"]);
        refuses(Form::Query, &["sum(a", "a)", "a{b=\"}", "(a]"]);
        accepts(Form::Selector, &["a{b=\"(\"}", "up"]);
        refuses(Form::Selector, &["max(a)", "a[5m]"]);
    }

    #[test]
    fn ranges_have_no_host_bits() {
        assert!(network("10.0.0.0/8").is_ok() && network("fd00::/8").is_ok());
        assert_eq!(network("10.1.2.3/8").unwrap_err().hint.unwrap(), "write `10.0.0.0/8`");
        assert_eq!(network("10.1.2.3").unwrap_err().hint.unwrap(), "write `10.1.2.3/32`");
    }
}
