//! Explains to an operator what the gateway makes of a token.

use super::{
    claims::{OneOrMany, TokenError, TokenJson},
    issuer::Issuer,
    tokens::{Tokens, parse_claims, parse_header},
};
use crate::settings::show_duration;
use gateway_core::channel::Capabilities;
use jsonwebtoken::Header;
use std::{fmt, time::Duration};

/// What the gateway reads in a token, and whether it accepts it.
#[derive(Debug)]
pub struct TokenReport {
    facts: Vec<(&'static str, String)>,
    /// The user, or why the token is refused.
    pub verdict: Result<String, TokenError>,
}

impl TokenReport {
    /// Adds facts with this name before the others.
    #[must_use]
    pub fn with_facts(mut self, name: &'static str, facts: impl IntoIterator<Item = String>) -> Self {
        self.facts.splice(..0, facts.into_iter().map(|fact| (name, fact)));
        self
    }
}

impl fmt::Display for TokenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, fact) in &self.facts {
            writeln!(f, "{name:<10} {fact}")?;
        }
        match &self.verdict {
            Ok(user) if user.is_empty() => write!(f, "{:<10} accepted, without a user", "result"),
            Ok(user) => write!(f, "{:<10} accepted, as the user {user}", "result"),
            Err(error) => write!(f, "{:<10} refused: {error}", "result"),
        }
    }
}

impl Tokens {
    /// Explains a token at `now` (time since 1970).
    pub fn explain(&self, token: &str, now: Duration) -> TokenReport {
        let mut facts = Vec::new();
        if let (Ok(header), Ok((json, _))) = (parse_header(token), parse_claims::<TokenJson>(token)) {
            facts = self.facts(token, now, &header, &json);
        }
        let user = match self.verify(token, now) {
            Ok(verified) if verified.is_for_connection() => self.verify_connection(token, now).map(|it| it.claims.user.to_string()),
            other => other.map(|verified| verified.user.to_string()),
        };
        TokenReport { facts, verdict: user }
    }

    fn facts(&self, token: &str, now: Duration, header: &Header, json: &TokenJson) -> Vec<(&'static str, String)> {
        let (at, issuer) = self.issuer_of(json.iss.as_deref());
        let setting = at.map_or_else(|| "tokens.hmac_secret".to_owned(), |at| format!("tokens.issuers[{at}]"));
        let mut facts = vec![
            ("kind", if json.channel.is_some() { "subscription token" } else { "connection token" }.to_owned()),
            (
                "issuer",
                format!("{}: the keys of {setting} count", json.iss.as_deref().map_or_else(|| "none".into(), |iss| format!("{iss:?}"))),
            ),
            ("key", key(issuer, header, token)),
            ("audience", audience(json.aud.as_ref())),
        ];
        facts.extend(json.exp.map(|exp| ("expires", moment(exp.0, now))));
        facts.extend(json.nbf.map(|nbf| ("valid", moment(nbf.0, now))));
        facts.extend(json.iat.map(|iat| ("issued", moment(iat.0, now))));
        let capabilities = json.capabilities.as_deref().and_then(|claim| Capabilities::parse(claim).ok());
        facts.extend(capabilities.and_then(|all| Some(("allows", serde_json::to_string(&all).ok()?))));
        facts
    }
}

fn key(issuer: &Issuer, header: &Header, token: &str) -> String {
    let named = header.kid.as_deref().map_or_else(|| "without a name (kid)".into(), |kid| format!("{kid:?}"));
    let Ok(keys) = issuer.keys() else { return format!("{named}, {:?}; there are no keys", header.alg) };
    let tried = keys.candidates(header.kid.as_deref(), header.alg).count();
    let (message, signature) = token.rsplit_once('.').unwrap_or_default();
    let signed = keys.candidates(header.kid.as_deref(), header.alg).any(|key| key.has_signed(message, signature));
    let found = if signed { "the signature is good" } else { "none of them has signed it" };
    format!("{named}, {:?}; {tried} of {} keys fit: {found}", header.alg, keys.len())
}

fn audience(aud: Option<&OneOrMany>) -> String {
    match aud {
        None => "none".into(),
        Some(OneOrMany::One(one)) => format!("{one:?}"),
        Some(OneOrMany::Many(many)) => format!("{many:?}"),
    }
}

fn moment(at: Duration, now: Duration) -> String {
    let seconds = |of: Duration| show_duration(Duration::from_secs(of.as_secs()));
    match at.checked_sub(now) {
        Some(left) => format!("in {}", seconds(left)),
        None => format!("{} ago", seconds(now.saturating_sub(at))),
    }
}
