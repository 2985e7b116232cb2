//! Objects of a line that are objects, with no key twice.
//!
//! Serde takes a list for a struct, the values of its keys in their order, and of a key that a map or a free value has twice the last one. Both
//! would decide an incident from something else than what somebody meant to write.

use std::collections::BTreeMap;
use std::fmt::{Formatter, Result as Shown};
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{AppliedLine, ChangeLine, ControlLine, Expected, HistoryLine, InverseLine, LandingLine, RoundLine};

/// An object of a line.
pub(super) trait Object: for<'de> Deserialize<'de> {
    /// What it is, as an error says it.
    const WHAT: &'static str;
}

/// An object and nothing else.
pub(super) fn one<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(OneVisitor(PhantomData))
}

/// An object or null.
pub(super) fn optional<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<One<T>>::deserialize(deserializer)?.map(|One(object)| object))
}

/// A list of objects.
pub(super) fn list<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<One<T>>::deserialize(deserializer)?.into_iter().map(|One(object)| object).collect())
}

/// Objects by name.
pub(super) fn map<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error> {
    deserializer.deserialize_map(ByName(PhantomData))
}

/// Values of any form.
pub(super) fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    Ok(Vec::<Free>::deserialize(deserializer)?.into_iter().map(|Free(value)| value).collect())
}

struct One<T>(T);

struct OneVisitor<T>(PhantomData<T>);

struct ByName<T>(PhantomData<T>);

struct Free(Value);

struct FreeVisitor;

// === what the objects are ===

macro_rules! objects {
    ($($line:ty: $what:literal),+ $(,)?) => {
        $(impl Object for $line {
            const WHAT: &'static str = concat!($what, ", which is an object");
        })+
    };
}

objects! {
    LandingLine: "a landing",
    AppliedLine: "when it was applied",
    ChangeLine: "a change",
    InverseLine: "what undoing comes to",
    RoundLine: "a round",
    ControlLine: "a round of a control",
    HistoryLine: "what was done before",
    Expected: "what should be decided",
}

// === impl One, ByName ===

impl<'de, T: Object> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one(deserializer).map(Self)
    }
}

impl<'de, T: Object> Visitor<'de> for OneVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> Shown {
        formatter.write_str(T::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries))
    }
}

impl<'de, T: Object> Visitor<'de> for ByName<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> Shown {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            let One(value) = entries.next_value::<One<T>>()?;
            if map.contains_key(&key) {
                return Err(twice(&key));
            }
            map.insert(key, value);
        }
        Ok(map)
    }
}

/// In the words of serde, which `mistake` puts into ours.
fn twice<E: Error>(key: &str) -> E {
    E::custom(format_args!("duplicate field `{key}`"))
}

// === impl Free ===

impl<'de> Deserialize<'de> for Free {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FreeVisitor).map(Self)
    }
}

impl<'de> Visitor<'de> for FreeVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> Shown {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Free(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Free(value) = entries.next_value()?;
            if map.contains_key(&key) {
                return Err(twice(&key));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
