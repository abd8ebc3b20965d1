//! Revoked tokens.

use super::{Fingerprint, UserId};
use std::{fmt, num::NonZero};

/// Tokens have been revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Tokens issued at this time or before are revoked, in seconds since 1970.
    pub until: u64,
    /// Close code for the connections that used such a token.
    pub code: u16,
    /// Close reason for them.
    pub reason: Box<str>,
}

impl Revocation {
    /// As [`Self::until`]: tokens are revoked whenever they are issued. Every JSON reader and every script knows the number exactly.
    pub const ALWAYS: u64 = (1 << 53) - 1;

    /// Whether it revokes a token that was issued at this time. A token that does not say when it was issued counts as revoked.
    pub fn applies_to(&self, issued: Option<u64>) -> bool {
        self.until >= Self::ALWAYS || issued.is_none_or(|issued| issued <= self.until)
    }
}

/// A claim that tokens may have in common, and by which they are revoked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocableClaim {
    /// `sub`: whom the issuer signed in, whatever the gateway takes for the user.
    Subject,
    /// `sid`: all tokens of one session at the issuer (OpenID Connect Front-Channel Logout 1.0, section 3).
    Session,
    /// `jti`: one token (RFC 7519, section 4.1.7).
    Token,
}

impl RevocableClaim {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Subject, Self::Session, Self::Token];

    /// The name of the claim.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "sub",
            Self::Session => "sid",
            Self::Token => "jti",
        }
    }

    /// The claim with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.name() == name)
    }
}

/// A digest of an issuer, a claim and its value: 128 bits of SHA-256. It has the same size for each value, and no log shows the value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimDigest(NonZero<u128>);

impl ClaimDigest {
    /// The digest of a claim with this value in tokens of this issuer.
    pub fn new(issuer: &str, claim: RevocableClaim, value: &str) -> Self {
        let mut fingerprint = Fingerprint::default();
        for part in [issuer, claim.name(), value] {
            fingerprint.add(part.as_bytes());
        }
        let digest = fingerprint.finish();
        let half = digest.first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        Self(NonZero::new(half).unwrap_or(NonZero::<u128>::MIN))
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().and_then(NonZero::new).map(Self)
    }
}

/// 32 lower-case hex digits.
impl fmt::Display for ClaimDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ClaimDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The claims by which a token can be revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RevocableClaims([Option<ClaimDigest>; 3]);

impl RevocableClaims {
    /// Sets a claim.
    pub fn set(&mut self, claim: RevocableClaim, digest: ClaimDigest) {
        self.0[claim as usize] = Some(digest);
    }

    /// The digest of a claim; none: the token has no such claim.
    pub fn get(&self, claim: RevocableClaim) -> Option<ClaimDigest> {
        self.0[claim as usize]
    }

    /// The claims that the token has.
    pub fn iter(&self) -> impl Iterator<Item = (RevocableClaim, ClaimDigest)> + '_ {
        RevocableClaim::ALL.into_iter().filter_map(|claim| Some((claim, self.get(claim)?)))
    }

    /// Itself on the heap; none if it has no claims, so that most connections keep nothing.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// What is revoked: the tokens of a user, or those with a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RevocationTarget {
    /// All tokens of a user, whoever issued them.
    User(UserId),
    /// The tokens of an issuer with a claim.
    Claim(RevocableClaim, ClaimDigest),
}

impl RevocationTarget {
    /// The name of its kind: `user`, or that of the claim.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Claim(claim, _) => claim.name(),
        }
    }
}

impl From<UserId> for RevocationTarget {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

/// Its kind, and the user or the digest.
impl fmt::Display for RevocationTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Claim(claim, digest) => write!(f, "{}:{digest}", claim.name()),
        }
    }
}

/// What decides whether a token is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocableToken {
    /// Its user; anonymous: none, and then only its claims count.
    pub user: UserId,
    /// When it was issued, in seconds since 1970; none: it does not say.
    pub issued: Option<u64>,
    /// Its claims; none: it has no such claims.
    pub claims: Option<Box<RevocableClaims>>,
}

impl RevocableToken {
    /// All revocations that could apply to it.
    pub fn targets(&self) -> impl Iterator<Item = RevocationTarget> + '_ {
        let user = (!self.user.is_anonymous()).then(|| self.user.clone().into());
        let claims = self.claims.iter().flat_map(|claims| claims.iter());
        user.into_iter().chain(claims.map(|(claim, digest)| RevocationTarget::Claim(claim, digest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RevocableClaim::{Session, Subject, Token};
    use std::collections::HashSet;

    #[test]
    fn a_revocation_applies_to_older_tokens_and_to_those_without_a_date() {
        let until = |until| Revocation { until, code: 3503, reason: "".into() };
        for (revocation, issued, applies) in [
            (until(10), Some(10), true),
            (until(10), Some(11), false),
            (until(10), None, true),
            (until(Revocation::ALWAYS), Some(Revocation::ALWAYS), true),
            (until(Revocation::ALWAYS), Some(u64::MAX), true),
            (until(0), None, true),
        ] {
            assert_eq!(revocation.applies_to(issued), applies, "{revocation:?} {issued:?}");
        }
    }

    #[test]
    fn digests_differ_by_issuer_claim_and_value_and_read_back() {
        let mut seen = HashSet::new();
        for issuer in ["", "a", "https://login/a"] {
            for claim in RevocableClaim::ALL {
                for value in ["a", "aa", "sid", ""] {
                    let digest = ClaimDigest::new(issuer, claim, value);
                    assert_eq!(digest, ClaimDigest::new(issuer, claim, value));
                    assert_eq!(ClaimDigest::parse(&digest.to_string()), Some(digest));
                    assert!(seen.insert(digest), "{issuer} {claim:?} {value}");
                }
            }
        }
        assert_ne!(ClaimDigest::new("ab", Session, "c"), ClaimDigest::new("a", Session, "bc"));
        for text in ["", "0", &"0".repeat(32), &"F".repeat(32), &format!("+{}", "1".repeat(31)), &"é".repeat(16)] {
            assert_eq!(ClaimDigest::parse(text), None, "{text}");
        }
        assert_eq!(RevocableClaim::ALL.map(|claim| RevocableClaim::of_name(claim.name())), RevocableClaim::ALL.map(Some));
    }

    #[test]
    fn a_token_is_revoked_by_its_user_and_each_of_its_claims() {
        let digest = ClaimDigest::new("i", Token, "7");
        let mut claims = RevocableClaims::default();
        assert_eq!(claims.boxed(), None);
        claims.set(Token, digest);
        claims.set(Subject, digest);
        let targets = |user: &str, claims| {
            let token = RevocableToken { user: user.parse().expect("valid"), issued: None, claims };
            token.targets().map(|target| target.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(targets("alice", claims.boxed()), ["user:alice".into(), format!("sub:{digest}"), format!("jti:{digest}")]);
        assert_eq!(targets("", claims.boxed()), [format!("sub:{digest}"), format!("jti:{digest}")]);
        assert_eq!(targets("", None), [""; 0]);
        assert_eq!(size_of::<RevocableClaims>(), 48, "the bound per connection counts on it");
    }
}
