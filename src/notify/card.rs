//! What one message of a chat shows, whatever its markup: the message itself, or the first one of a thread once the story has gone on.

use super::{Link, Message, Opening};

/// What is shown. The texts are as they came: untrusted.
pub struct Card<'a> {
    /// The first line.
    pub title: &'a str,
    /// What the newest message said, on a card that is edited.
    pub status: Option<String>,
    /// The rest.
    pub lines: &'a [String],
    /// What to type.
    pub command: Option<&'a str>,
    /// Where.
    pub link: Option<&'a Link>,
}

impl<'a> Card<'a> {
    /// A message as it is.
    pub fn first(message: &'a Message) -> Self {
        Self {
            // Chats refuse a message without text.
            title: if message.title.trim().is_empty() { message.event.words() } else { &message.title },
            status: None,
            lines: &message.lines,
            command: message.command.as_deref(),
            link: message.link.as_ref(),
        }
    }

    /// The first message of a thread, once the story has gone on to `message`.
    pub fn edited(message: &'a Message, opening: &'a Opening) -> Self {
        Self {
            title: if opening.title.trim().is_empty() { message.event.words() } else { &opening.title },
            status: Some(format!("Now {}: {}", message.event.words(), message.title)),
            lines: &opening.lines,
            // What there was to type then is done, or no longer what to type.
            command: message.command.as_deref(),
            link: message.link.as_ref().or(opening.link.as_ref()),
        }
    }
}
