//! The table of destinations.

use super::destination::{AfterRefusal, CallTarget, Destination, DestinationRule, InvalidRule, Target};
use crate::model::{ErrorCode, Refusal};

/// What the destinations of a STOMP client stand for. The row with the longest prefix applies.
#[derive(Clone, Debug)]
pub struct DestinationTable {
    /// Longest prefix first.
    rules: Box<[DestinationRule]>,
}

/// A row that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct InvalidTable {
    /// The index of the row, from 0.
    pub row: usize,
    /// What is wrong with it.
    pub problem: InvalidRule,
}

/// Why a destination leads nowhere.
#[derive(Debug)]
pub(crate) enum Unresolved {
    /// No row is for it.
    Unknown(Refusal),
    /// A row is for it, but it stands for nothing; or clients may not use it in this way.
    Refused(Refusal, AfterRefusal),
}

/// What the client wants to do with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Send,
    Subscribe,
}

/// Destinations that other brokers know and this gateway does not offer, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("/temp-queue/", TEMPORARY),
    ("/temp-topic/", TEMPORARY),
    ("/reply-queue/", TEMPORARY),
    ("/amq/queue/", COMPETING),
    ("/exchange/", COMPETING),
    ("/user/", "Clients cannot send to users, and the rest after /user/ has to begin with queue/. Let a service send to the user."),
];
const PATTERN: &str = "The gateway has no patterns in SUBSCRIBE. Subscribe to each destination by its whole name.";
const TEMPORARY: &str = "The gateway has no temporary queues. Take the reply of a call from /user/queue/ instead.";
const COMPETING: &str = "The gateway has no queues whose messages go to one consumer each, and no exchanges: every subscriber gets every message. Use /topic/ or /queue/.";

impl DestinationTable {
    /// A table with these rows.
    pub fn new(rules: Vec<DestinationRule>) -> Result<Self, InvalidTable> {
        for (row, rule) in rules.iter().enumerate() {
            rule.check().map_err(|problem| InvalidTable { row, problem })?;
            if rules.iter().take(row).any(|earlier| earlier.prefix == rule.prefix) {
                return Err(InvalidTable { row, problem: InvalidRule::SamePrefix(rule.prefix.clone()) });
            }
        }
        let mut sorted = rules.clone();
        sorted.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.len()));
        let table = Self { rules: sorted.into() };
        for (row, rule) in rules.iter().enumerate() {
            if let Target::Call(call) = &rule.target
                && let Some(sample) = call.sample_reply()
                && !table.takes_replies(&sample)
            {
                let template = call.reply.clone().unwrap_or_default();
                return Err(InvalidTable { row, problem: InvalidRule::Reply(template) });
            }
        }
        Ok(table)
    }

    /// What a destination stands for, and its row.
    pub(crate) fn resolve(&self, destination: &str, wanted: Use) -> Result<(Destination, &DestinationRule), Unresolved> {
        let Some((rule, rest)) = self.find(destination) else { return Err(unknown(destination)) };
        let (is_allowed, verb, other) = match wanted {
            Use::Send => (rule.send, "SEND", "SUBSCRIBE"),
            Use::Subscribe => (rule.subscribe, "SUBSCRIBE", "SEND"),
        };
        if !is_allowed {
            let detail = format!("Clients may not {verb} to {destination}, only {other}. The settings (stomp.destinations) say so.");
            return Err(Unresolved::Refused(Refusal::new(ErrorCode::PermissionDenied, detail), rule.after_refusal));
        }
        let has_subscribers = !matches!(rule.target, Target::Call(_) | Target::Event { .. });
        if wanted == Use::Subscribe && has_subscribers && destination.contains(['*', '?', '{']) {
            return Err(Unresolved::Refused(Refusal::new(ErrorCode::NotAvailable, PATTERN), rule.after_refusal));
        }
        let found = rule.resolve(destination, rest).map_err(|refusal| Unresolved::Refused(refusal, rule.after_refusal))?;
        Ok((found, rule))
    }

    /// Where a reply to this destination goes.
    pub(crate) fn resolve_reply(&self, destination: &str) -> Result<Destination, Refusal> {
        let (rule, rest) = self.find(destination).ok_or_else(|| Refusal::new(ErrorCode::BadRequest, no_row(destination)))?;
        rule.resolve(destination, rest)
    }

    fn find<'a>(&self, destination: &'a str) -> Option<(&DestinationRule, &'a str)> {
        self.rules.iter().find_map(|rule| rule.rest(destination).map(|rest| (rule, rest)))
    }

    fn takes_replies(&self, destination: &str) -> bool {
        self.find(destination).is_some_and(|(rule, rest)| {
            matches!(rule.target, Target::Channel { .. } | Target::UserQueue) && rule.resolve(destination, rest).is_ok()
        })
    }
}

impl Default for DestinationTable {
    /// `/topic/` and `/queue/` are channels, `/user/queue/` are the user's queues, `/app/` are calls.
    fn default() -> Self {
        let call = CallTarget { service: None, method: None, reply: Some("/user/queue/{service}/{method}".into()) };
        let channel = || Target::Channel { namespace: None };
        let rules = [("/topic/", channel()), ("/queue/", channel()), ("/user/queue/", Target::UserQueue), ("/app/", Target::Call(call))];
        let mut rules = rules.map(|(prefix, target)| DestinationRule::new(prefix, target));
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.len()));
        Self { rules: rules.into() }
    }
}

fn unknown(destination: &str) -> Unresolved {
    match NOT_OFFERED.iter().find(|(prefix, _)| destination.starts_with(prefix)) {
        Some((_, why)) => Unresolved::Unknown(Refusal::new(ErrorCode::NotAvailable, *why)),
        None => Unresolved::Unknown(Refusal::new(ErrorCode::NotFound, no_row(destination))),
    }
}

fn no_row(destination: &str) -> String {
    format!("The destination {destination:?} is unknown. Use one of the prefixes in the settings (stomp.destinations), such as /topic/.")
}
