//! Values that many decisions of one pass are made from: held once, and what was found in them with them.
//!
//! A hundred services that breach at once see each other's rounds, the same landings and the same plan. Copies of those cost the third power
//! of their number, so a copy of a [`Shared`] is a reference. What is found in a value is a pure function of it and of the question, so it is
//! remembered beside it; whoever changes the value gets one of their own, with nothing found yet.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::recorded::Piece;

/// A value in which something is looked for again and again.
pub trait Remembers {
    /// What was found in it; `()` where nothing is remembered.
    type Found: Default;
}

/// A value that is held once however often it is copied. Its JSON is that of the value.
pub struct Shared<T: Remembers>(Arc<Kept<T>>);

struct Kept<T: Remembers> {
    value: T,
    found: T::Found,
    /// Its JSON, once it was recorded.
    recorded: OnceLock<Piece>,
}

/// Answers by question, each found once.
pub struct Memo<Q, A>(Mutex<HashMap<Q, A>>);

/// The answer to the question that was asked last, for questions that hardly ever change.
pub struct Last<Q, A>(Mutex<Option<(Q, A)>>);

// === impl Shared ===

impl<T: Remembers> Shared<T> {
    /// Holds a value in which nothing was found yet.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Kept { value, found: T::Found::default(), recorded: OnceLock::new() }))
    }

    /// Its canonical JSON with the digest, made once.
    ///
    /// # Errors
    /// A value that JSON cannot express.
    pub(super) fn recorded(&self) -> Result<Piece, serde_json::Error>
    where
        T: Serialize,
    {
        if let Some(known) = self.0.recorded.get() {
            return Ok(known.clone());
        }
        let piece = Piece::of(&**self)?;
        Ok(self.0.recorded.get_or_init(|| piece).clone())
    }

    /// What was found in it.
    pub(super) fn found(&self) -> &T::Found {
        &self.0.found
    }
}

impl<T: Remembers> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: Remembers + Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        let kept = Arc::make_mut(&mut self.0);
        // It may be changed now.
        kept.found = T::Found::default();
        kept.recorded = OnceLock::new();
        &mut kept.value
    }
}

impl<T: Remembers> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Remembers + Clone> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), found: T::Found::default(), recorded: OnceLock::new() }
    }
}

impl<T: Remembers + PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || **self == **other
    }
}

impl<T: Remembers + Eq> Eq for Shared<T> {}

impl<T: Remembers> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Remembers + Default> Default for Shared<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Remembers + fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Remembers + Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Remembers + Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

// === lists ===

impl<T> FromIterator<T> for Shared<Vec<T>>
where
    Vec<T>: Remembers,
{
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::new(items.into_iter().collect())
    }
}

impl<'a, T> IntoIterator for &'a Shared<Vec<T>>
where
    Vec<T>: Remembers,
{
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

// === impl Memo ===

impl<Q, A> Default for Memo<Q, A> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<Q: Eq + Hash + Clone, A: Clone> Memo<Q, A> {
    /// The answer to a question; found now where it was not asked before.
    pub fn answer(&self, question: &Q, find: impl FnOnce() -> A) -> A {
        if let Some(known) = locked(&self.0).get(question) {
            return known.clone();
        }
        // Not under the lock: what is looked for may ask something else.
        let found = find();
        locked(&self.0).insert(question.clone(), found.clone());
        found
    }
}

// === impl Last ===

impl<Q, A> Default for Last<Q, A> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<Q: PartialEq + Clone, A: Clone> Last<Q, A> {
    /// The answer to a question; found now where another one was asked last.
    pub fn answer(&self, question: &Q, find: impl FnOnce() -> A) -> A {
        if let Some((asked, answer)) = &*locked(&self.0)
            && asked == question
        {
            return answer.clone();
        }
        let found = find();
        *locked(&self.0) = Some((question.clone(), found.clone()));
        found
    }
}

/// What a lock holds, also after somebody panicked: they had only looked something up.
pub(super) fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Remembers for String {
        type Found = Memo<char, usize>;
    }

    fn count(text: &Shared<String>, letter: char) -> usize {
        text.found().answer(&letter, || text.matches(letter).count())
    }

    #[test]
    fn what_was_found_is_forgotten_where_the_value_changes() {
        let mut text = Shared::new("abba".to_owned());
        let before = text.clone();
        assert_eq!((count(&text, 'b'), count(&before, 'b')), (2, 2));
        text.push('b');
        assert_eq!((count(&text, 'b'), count(&before, 'b')), (3, 2), "the other one is as it was");
        let mut only = Shared::new("ab".to_owned());
        assert_eq!(count(&only, 'b'), 1);
        only.push('b');
        assert_eq!(count(&only, 'b'), 2, "also where nobody else holds it");
    }

    #[test]
    fn it_is_equal_by_value_and_its_json_is_that_of_the_value() {
        let text = Shared::new("abba".to_owned());
        assert_eq!(text, Shared::new("abba".to_owned()));
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"abba\"");
        assert_eq!(serde_json::from_str::<Shared<String>>("\"abba\"").unwrap(), text);
    }

    #[test]
    fn what_was_recorded_is_forgotten_where_the_value_changes() {
        let mut text = Shared::new("abba".to_owned());
        let before = text.recorded().unwrap();
        assert_eq!((&*before.json, text.recorded().unwrap()), ("\"abba\"", before.clone()));
        text.push('b');
        assert_eq!(&*text.recorded().unwrap().json, "\"abbab\"");
        assert_ne!(text.recorded().unwrap().digest, before.digest);
    }
}
