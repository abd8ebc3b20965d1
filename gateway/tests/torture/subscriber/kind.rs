//! The kinds of subscribers, and how frequent each is.

use clap::ValueEnum;
use std::str::FromStr;

/// What a subscriber speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub(crate) enum SubscriberKind {
    /// The frontend protocol over a WebSocket, in JSON or Protobuf.
    WebSocket,
    /// STOMP.
    Stomp,
    /// The frontend protocol over `http_stream`, in JSON.
    HttpStream,
    /// The frontend protocol over `http_stream`, in Protobuf.
    HttpStreamProtobuf,
    /// The frontend protocol over `sse`.
    Sse,
    /// An EventSource with one channel.
    Events,
    /// An EventSource with several channels.
    EventsMany,
}

impl SubscriberKind {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// How frequent a kind is, beside the others: `sse=2`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    kind: SubscriberKind,
    weight: u32,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, weight) = text.split_once('=').ok_or("a kind and its share look like sse=2")?;
        let weight = weight.parse().map_err(|error| format!("{weight}: {error}"))?;
        Ok(Self { kind: SubscriberKind::from_str(kind, false)?, weight })
    }
}

/// The kinds of this many subscribers. The kinds alternate, so that each has subscribers of all channels.
pub(crate) fn kinds(shares: &[Share], count: usize) -> Vec<SubscriberKind> {
    let total: i64 = shares.iter().map(|share| i64::from(share.weight)).sum();
    assert!(total > 0, "no kind of subscribers has a share");
    let mut credits = vec![0; shares.len()];
    let next = || {
        credits.iter_mut().zip(shares).for_each(|(credit, share)| *credit += i64::from(share.weight));
        let largest = (0..shares.len()).max_by_key(|at| credits[*at]).expect("there are shares");
        credits[largest] -= total;
        shares[largest].kind
    };
    std::iter::repeat_with(next).take(count).collect()
}
