//! Who signs tokens: the keys of an issuer, and where its tokens name user and audience.

use super::{
    claims::{Id, OneOrMany, TokenError, TokenJson},
    key_set::{KEYS, KeySet, SkippedKey},
    key_source::{KeySource, KeyTimes},
    token_key::{KeyOrigin, TokenKey},
};
use crate::settings::{self, Problems};
use gateway_core::model::{ClaimDigest, JsonPointer, RevocableClaim, RevocableClaims, UserId, find_texts};
use secrecy::ExposeSecret as _;
use std::{fs, sync::Arc};

/// An issuer of tokens.
#[derive(Debug)]
pub(super) struct Issuer {
    /// The `iss` that its tokens must have. None: any that belongs to no other issuer, or none.
    pub(super) name: Option<Box<str>>,
    /// A token must be for one of them. Empty: not checked.
    audiences: Vec<Box<str>>,
    /// Where a token has its audience. None: `aud`.
    audience_claim: Option<JsonPointer>,
    /// Where a token has its user. None: `sub`.
    user_claim: Option<JsonPointer>,
    /// A logout token must be for one of them. None: the issuer may not send logout tokens.
    pub(super) logout_audiences: Option<Box<[Box<str>]>>,
    keys: Keys,
}

/// Where the keys of an issuer come from.
#[derive(Debug)]
enum Keys {
    /// Settings and files.
    Fixed(Arc<KeySet>),
    /// A URL.
    Fetched(Arc<KeySource>),
}

impl Issuer {
    /// The issuer of the tokens that no other issuer has signed.
    pub(super) fn of_secret(tokens: &settings::Tokens) -> Self {
        let secret = tokens.hmac_secret.expose_secret().as_bytes();
        let set = |text: &String| (!text.is_empty()).then(|| text.as_str().into());
        Self {
            name: set(&tokens.issuer),
            audiences: set(&tokens.audience).into_iter().collect(),
            audience_claim: None,
            user_claim: None,
            logout_audiences: None,
            keys: Keys::Fixed(Arc::new(if secret.is_empty() { KeySet::default() } else { KeySet::of(TokenKey::hs256(secret)) })),
        }
    }

    /// An issuer of the settings. `section` is its place there.
    pub(super) fn new(section: &str, issuer: &settings::TokenIssuer, times: KeyTimes) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut keys = KeySet::default();
        for (at, text) in issuer.keys.iter().enumerate() {
            add(&mut keys, (text, KeyOrigin::Settings), &format!("{section}.keys"), &format!("entry {}", at + 1), &mut problems);
        }
        for file in &issuer.key_files {
            let key = format!("{section}.key_files");
            match fs::read_to_string(file) {
                Ok(text) => add(&mut keys, (&text, KeyOrigin::File), &key, file, &mut problems),
                Err(error) => problems.add(key, format!("{file} cannot be read: {error}")),
            }
        }
        let logout = if issuer.logout_audiences.is_empty() { &issuer.audiences } else { &issuer.logout_audiences };
        let claim = |pointer: &settings::Pointer, own: &str| pointer.0.clone().filter(|pointer| pointer.as_str() != own);
        problems.into_result(Self {
            name: Some(issuer.issuer.as_str().into()),
            audiences: issuer.audiences.iter().map(|audience| audience.as_str().into()).collect(),
            audience_claim: claim(&issuer.audience_claim, "/aud"),
            user_claim: claim(&issuer.user_claim, "/sub"),
            logout_audiences: issuer.backchannel_logout.then(|| logout.iter().map(|audience| audience.as_str().into()).collect()),
            keys: match &*issuer.jwks_url {
                "" => Keys::Fixed(Arc::new(keys)),
                _ => Keys::Fetched(Arc::new(KeySource::new(&issuer.issuer, times))),
            },
        })
    }

    /// The keys that count now. Fails if they have to be fetched first.
    pub(super) fn keys(&self) -> Result<Arc<KeySet>, TokenError> {
        match &self.keys {
            Keys::Fixed(keys) => Ok(keys.clone()),
            Keys::Fetched(source) => source.keys().ok_or(TokenError::KeysAway),
        }
    }

    /// Whether one of its secrets is shorter than the hash of its algorithm. Keys from a URL are no secrets.
    pub(super) fn has_short_secret(&self) -> bool {
        matches!(&self.keys, Keys::Fixed(keys) if keys.has_short_secret())
    }

    /// Where the keys come from, if they are fetched.
    pub(super) fn source(&self) -> Option<&Arc<KeySource>> {
        match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Fetched(source) => Some(source),
        }
    }

    /// The user of a token. `raw` is the JSON of its claims.
    pub(super) fn user(&self, json: &TokenJson, raw: &str, accepts_anonymous: bool) -> Result<UserId, TokenError> {
        let (claim, text) = match &self.user_claim {
            None => ("sub", json.sub.as_deref().map(Into::into)),
            Some(pointer) => (pointer.as_str(), text_at(raw, pointer)?),
        };
        let user: UserId = text.unwrap_or_default().parse().map_err(|error| TokenError::invalid(format!("has a {claim} that {error}")))?;
        if user.is_anonymous() && !accepts_anonymous {
            return Err(TokenError::invalid(format!("has no {claim}")));
        }
        Ok(user)
    }

    /// The claims by which a token can be revoked.
    pub(super) fn revocable(&self, json: &TokenJson) -> RevocableClaims {
        let issuer = json.iss.as_deref().unwrap_or_default();
        let mut claims = RevocableClaims::default();
        if let Some(subject) = self.subject(json.iss.as_deref(), json.sub.as_deref()) {
            claims.set(RevocableClaim::Subject, subject);
        }
        let [session, token] = [&json.sid, &json.jti].map(|id| id.as_ref().and_then(Id::text));
        for (claim, text) in [(RevocableClaim::Session, session), (RevocableClaim::Token, token)] {
            if let Some(text) = text {
                claims.set(claim, ClaimDigest::new(issuer, claim, &text));
            }
        }
        claims
    }

    /// Whom a token is about, if the issuer may send logout tokens: those name the `sub`, whatever the gateway takes for the user.
    fn subject(&self, iss: Option<&str>, sub: Option<&str>) -> Option<ClaimDigest> {
        self.logout_audiences.as_ref()?;
        let sub = sub.filter(|sub| !sub.is_empty())?;
        Some(ClaimDigest::new(iss.unwrap_or_default(), RevocableClaim::Subject, sub))
    }

    /// Checks that the token is of this issuer, and for this gateway.
    pub(super) fn check(&self, json: &TokenJson, raw: &str) -> Result<(), TokenError> {
        if self.name.is_some() && json.iss.as_deref() != self.name.as_deref() {
            return Err(TokenError::invalid("is from another issuer"));
        }
        if self.audiences.is_empty() {
            return Ok(());
        }
        let is_for_us = match &self.audience_claim {
            None => self.audiences.iter().any(|wanted| json.aud.as_ref().is_some_and(|aud| aud.contains(wanted))),
            Some(pointer) => text_at(raw, pointer)?.is_some_and(|found| self.audiences.contains(&found)),
        };
        if is_for_us { Ok(()) } else { Err(TokenError::invalid("is for another audience")) }
    }

    /// The audience of a token that is signed here.
    pub(super) fn own_audience(&self) -> Option<OneOrMany> {
        self.audiences.first().map(|audience| OneOrMany::One(audience.to_string()))
    }
}

fn text_at(raw: &str, pointer: &JsonPointer) -> Result<Option<Box<str>>, TokenError> {
    let found = find_texts(raw, [Some(pointer)]).map_err(|error| TokenError::invalid(format!("has {error}")))?;
    let [text] = found;
    Ok(text)
}

/// Adds the keys of a text. In settings, a key that cannot be used is a mistake.
fn add(keys: &mut KeySet, (text, origin): (&str, KeyOrigin), setting: &str, place: &str, problems: &mut Problems) {
    match KeySet::parse(text, origin) {
        Ok((more, skipped)) => {
            keys.add(more);
            for SkippedKey { name, error } in skipped {
                problems.add(setting, format!("{place}: the key {name} {error}"));
            }
            if keys.len() > KEYS {
                problems.add(setting, format!("with {place} the issuer has more than {KEYS} keys"));
            }
        }
        Err(error) => problems.add(setting, format!("{place} {error}")),
    }
}
