//! The keys of one issuer.

use super::token_key::{KeyError, KeyOrigin, TokenKey};
use jsonwebtoken::{Algorithm, jwk::Jwk};
use serde::Deserialize;
use serde_json::value::RawValue;
use x509_parser::pem::Pem;

/// Number of keys of one issuer in settings and files.
pub(super) const KEYS: usize = 100;
/// Number of keys that are tried for a token that does not name its key.
const TRIED: usize = 4;

/// The keys of one issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet(Vec<TokenKey>);

/// A key that is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key {name} {error}")]
pub struct SkippedKey {
    /// Its `kid`, or its place.
    pub(super) name: Box<str>,
    pub(super) error: KeyError,
}

/// Why a text has no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKeys {
    /// It is something else.
    #[error("is no JSON Web Key, no set of them, and has no key in PEM format")]
    UnknownFormat,
    /// It is not JSON, or something else.
    #[error("is no set of JSON Web Keys")]
    NoJwkSet,
    /// The list is empty.
    #[error("has no keys")]
    Empty,
    /// All keys are skipped.
    #[error("has no key that can be used")]
    Unusable,
    /// The list is too long.
    #[error("has more than {0} keys")]
    TooMany(usize),
}

impl KeySet {
    /// Reads keys in PEM format, a JSON Web Key, or a set of them (RFC 7517 section 5). Keys that cannot be used are left out, and returned.
    pub(super) fn parse(text: &str, origin: KeyOrigin) -> Result<(Self, Vec<SkippedKey>), NoKeys> {
        let keys = if text.trim_start().starts_with('{') { from_json(text, origin)? } else { from_pem(text)? };
        check_number(keys.len(), KEYS)?;
        Ok(Self::sorted_out(keys))
    }

    /// Reads what a server has sent: a set of JSON Web Keys, at most `max`. At least one of them can be used.
    pub(super) fn fetched(document: &[u8], max: usize) -> Result<(Self, Vec<SkippedKey>), NoKeys> {
        let set: JwkSet<'_> = serde_json::from_slice(document).map_err(|_| NoKeys::NoJwkSet)?;
        check_number(set.keys.len(), max)?;
        let (set, skipped) = Self::sorted_out(read(&set.keys, KeyOrigin::Url));
        if set.is_empty() { Err(NoKeys::Unusable) } else { Ok((set, skipped)) }
    }

    fn sorted_out(keys: Keys) -> (Self, Vec<SkippedKey>) {
        let (mut set, mut skipped) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                Ok(key) => set.push(key),
                Err(error) => skipped.push(error),
            }
        }
        (Self(set), skipped)
    }

    /// A set with one key.
    pub(super) fn of(key: TokenKey) -> Self {
        Self(vec![key])
    }

    pub(super) fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a key of the set is a secret that is shorter than the hash of its algorithm.
    pub(super) fn has_short_secret(&self) -> bool {
        self.0.iter().any(TokenKey::is_short_secret)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key has this name.
    pub(super) fn knows(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Whether it has the key of this token: one of its name, or, if the token or the keys have no name, one that has signed it.
    pub(super) fn answers_for(&self, kid: Option<&str>, algorithm: Algorithm, token: &str) -> bool {
        let (message, signature) = token.rsplit_once('.').unwrap_or_default();
        kid.is_some_and(|kid| self.knows(kid)) || self.candidates(kid, algorithm).any(|key| key.has_signed(message, signature))
    }

    /// The keys that may have signed a token: those with the name in the token. If no key has it, those without a name, at most four. A token
    /// without a name is tried with at most four keys of its algorithm.
    pub(super) fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &TokenKey> {
        let named = kid.filter(|kid| self.knows(kid));
        let is_candidate = move |key: &&TokenKey| match (named, kid) {
            (Some(kid), _) => key.kid.as_deref() == Some(kid),
            (None, Some(_)) => key.kid.is_none(),
            (None, None) => true,
        };
        self.0.iter().filter(is_candidate).filter(move |key| key.algorithm == algorithm).take(TRIED)
    }
}

type Keys = Vec<Result<TokenKey, SkippedKey>>;

#[derive(Deserialize)]
struct JwkSet<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The members of a key that name it.
#[derive(Deserialize)]
struct Named {
    kid: Option<Box<str>>,
}

fn check_number(found: usize, max: usize) -> Result<(), NoKeys> {
    match found {
        0 => Err(NoKeys::Empty),
        found if found > max => Err(NoKeys::TooMany(max)),
        _ => Ok(()),
    }
}

fn from_json(text: &str, origin: KeyOrigin) -> Result<Keys, NoKeys> {
    let keys = match serde_json::from_str::<JwkSet<'_>>(text) {
        Ok(set) => set.keys,
        Err(_) => vec![serde_json::from_str(text).map_err(|_| NoKeys::UnknownFormat)?],
    };
    Ok(read(&keys, origin))
}

/// Reads JSON Web Keys.
fn read(keys: &[&RawValue], origin: KeyOrigin) -> Keys {
    let one = |(at, raw): (usize, &&RawValue)| {
        let kid = serde_json::from_str::<Named>(raw.get()).ok().and_then(|named| named.kid);
        let name = kid.unwrap_or_else(|| (at + 1).to_string().into());
        let key = serde_json::from_str::<Jwk>(raw.get()).map_err(|_| KeyError::Unreadable);
        key.and_then(|jwk| TokenKey::from_jwk(&jwk, origin)).map_err(|error| SkippedKey { name, error })
    };
    keys.iter().enumerate().map(one).collect()
}

fn from_pem(text: &str) -> Result<Keys, NoKeys> {
    let read = |(at, pem): (usize, Result<Pem, _>)| {
        let pem = pem.map_err(|_| NoKeys::UnknownFormat)?;
        Ok(TokenKey::from_pem(&pem).map_err(|error| SkippedKey { name: (at + 1).to_string().into(), error }))
    };
    let keys: Keys = Pem::iter_from_buffer(text.as_bytes()).enumerate().map(read).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(NoKeys::UnknownFormat) } else { Ok(keys) }
}

#[cfg(test)]
mod tests;
