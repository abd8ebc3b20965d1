//! The answers of the scripts that publish.

use crate::broker::redis::schema::answers::text;
use gateway_core::model::{Epoch, Position, Span};
use redis::Value;
use std::str::FromStr;

/// What a script did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublishAnswer {
    /// It stored the publication at this position.
    Stored {
        position: Position,
        /// Whether the history was empty before.
        is_first: bool,
        /// Whether it sent the publication to the subscribers.
        is_announced: bool,
    },
    /// It sent the publication to the subscribers without storing it.
    Announced,
    /// An earlier publish did the work. Where, if that was stored and is remembered.
    Replayed(Option<Span>),
    Mismatch,
    Gap(u64),
    Fenced(u64),
}

impl PublishAnswer {
    /// None if no script can give this answer.
    pub(super) fn read(value: Value) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        let parts: Vec<_> = parts.into_iter().map_while(text).collect();
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        Some(match parts[..] {
            [what @ ("stored" | "unannounced"), epoch, offset, is_first] => Self::Stored {
                position: Position { epoch: Epoch::parse(epoch)?, offset: number(offset)? },
                is_first: is_first == "1",
                is_announced: what == "stored",
            },
            ["announced"] => Self::Announced,
            ["replayed" | "done"] => Self::Replayed(None),
            ["replayed", epoch, offset] => Self::Replayed(Some(span(epoch, offset, offset)?)),
            ["done", epoch, first, last] => Self::Replayed(Some(span(epoch, first, last)?)),
            ["mismatch"] => Self::Mismatch,
            ["gap", expected] => Self::Gap(number(expected)?),
            ["fenced", epoch] => Self::Fenced(number(epoch)?),
            _ => return None,
        })
    }

    /// Whether this is the first publication of an empty history.
    pub(super) fn is_first(self) -> bool {
        matches!(self, Self::Stored { is_first: true, .. })
    }

    /// The position in the answer.
    pub(super) fn position(self) -> Option<Position> {
        match self {
            Self::Stored { position, .. } => Some(position),
            Self::Replayed(span) => span.map(Span::end),
            _ => None,
        }
    }
}

fn span(epoch: &str, first: &str, last: &str) -> Option<Span> {
    Some(Span { epoch: Epoch::parse(epoch)?, first: number(first)?, last: number(last)? })
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}
