//! The answers of the scripts that publish.

use crate::broker::redis::schema::answers::text;
use gateway_core::model::{Epoch, Span};
use redis::Value;
use std::str::FromStr;

/// What a script did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublishAnswer {
    /// It stored the publications at these positions.
    Stored {
        span: Span,
        /// Whether the history was empty before.
        is_first: bool,
        /// Whether it sent the publications to the subscribers.
        is_announced: bool,
    },
    /// It sent the publication to the subscribers without storing it.
    Announced,
    /// An earlier publish did the work. Where, if that was stored and is remembered.
    Replayed(Option<Span>),
    Mismatch,
    Gap(u64),
    Fenced(u64),
    /// Of an entry of ingest: the channel has passed it.
    Passed,
    /// Of an entry of ingest: the channel has not passed the entry before it.
    Early,
    /// Of an entry of ingest: its partition has an owner with this higher epoch.
    Stale(u64),
}

impl PublishAnswer {
    /// Reads the answer to a publish of `count` publications. None if no script can give this answer.
    pub(super) fn read(value: Value, count: usize) -> Option<Self> {
        let parts = match value {
            Value::Array(parts) => parts,
            // The number of receivers, from PUBLISH.
            Value::Int(_) => return Some(Self::Announced),
            _ => return None,
        };
        let parts: Vec<_> = parts.into_iter().map_while(text).collect();
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        Some(match parts[..] {
            [what @ ("stored" | "unannounced"), epoch, offset, is_first] => {
                Self::Stored { span: span_to(epoch, offset, count)?, is_first: is_first == "1", is_announced: what == "stored" }
            }
            ["announced"] => Self::Announced,
            ["replayed" | "done"] => Self::Replayed(None),
            ["replayed", epoch, offset] => Self::Replayed(Some(span_to(epoch, offset, count)?)),
            ["done", epoch, first, last] => {
                Self::Replayed(Some(Span { epoch: Epoch::parse(epoch)?, first: number(first)?, last: number(last)? }))
            }
            ["mismatch"] => Self::Mismatch,
            ["gap", expected] => Self::Gap(number(expected)?),
            ["fenced", epoch] => Self::Fenced(number(epoch)?),
            ["passed"] => Self::Passed,
            ["early"] => Self::Early,
            ["stale", epoch] => Self::Stale(number(epoch)?),
            _ => return None,
        })
    }

    /// Whether this is the first publication of an empty history.
    pub(super) fn is_first(self) -> bool {
        matches!(self, Self::Stored { is_first: true, .. })
    }

    /// The positions in the answer.
    pub(super) fn span(self) -> Option<Span> {
        match self {
            Self::Stored { span, .. } => Some(span),
            Self::Replayed(span) => span,
            _ => None,
        }
    }
}

/// The positions of `count` publications, of which this is the last offset.
fn span_to(epoch: &str, last: &str, count: usize) -> Option<Span> {
    let last = number::<u64>(last)?;
    Some(Span { epoch: Epoch::parse(epoch)?, first: last.checked_sub(count as u64)? + 1, last })
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}
