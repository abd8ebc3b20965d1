//! An entry of `api_keys`, checked.

use super::{api_key::ApiKey, certificate::CertificateName, scopes::Permit};
use crate::settings::{self, NAME_BYTES, Problems, is_plain_name};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a key.
pub(super) type Digest = [u8; 32];

/// What may stand before the digits of a hash.
pub(super) const ALGORITHM: &str = "sha256:";

/// What a caller shows to use a key.
#[derive(PartialEq, Eq)]
pub(super) enum Proof {
    /// A text with this digest. The digests are random, so they need no slow hash.
    Secret(Digest),
    /// A certificate with this name.
    Certificate(CertificateName),
}

/// A key with its proof.
pub(super) struct Entry {
    pub(super) key: ApiKey,
    pub(super) proof: Proof,
}

impl Entry {
    /// Reads an entry, and adds a problem for each rule that it breaks. No message shows a key or a hash.
    pub(super) fn read(entry: &settings::ApiKey, place: &str, problems: &mut Problems) -> Option<Self> {
        if !is_plain_name(&entry.name) {
            let message = format!("expected 1 to {NAME_BYTES} characters of A-Z a-z 0-9 . _ -; found {:?}", entry.name);
            problems.add(format!("{place}.name"), message);
        }
        let proof = proof(entry, place, problems);
        let key = match &entry.scopes.0 {
            None => ApiKey::unlimited(&entry.name),
            Some(scopes) => ApiKey::limited(&entry.name, permits(scopes, &format!("{place}.scopes"), problems)),
        };
        Some(Self { key, proof: proof? })
    }
}

fn proof(entry: &settings::ApiKey, place: &str, problems: &mut Problems) -> Option<Proof> {
    if entry.certificate.is_empty() {
        return digest(entry, place, problems).map(Proof::Secret);
    }
    if !entry.key.expose_secret().is_empty() || !entry.key_hash.expose_secret().is_empty() {
        problems.add(place, "has a certificate and a key; make two entries with the same name");
    }
    let name = CertificateName::parse(&entry.certificate);
    name.map(Proof::Certificate).map_err(|why| problems.add(format!("{place}.certificate"), why)).ok()
}

fn digest(entry: &settings::ApiKey, place: &str, problems: &mut Problems) -> Option<Digest> {
    let (key, hash) = (entry.key.expose_secret(), entry.key_hash.expose_secret());
    match (key.is_empty(), hash.is_empty()) {
        (true, true) => problems.add(place, "has neither key nor key_hash; set one of them (gateway new-key makes both), or certificate"),
        (false, false) => problems.add(place, "has both key and key_hash; remove one of them"),
        (false, true) if key.bytes().all(|b| b.is_ascii_graphic()) => return Some(Sha256::digest(key).into()),
        (false, true) => problems.add(format!("{place}.key"), "expected one or more visible ASCII characters, and no other characters"),
        (true, false) => {
            let read = read_hash(hash);
            if read.is_none() {
                let found = hash.strip_prefix(ALGORITHM).unwrap_or(hash).chars().count();
                let message =
                    format!("expected the SHA-256 of the key in 64 hex digits, perhaps after {ALGORITHM:?}; found {found} characters");
                problems.add(format!("{place}.key_hash"), format!("{message}; gateway new-key prints it"));
            }
            return read;
        }
    }
    None
}

fn read_hash(hash: &str) -> Option<Digest> {
    let digits = hash.strip_prefix(ALGORITHM).unwrap_or(hash).as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut digest = Digest::default();
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(digest)
}

fn permits(scopes: &[String], place: &str, problems: &mut Problems) -> Vec<Permit> {
    if scopes.is_empty() {
        problems.add(place, "is empty, so the key could do nothing; list a scope, or leave scopes out to allow everything");
    }
    let read = scopes.iter().map(|scope| scope.parse());
    read.filter_map(|permit: Result<Permit, String>| permit.map_err(|problem| problems.add(place, problem)).ok()).collect()
}
