//! A situation as it is kept: what many decisions share is written once, and named by its digest where it is a part.
//!
//! Where a hundred services breach at once, each of a hundred decisions is made from the rounds of all of them. So those, the controls and the
//! landings are pieces of their own, each written once however many decisions name it, and a service held by many decisions of a pass is also put
//! into words once (`Shared::recorded`). A digest is SHA-256 over the canonical JSON that is kept, so that it vouches for the pieces as well.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::id::{SituationDigest, canonical_json, sha256_hex};
use super::shared::{Remembers, Shared};
use super::situation::{Joint, ServiceEvidence, Situation};

/// The key under which a piece is named: `{"piece": "<digest>"}`.
const PIECE: &str = "piece";

/// A situation, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// SHA-256 over the JSON.
    pub digest: SituationDigest,
    /// Canonical JSON, in which pieces are named.
    pub json: Arc<str>,
}

/// A situation with its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The situation.
    pub whole: Piece,
    /// What it names.
    pub pieces: Vec<Piece>,
}

/// Why a situation cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not the JSON of a situation.
    #[error("it is no situation: {0}")]
    Json(#[from] serde_json::Error),
    /// A piece is not there.
    #[error("its piece {0} is missing")]
    Missing(SituationDigest),
}

impl Piece {
    pub(super) fn of<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        let json = canonical_json(value)?;
        Ok(Self { digest: SituationDigest::new(sha256_hex(json.as_bytes())), json: json.into() })
    }
}

/// Where a piece stands in what names it.
struct Named(SituationDigest);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(PIECE, &self.0)])
    }
}

/// Collects the pieces of a situation.
#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn name<T: Remembers + Serialize>(&mut self, shared: &Shared<T>) -> Result<Named, serde_json::Error> {
        let piece = shared.recorded()?;
        let digest = piece.digest.clone();
        self.0.push(piece);
        Ok(Named(digest))
    }

    fn name_all<T: Remembers + Serialize>(&mut self, all: &[Shared<T>]) -> Result<Vec<Named>, serde_json::Error> {
        all.iter().map(|shared| self.name(shared)).collect()
    }

    /// An incident beside it, whose service is a piece too.
    fn name_joint(&mut self, joint: &Joint) -> Result<Named, serde_json::Error> {
        let Joint { incident, service, ceilings, attribution } = joint;
        let mut written = object(&(incident, ceilings, attribution), ["incident", "ceilings", "attribution"])?;
        written.insert("service".to_owned(), serde_json::to_value(self.name(service)?)?);
        let piece = Piece::of(&written)?;
        let digest = piece.digest.clone();
        self.0.push(piece);
        Ok(Named(digest))
    }
}

/// Values of a tuple under their names.
fn object<T: Serialize, const COUNT: usize>(values: &T, names: [&str; COUNT]) -> Result<serde_json::Map<String, Value>, serde_json::Error> {
    let Value::Array(values) = serde_json::to_value(values)? else { return Ok(serde_json::Map::new()) };
    Ok(names.into_iter().map(str::to_owned).zip(values).collect())
}

fn nothing_measured(service: &ServiceEvidence) -> Shared<ServiceEvidence> {
    let (policy, instance) = (service.policy.clone(), service.instance.clone());
    ServiceEvidence::measured(policy, instance, Vec::new()).into()
}

impl Situation {
    /// The situation as it is kept.
    ///
    /// # Errors
    /// None for a situation that was gathered: it holds strings, integers and maps with string keys.
    pub fn recorded(&self) -> Result<Recorded, serde_json::Error> {
        let mut pieces = Pieces::default();
        let joint = self.joint.iter().map(|joint| pieces.name_joint(joint)).collect::<Result<Vec<Named>, _>>()?;
        let named = [
            ("service", serde_json::to_value(pieces.name(&self.service)?)?),
            ("elsewhere", serde_json::to_value(pieces.name_all(&self.elsewhere)?)?),
            ("others", serde_json::to_value(pieces.name_all(&self.others)?)?),
            ("controls", serde_json::to_value(pieces.name(&self.controls)?)?),
            ("landings", serde_json::to_value(pieces.name(&self.landings)?)?),
            ("joint", serde_json::to_value(joint)?),
        ];
        // What is named is not put into words here.
        let rest = Self {
            service: nothing_measured(&self.service),
            elsewhere: Vec::new(),
            others: Vec::new(),
            controls: Shared::default(),
            landings: Shared::default(),
            joint: Vec::new(),
            ..self.clone()
        };
        let mut whole = serde_json::to_value(&rest)?;
        if let Value::Object(whole) = &mut whole {
            whole.extend(named.map(|(name, value)| (name.to_owned(), value)));
        }
        Ok(Recorded { whole: Piece::of(&whole)?, pieces: pieces.0 })
    }

    /// A situation that was kept, by what finds the JSON of a piece. One that an older version wrote names no pieces.
    ///
    /// # Errors
    /// What is kept is no situation, a piece is missing, or `find` cannot look.
    pub fn read_recorded<E: From<ReadError>>(
        json: &str,
        mut find: impl FnMut(&SituationDigest) -> Result<Option<String>, E>,
    ) -> Result<Self, E> {
        let read = |json: &str| serde_json::from_str::<Value>(json).map_err(|error| E::from(ReadError::Json(error)));
        let mut put_in = |value: &mut Value| -> Result<(), E> {
            let Some(digest) = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.get(PIECE)) else {
                return Ok(());
            };
            let digest = SituationDigest::new(digest.as_str().unwrap_or_default());
            let found = find(&digest)?.ok_or_else(|| E::from(ReadError::Missing(digest)))?;
            *value = read(&found)?;
            Ok(())
        };
        let mut whole = read(json)?;
        for key in ["service", "controls", "landings"] {
            whole.get_mut(key).map_or(Ok(()), &mut put_in)?;
        }
        for key in ["elsewhere", "others", "joint"] {
            for part in whole.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
                put_in(part)?;
            }
        }
        for joint in whole.get_mut("joint").and_then(Value::as_array_mut).into_iter().flatten() {
            joint.get_mut("service").map_or(Ok(()), &mut put_in)?;
        }
        serde_json::from_value(whole).map_err(|error| E::from(ReadError::Json(error)))
    }
}
