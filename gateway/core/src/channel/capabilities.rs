//! What a connection token allows in channels: its claim `capabilities`.

use crate::model::ChannelName;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use shared_proto::name::check_channel;
use std::fmt;

/// Largest number of patterns in one token.
const PATTERNS: usize = 64;
/// Largest size of all patterns of one token together, in bytes. A connection keeps them.
const PATTERN_BYTES: usize = 4096;

/// Something that a frontend may do in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Subscribe, and recover what was missed.
    Subscribe,
    /// Publish.
    Publish,
    /// Read presence, or its numbers.
    Presence,
    /// Read the history.
    History,
}

impl Capability {
    /// All values.
    pub const ALL: [Self; 4] = [Self::Subscribe, Self::Publish, Self::Presence, Self::History];

    /// The name in the claim.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Presence => "presence",
            Self::History => "history",
        }
    }

    /// What the frontend does, in a sentence.
    pub(super) const fn verb(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Presence => "see presence",
            Self::History => "read the history",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What a frontend may do in which channels, within what their namespaces allow. Without a rule it may do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Box<[Rule]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// The channel, or the beginning of the channels.
    name: Box<str>,
    is_prefix: bool,
    /// The bits of the capabilities.
    allowed: u8,
}

/// Why a claim is invalid. The texts continue "has capabilities that", and have no content of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCapabilities {
    /// It is something else.
    #[error("are no object with lists of strings, such as {{\"chat:*\": [\"subscribe\"]}}")]
    Shape,
    /// It has too many patterns.
    #[error("have more than {PATTERNS} patterns")]
    TooMany,
    /// It is too large.
    #[error("have patterns of more than {PATTERN_BYTES} bytes together")]
    TooLarge,
    /// A key is no pattern.
    #[error("have a pattern that is no channel, or the beginning of channels with one * at its end")]
    Pattern,
    /// A key occurs twice.
    #[error("have a pattern twice")]
    Twice,
    /// An action is unknown.
    #[error("have an action other than subscribe, publish, presence and history")]
    Action,
}

impl Capabilities {
    /// Reads the claim.
    pub fn parse(claim: &RawValue) -> Result<Self, InvalidCapabilities> {
        let Pairs(pairs) = serde_json::from_str(claim.get()).map_err(|_| InvalidCapabilities::Shape)?;
        if pairs.len() > PATTERNS {
            return Err(InvalidCapabilities::TooMany);
        }
        if pairs.iter().map(|(pattern, _)| pattern.len()).sum::<usize>() > PATTERN_BYTES {
            return Err(InvalidCapabilities::TooLarge);
        }
        let mut rules = pairs.iter().map(|(pattern, actions)| Rule::new(pattern, actions)).collect::<Result<Vec<_>, _>>()?;
        rules.sort_unstable_by(|one, other| (&one.name, one.is_prefix).cmp(&(&other.name, other.is_prefix)));
        if rules.windows(2).any(|pair| (&pair[0].name, pair[0].is_prefix) == (&pair[1].name, pair[1].is_prefix)) {
            return Err(InvalidCapabilities::Twice);
        }
        Ok(Self(rules.into()))
    }

    /// Whether a pattern of the channel allows it.
    pub fn allow(&self, channel: &ChannelName, capability: Capability) -> bool {
        self.0.iter().any(|rule| rule.allowed & capability.bit() != 0 && rule.matches(channel))
    }
}

impl Rule {
    fn new(pattern: &str, actions: &[String]) -> Result<Self, InvalidCapabilities> {
        let (name, is_prefix) = pattern.strip_suffix('*').map_or((pattern, false), |prefix| (prefix, true));
        // A prefix is the beginning of a channel if one more character makes it one.
        let is_valid = if is_prefix { check_channel(&format!("{name}x")) } else { check_channel(name) };
        if is_valid.is_err() || name.contains('*') {
            return Err(InvalidCapabilities::Pattern);
        }
        let mut allowed = 0;
        for action in actions {
            let known = Capability::ALL.into_iter().find(|known| known.name() == action);
            allowed |= known.ok_or(InvalidCapabilities::Action)?.bit();
        }
        Ok(Self { name: name.into(), is_prefix, allowed })
    }

    fn matches(&self, channel: &str) -> bool {
        if self.is_prefix { channel.starts_with(&*self.name) } else { *self.name == *channel }
    }
}

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|rule| {
            let actions = Capability::ALL.into_iter().filter(|each| rule.allowed & each.bit() != 0).map(Capability::name);
            (format!("{}{}", rule.name, if rule.is_prefix { "*" } else { "" }), actions.collect::<Vec<_>>())
        }))
    }
}

/// The members of an object, repeated ones too.
struct Pairs(Vec<(String, Vec<String>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with lists of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = members.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests;
