//! The channel that a message goes to: a name, or one that is made from the policy's labels (`#$team-oncall`).
//!
//! Templates are the operator's, labels may be anybody's who can write a policy. So a label fills a place that the operator named, and
//! its value is the part of a name: it can make neither the id of a channel nor the name of a person.

use std::collections::BTreeMap;
use std::fmt;

/// The longest name of a channel: Slack's 80 characters; Mattermost has 64 and refuses itself.
const LONGEST: usize = 80;

/// A channel, or the template of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Label(String),
}

/// Why a text is no channel, or a policy has none by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// It is empty.
    #[error("a channel has a name")]
    Empty,
    /// It holds a character that names of channels do not.
    #[error("`{channel}` holds {character:?}, which no channel's name does")]
    Character {
        /// The template.
        channel: String,
        /// The first such character.
        character: char,
    },
    /// A `$` that no label follows.
    #[error("`$` in `{channel}` is followed by no label: write `$team` or `${{team}}`")]
    NoLabel {
        /// The template.
        channel: String,
    },
    /// The policy has no such label.
    #[error("`{channel}` needs the label `{label}`, which the policy does not have")]
    UnknownLabel {
        /// The template.
        channel: String,
        /// The label.
        label: String,
    },
    /// The label's value cannot be a part of a name.
    #[error("the label `{label}` is {value:?}, and `{channel}` needs lower case letters, digits, `-` and `_` there")]
    Value {
        /// The template.
        channel: String,
        /// The label.
        label: String,
        /// Its value.
        value: String,
    },
    /// The name is too long.
    #[error("the channel `{channel}` is longer than 80 characters")]
    TooLong {
        /// The name.
        channel: String,
    },
}

// === impl Channel ===

impl Channel {
    /// Reads `#oncall`, `oncall`, an id such as `C024BE91L`, or a template: `#$team-oncall`, `#${app.kubernetes.io/part-of}`. Without
    /// braces a label's name ends at the first character that is no letter, digit or `_`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, ChannelError> {
        let channel = || text.to_owned();
        let mut parts = Vec::new();
        let mut rest = text.strip_prefix('#').unwrap_or(text);
        if rest.is_empty() {
            return Err(ChannelError::Empty);
        }
        if text.chars().count() > 4 * LONGEST {
            return Err(ChannelError::TooLong { channel: text.chars().take(LONGEST).collect() });
        }
        while !rest.is_empty() {
            let (part, after) = match rest.strip_prefix('$') {
                Some(after) => label(after).map(|(label, after)| (Part::Label(label.to_owned()), after)),
                None => Some(rest.split_at(rest.find('$').unwrap_or(rest.len()))).map(|(name, after)| (Part::Text(name.to_owned()), after)),
            }
            .ok_or_else(|| ChannelError::NoLabel { channel: channel() })?;
            if let Part::Text(name) = &part
                && let Some(character) = name.chars().find(|character| !(character.is_alphanumeric() || "-_.".contains(*character)))
            {
                return Err(ChannelError::Character { channel: channel(), character });
            }
            parts.push(part);
            rest = after;
        }
        Ok(Self { text: channel(), parts })
    }

    /// The labels that it needs, in order.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Label(label) => Some(label.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The channel for a policy with these labels, without `#`. Asked when files are loaded, so that a policy without a channel is an
    /// error then, and again for each message.
    ///
    /// # Errors
    /// A label is missing, or its value cannot stand in a channel's name.
    pub fn resolve(&self, labels: &BTreeMap<String, String>) -> Result<String, ChannelError> {
        let channel = || self.text.clone();
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Label(label) => {
                    let value = labels.get(label).ok_or_else(|| ChannelError::UnknownLabel { channel: channel(), label: label.clone() })?;
                    let fits = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "-_".contains(character);
                    if value.is_empty() || !value.chars().all(fits) {
                        let value = value.chars().take(LONGEST).collect();
                        return Err(ChannelError::Value { channel: channel(), label: label.clone(), value });
                    }
                    name.push_str(value);
                }
            }
        }
        if name.chars().count() > LONGEST {
            return Err(ChannelError::TooLong { channel: name });
        }
        Ok(name)
    }
}

impl fmt::Display for Channel {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The label at the start of what follows a `$`, and the rest.
fn label(text: &str) -> Option<(&str, &str)> {
    let (label, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => text.split_at(text.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_')).unwrap_or(text.len())),
    };
    (!label.is_empty()).then_some((label, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> BTreeMap<String, String> {
        [("team", "shop"), ("tier", "1"), ("app.kubernetes.io/part-of", "store"), ("bad", "C024BE91L"), ("at", "@all"), ("none", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn labels_fill_their_places() {
        for (template, name) in [
            ("#oncall", "oncall"),
            ("oncall", "oncall"),
            ("C024BE91L", "C024BE91L"),
            ("#données", "données"),
            ("#$team-oncall", "shop-oncall"),
            ("#${team}_$tier", "shop_1"),
            ("#x-${app.kubernetes.io/part-of}", "x-store"),
        ] {
            let channel = Channel::parse(template).unwrap();
            assert_eq!(channel.resolve(&labels()).unwrap(), name);
            assert_eq!(channel.to_string(), template);
        }
        assert_eq!(Channel::parse("#${a.b}-$team-x").unwrap().labels().collect::<Vec<_>>(), ["a.b", "team"]);
    }

    #[test]
    fn what_is_no_channel_gets_a_sentence() {
        for (template, sentence) in [
            ("", "a channel has a name"),
            ("#", "a channel has a name"),
            ("#on call", "`#on call` holds ' ', which no channel's name does"),
            ("@alice", "`@alice` holds '@', which no channel's name does"),
            ("##x", "`##x` holds '#', which no channel's name does"),
            ("#x-$", "`$` in `#x-$` is followed by no label: write `$team` or `${team}`"),
            ("#${team", "`$` in `#${team` is followed by no label: write `$team` or `${team}`"),
            ("#${}", "`$` in `#${}` is followed by no label: write `$team` or `${team}`"),
        ] {
            assert_eq!(Channel::parse(template).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn a_label_is_no_way_to_another_kind_of_place() {
        let said = |template: &str| Channel::parse(template).unwrap().resolve(&labels()).unwrap_err().to_string();
        assert_eq!(said("#$squad-oncall"), "`#$squad-oncall` needs the label `squad`, which the policy does not have");
        let needs = "and `$X` needs lower case letters, digits, `-` and `_` there";
        assert_eq!(said("$bad"), format!("the label `bad` is \"C024BE91L\", {}", needs.replace("$X", "$bad")));
        assert_eq!(said("$at"), format!("the label `at` is \"@all\", {}", needs.replace("$X", "$at")));
        assert_eq!(said("x$none"), format!("the label `none` is \"\", {}", needs.replace("$X", "x$none")));
        let long = Channel::parse(&format!("{}$team", "x".repeat(78))).unwrap();
        assert!(matches!(long.resolve(&labels()), Err(ChannelError::TooLong { .. })));
    }
}
