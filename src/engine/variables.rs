//! Variables in what a policy asks: `$cluster`, `$env` and the labels of an instance, so that one query serves every instance (design §7).
//!
//! In a query a variable stands inside quotes, and its value is escaped as PromQL does it: whatever a label holds, it stays inside its
//! string. Elsewhere it would become part of the expression, so that is refused. In an address only values that cannot change its parts are
//! taken. `$window` is the probe's and stays; `$` before anything that begins no name, such as the end of a regular expression or the
//! group `$1`, is no variable.

use std::collections::BTreeMap;

use super::id::MetricsName;
use super::policy::{Indicator, Instance, Policy, PrometheusIndicator, PrometheusQuery, SyncTarget};

/// The variable that the probe fills in: the length of a round.
const WINDOW: &str = "window";
/// The other one: the version of the service, where an indicator tells versions apart.
pub const VERSION: &str = "version";

/// Names that no label can have as a variable.
pub const RESERVED: &[&str] = &["cluster", "env", WINDOW];

/// What the variables of an instance stand for, by their names without `$`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

/// A variable that cannot be put in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// Nothing is called so.
    #[error("`${name}` is no variable here")]
    Unknown {
        /// Its name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// It stands where its value would become a part of the expression.
    #[error("`${name}` stands outside of quotes")]
    OutsideQuotes {
        /// Its name.
        name: String,
    },
    /// It is not all that its label is matched with.
    #[error("`${name}` is not all that the label `{label}` is matched with")]
    NotMatched {
        /// Its name.
        name: String,
        /// The label.
        label: String,
    },
    /// Its value does not go there.
    #[error("the value of `${name}` {why}")]
    Unfit {
        /// Its name.
        name: String,
        /// Why not.
        why: &'static str,
    },
}

/// A piece of a text.
enum Piece<'a> {
    /// As it stands.
    Plain(&'a str),
    /// A variable, and the quote that it stands in.
    Variable { name: &'a str, quote: Option<char> },
}

// === impl VariableError ===

impl VariableError {
    /// The variable, without `$`.
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::OutsideQuotes { name } | Self::NotMatched { name, .. } | Self::Unfit { name, .. } => name,
        }
    }
}

// === impl Variables ===

impl Variables {
    /// Those of one instance: the labels of the policy, over them those of the instance, `$env` and `$cluster`, where they are known.
    pub fn of(policy: &Policy, instance: &Instance) -> Self {
        let environment = policy.environment.as_ref().map(ToString::to_string);
        Self::from_parts(&policy.labels, environment, &instance.labels, instance.cluster.clone())
    }

    /// The same from its parts.
    pub fn from_parts(
        policy: &BTreeMap<String, String>,
        environment: Option<String>,
        instance: &BTreeMap<String, String>,
        cluster: Option<String>,
    ) -> Self {
        let labels = policy.iter().chain(instance).filter(|(name, _)| !RESERVED.contains(&name.as_str()));
        let mut values: BTreeMap<String, String> = labels.map(|(name, value)| (name.clone(), value.clone())).collect();
        values.extend(environment.map(|environment| ("env".to_owned(), environment)));
        values.extend(cluster.map(|cluster| ("cluster".to_owned(), cluster)));
        Self(values)
    }

    /// A PromQL expression or selector with every variable put in, escaped for the string that it stands in.
    ///
    /// # Errors
    /// An unknown variable, one outside of quotes, or a value that the string cannot hold.
    pub fn in_query(&self, text: &str) -> Result<String, VariableError> {
        self.in_query_of(text, None)
    }

    /// The same for a query of an indicator that tells versions apart by a label: `$version` stays.
    ///
    /// # Errors
    /// Also where `$version` is not all that the label is matched with: `label=~"$version"`.
    pub fn in_query_of(&self, text: &str, version_label: Option<&str>) -> Result<String, VariableError> {
        let mut pieces = pieces(text, Syntax::PromQl);
        if let Some(label) = version_label {
            keep_versions(&mut pieces, label)?;
        }
        self.put_in(pieces, |name, value, quote| match quote {
            None => Err(VariableError::OutsideQuotes { name: name.to_owned() }),
            // Nothing can be escaped in there.
            Some('`') if value.contains('`') => {
                Err(VariableError::Unfit { name: name.to_owned(), why: "holds a backtick, which ends the string" })
            }
            Some('`') => Ok(value.to_owned()),
            Some(quote) => Ok(escaped(value, quote)),
        })
    }

    /// An address with every variable put in. A value may only hold what stays in the part that it stands in.
    ///
    /// # Errors
    /// An unknown variable, or a value with other characters than letters, digits, `-`, `.` and `_`.
    pub fn in_address(&self, text: &str) -> Result<String, VariableError> {
        self.in_plain(text, "holds more than letters, digits, `-`, `.` and `_`, which an address needs")
    }

    /// The name of something, such as a server, an Argo CD application or a namespace, with every variable put in.
    ///
    /// # Errors
    /// An unknown variable, or a value with other characters than letters, digits, `-`, `.` and `_`: no value reaches out of its name.
    pub fn in_name(&self, text: &str) -> Result<String, VariableError> {
        self.in_plain(text, "holds more than letters, digits, `-`, `.` and `_`, which a name needs")
    }

    fn in_plain(&self, text: &str, why: &'static str) -> Result<String, VariableError> {
        self.put_in(pieces(text, Syntax::Plain), |name, value, _| {
            let fits = !value.is_empty() && value.chars().all(|char| char.is_ascii_alphanumeric() || "-._".contains(char));
            if fits { Ok(value.to_owned()) } else { Err(VariableError::Unfit { name: name.to_owned(), why }) }
        })
    }

    /// A text that is compared as it is, such as the label of an alert.
    ///
    /// # Errors
    /// An unknown variable.
    pub fn in_text(&self, text: &str) -> Result<String, VariableError> {
        self.put_in(pieces(text, Syntax::Plain), |_, value, _| Ok(value.to_owned()))
    }

    /// An indicator as it is asked in the instance.
    ///
    /// # Errors
    /// A variable that cannot be put in.
    pub fn in_indicator(&self, indicator: &Indicator) -> Result<Indicator, VariableError> {
        Ok(match indicator.clone() {
            Indicator::Http(mut http) => {
                http.url = self.in_address(&http.url)?;
                Indicator::Http(http)
            }
            Indicator::Prometheus(prometheus) => {
                let label = prometheus.version_label.as_deref();
                let put_in = |text: &str| self.in_query_of(text, label);
                Indicator::Prometheus(PrometheusIndicator {
                    query: match &prometheus.query {
                        PrometheusQuery::Value(query) => PrometheusQuery::Value(put_in(query)?),
                        PrometheusQuery::Ratio { good, total } => PrometheusQuery::Ratio { good: put_in(good)?, total: put_in(total)? },
                    },
                    freshness: prometheus.freshness.as_deref().map(put_in).transpose()?,
                    targets: prometheus.targets.as_deref().map(put_in).transpose()?,
                    ..prometheus.clone()
                })
            }
            Indicator::Alert(mut alert) => {
                for value in alert.selector.labels.values_mut() {
                    *value = self.in_text(value)?;
                }
                Indicator::Alert(alert)
            }
            Indicator::Workload(mut workload) => {
                workload.server = MetricsName::new(self.in_name(workload.server.as_str())?);
                workload.namespace = self.in_name(&workload.namespace)?;
                workload.name = self.in_name(&workload.name)?;
                Indicator::Workload(workload)
            }
        })
    }

    /// What is followed, as it is named in the instance.
    ///
    /// # Errors
    /// A variable that cannot be put in.
    pub fn in_target(&self, target: &SyncTarget) -> Result<SyncTarget, VariableError> {
        let some = |text: &Option<String>| text.as_deref().map(|text| self.in_name(text)).transpose();
        Ok(match target {
            SyncTarget::Application { name, namespace, project } => {
                SyncTarget::Application { name: self.in_name(name)?, namespace: some(namespace)?, project: some(project)? }
            }
            SyncTarget::Kustomization { namespace, name } => {
                SyncTarget::Kustomization { namespace: self.in_name(namespace)?, name: self.in_name(name)? }
            }
            SyncTarget::HelmRelease { namespace, name } => {
                SyncTarget::HelmRelease { namespace: self.in_name(namespace)?, name: self.in_name(name)? }
            }
            SyncTarget::Context(context) => SyncTarget::Context(self.in_name(context)?),
            SyncTarget::Query(query) => SyncTarget::Query(self.in_query(query)?),
        })
    }

    fn put_in<'a>(
        &self,
        pieces: Vec<Piece<'a>>,
        fill: impl Fn(&'a str, &str, Option<char>) -> Result<String, VariableError>,
    ) -> Result<String, VariableError> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Plain(plain) => text.push_str(plain),
                Piece::Variable { name: WINDOW, .. } => text.push_str("$window"),
                Piece::Variable { name, quote } => {
                    let unknown = || VariableError::Unknown { name: name.to_owned(), known: self.names() };
                    let value = self.0.get(name).ok_or_else(unknown)?;
                    if value.contains('$') {
                        return Err(VariableError::Unfit { name: name.to_owned(), why: "holds a `$`, which would be read again" });
                    }
                    text.push_str(&fill(name, value, quote)?);
                }
            }
        }
        Ok(text)
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().filter(|name| is_name(name)).cloned().collect()
    }
}

/// Lets `$version` stand where it is all that `label` is matched with, as a regular expression; the probe puts the versions in.
fn keep_versions(pieces: &mut [Piece<'_>], label: &str) -> Result<(), VariableError> {
    for place in 0..pieces.len() {
        let Piece::Variable { name: VERSION, quote } = pieces[place] else { continue };
        let before = match pieces.get(place.wrapping_sub(1)) {
            Some(Piece::Plain(before)) => *before,
            _ => "",
        };
        let after = match pieces.get(place + 1) {
            Some(Piece::Plain(after)) => *after,
            _ => "",
        };
        let matcher = quote.filter(|quote| after.starts_with(*quote)).and_then(|quote| before.strip_suffix(quote));
        let matched =
            matcher.and_then(|matcher| matcher.trim_end().strip_suffix("=~")).and_then(|name| name.trim_end().strip_suffix(label));
        // Not the end of a longer name.
        if matched.is_none_or(|rest| rest.ends_with(|char: char| char.is_ascii_alphanumeric() || char == '_')) {
            return Err(VariableError::NotMatched { name: VERSION.to_owned(), label: label.to_owned() });
        }
        pieces[place] = Piece::Plain("$version");
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    name_length(text) == text.len() && !text.is_empty()
}

/// How many bytes of a text, from its beginning, are the name of a variable.
fn name_length(text: &str) -> usize {
    let begins = text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
    if begins { text.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(text.len()) } else { 0 }
}

/// The value as it stands inside a string of PromQL, which takes the escapes of Go.
fn escaped(value: &str, quote: char) -> String {
    let mut text = String::new();
    for char in value.chars() {
        match char {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            char if char == quote => text.extend(['\\', char]),
            char => text.push(char),
        }
    }
    text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    /// Quotes and comments mean what they mean in PromQL.
    PromQl,
    /// Nothing means anything but the variables.
    Plain,
}

/// Where one stands in an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Expression,
    Comment,
    String(char),
}

/// The text in pieces: what stands as it is, and variables, as `$name` or `${name}`.
fn pieces(text: &str, syntax: Syntax) -> Vec<Piece<'_>> {
    let (mut pieces, mut begin, mut at) = (Vec::new(), 0, 0);
    let mut within = Within::Expression;
    while let Some(char) = text[at..].chars().next() {
        let rest = &text[at + char.len_utf8()..];
        if char == '$' && within != Within::Comment {
            let (name, length) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                Some((name, _)) if is_name(name) => (name, name.len() + 2),
                _ => (&rest[..name_length(rest)], name_length(rest)),
            };
            if !name.is_empty() {
                let quote = if let Within::String(quote) = within { Some(quote) } else { None };
                pieces.extend([Piece::Plain(&text[begin..at]), Piece::Variable { name, quote }]);
                at += 1 + length;
                begin = at;
                continue;
            }
        }
        let mut step = char.len_utf8();
        if syntax == Syntax::PromQl {
            within = match within {
                Within::String(quote) if char == quote => Within::Expression,
                Within::String(quote) if char == '\\' && quote != '`' => {
                    step += rest.chars().next().map_or(0, char::len_utf8);
                    within
                }
                Within::Expression if matches!(char, '"' | '\'' | '`') => Within::String(char),
                Within::Expression if char == '#' => Within::Comment,
                Within::Comment if char == '\n' => Within::Expression,
                within => within,
            };
        }
        at += step;
    }
    pieces.push(Piece::Plain(&text[begin..]));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(labels: &[(&str, &str)]) -> Variables {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Variables::from_parts(&BTreeMap::new(), Some("prod".to_owned()), &labels, Some("eu-1".to_owned()))
    }

    #[test]
    fn variables_are_put_into_strings_and_the_rest_stays() {
        let query = |text: &str| variables(&[("region", "eu")]).in_query(text).unwrap();
        assert_eq!(query(r#"up{cluster="$cluster",env='${env}'}"#), r#"up{cluster="eu-1",env='prod'}"#);
        assert_eq!(query(r#"rate(a{b=~"x$|${region}$"}[$window])"#), r#"rate(a{b=~"x$|eu$"}[$window])"#);
        assert_eq!(query(r#"label_replace(up, "a", "$1-${2}", "b", "(.*)")"#), r#"label_replace(up, "a", "$1-${2}", "b", "(.*)")"#);
        assert_eq!(query("up # of \"$cluster\"\n + up{a=\"ü$region\"}"), "up # of \"$cluster\"\n + up{a=\"üeu\"}");
    }

    #[test]
    fn a_value_never_leaves_its_string() {
        let evil = r#"x"} or up{a="\"#;
        let variables = variables(&[("v", evil), ("tick", "a`b"), ("line", "a\nb"), ("again", "$window")]);
        assert_eq!(variables.in_query(r#"up{a="$v"}"#).unwrap(), r#"up{a="x\"} or up{a=\"\\"}"#);
        assert_eq!(variables.in_query("up{a='$v'}").unwrap(), r#"up{a='x"} or up{a="\\'}"#);
        assert_eq!(variables.in_query("up{a=\"$line\"}").unwrap(), "up{a=\"a\\nb\"}");
        assert!(matches!(variables.in_query("up{a=`$tick`}"), Err(VariableError::Unfit { .. })));
        assert!(matches!(variables.in_query("up{a=\"$again\"}"), Err(VariableError::Unfit { .. })));
        // An escaped quote does not end the string, and one in another kind of quotes does not begin one.
        assert_eq!(variables.in_query(r#"up{a="\"$env",b='"$env'}"#).unwrap(), r#"up{a="\"prod",b='"prod'}"#);
    }

    #[test]
    fn what_is_no_variable_or_stands_in_the_expression_is_refused() {
        let variables = variables(&[("region", "eu"), ("app.kubernetes.io/tier", "1")]);
        let unknown = VariableError::Unknown { name: "regoin".into(), known: vec!["cluster".into(), "env".into(), "region".into()] };
        assert_eq!(variables.in_query(r#"up{a="$regoin"}"#), Err(unknown));
        assert_eq!(variables.in_query("up{a=$region}"), Err(VariableError::OutsideQuotes { name: "region".into() }));
        assert_eq!(variables.in_query(r#"up{a="$windows"}"#).unwrap_err().name(), "windows");
    }

    #[test]
    fn an_address_keeps_its_parts() {
        let variables = variables(&[("path", "a/b@c")]);
        assert_eq!(variables.in_address("https://$cluster.shop.example/${env}?q").unwrap(), "https://eu-1.shop.example/prod?q");
        assert!(matches!(variables.in_address("https://shop.example/$path"), Err(VariableError::Unfit { .. })));
        assert_eq!(variables.in_text("\"$path").unwrap(), "\"a/b@c");
    }

    #[test]
    fn a_value_never_reaches_out_of_a_name() {
        let variables = variables(&[("region", "europe"), ("all", "*"), ("other", "a/b")]);
        let followed = |text: &str| variables.in_target(&SyncTarget::Context(text.to_owned()));
        assert_eq!(followed("kustomization/checkout-$region/*"), Ok(SyncTarget::Context("kustomization/checkout-europe/*".into())));
        for text in ["kustomization/$all", "kustomization/$other/*"] {
            assert!(matches!(followed(text), Err(VariableError::Unfit { .. })), "{text}");
        }
    }
}
