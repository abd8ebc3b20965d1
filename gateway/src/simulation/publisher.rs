//! Publishes through the nodes, and what their answers promise. Every publication is a number of its own.

use super::wake_flag::Flag;
use crate::broker::{Broker, BrokerError, IdempotencyKey, NewPublication, Published, simulated::Server};
use gateway_core::model::{ChannelName, Data, Position, Retention, Tags};
use serde_json::value::to_raw_value;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// See the module.
pub(super) struct Publisher {
    flag: Arc<Flag>,
    last: u64,
    issued: u64,
    waiting: Vec<Waiting>,
    /// Stored or not: who knows. Only those with a key may be published again.
    unknown: Vec<Unknown>,
    refused: Vec<Draft>,
    /// By node and channel: the order in which they came, and what they were answered.
    stored: Vec<(usize, String, u64, Position)>,
}

/// What is published.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    number: u64,
    pub(super) channel: String,
    /// It has a key of its own, under which it may be published again.
    keyed: bool,
    again: bool,
}

struct Unknown {
    draft: Draft,
    node: usize,
    issue: u64,
    /// Whether it was stored by then. What was not never will be.
    is_stored: bool,
}

struct Waiting {
    draft: Draft,
    node: usize,
    issue: u64,
    answer: Pin<Box<dyn Future<Output = Result<Published, BrokerError>>>>,
}

impl Publisher {
    pub(super) fn new() -> Self {
        let (waiting, unknown, refused, stored) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { flag: Flag::new(), last: 0, issued: 0, waiting, unknown, refused, stored }
    }

    pub(super) fn draft(&mut self, channel: &str, keyed: bool) -> Draft {
        self.last += 1;
        Draft { number: self.last, channel: channel.to_owned(), keyed, again: false }
    }

    /// One whose outcome is not known, to be published once more.
    pub(super) fn again(&mut self) -> Option<Draft> {
        let at = self.unknown.iter().position(|unknown| unknown.draft.keyed)?;
        Some(Draft { again: true, ..self.unknown.swap_remove(at).draft })
    }

    pub(super) fn publish(&mut self, draft: Draft, node: usize, broker: &Arc<Broker>, size: u32) {
        let key = draft.keyed.then(|| IdempotencyKey { scope: "s".into(), key: draft.number.to_string().into(), fingerprint: [1; 32] });
        let publication = NewPublication {
            data: Data::parse(&to_raw_value(&draft.number).expect("a number")).expect("shallow"),
            tags: Tags::new(),
            info: None,
            traceparent: None,
            retention: Some(Retention { size, ttl: Duration::from_hours(1) }),
            idempotency: key,
        };
        let (broker, channel) = (broker.clone(), draft.channel.parse::<ChannelName>().expect("valid"));
        self.issued += 1;
        let answer = Box::pin(async move { broker.publish(&channel, publication).await });
        self.waiting.push(Waiting { draft, node, issue: self.issued, answer });
        let _ = self.poll_all();
    }

    /// Takes the answers that have come. Answers whether there was anything to do, or what is wrong.
    pub(super) fn poll(&mut self, server: &mut Server) -> Result<bool, String> {
        if !self.flag.take() {
            return Ok(false);
        }
        for (Waiting { draft, node, issue, .. }, answer) in self.poll_all() {
            self.answered(draft, node, issue, answer, server)?;
        }
        Ok(true)
    }

    fn poll_all(&mut self) -> Vec<(Waiting, Result<Published, BrokerError>)> {
        let waker = Waker::from(self.flag.clone());
        let mut cx = Context::from_waker(&waker);
        let (mut ended, mut at) = (Vec::new(), 0);
        while let Some(waiting) = self.waiting.get_mut(at) {
            match waiting.answer.as_mut().poll(&mut cx) {
                Poll::Pending => at += 1,
                Poll::Ready(answer) => ended.push((self.waiting.remove(at), answer)),
            }
        }
        ended
    }

    fn answered(
        &mut self,
        draft: Draft,
        node: usize,
        issue: u64,
        answer: Result<Published, BrokerError>,
        server: &mut Server,
    ) -> Result<(), String> {
        match answer {
            Ok(Published { position: Some(position), .. }) => {
                let there = server.lineage(&draft.channel).at(position);
                // A flawed store may not have it yet; then subscribers find out.
                if there.is_some_and(|there| there != draft.number) {
                    return Err(format!("{draft:?}, answered to be at {position:?}: {there:?} stands there"));
                }
                if !draft.again {
                    self.in_order(&draft, node, issue, position)?;
                }
            }
            Err(BrokerError::Unavailable(_)) if !draft.again => self.refused.push(draft),
            Err(BrokerError::Unavailable(_) | BrokerError::OutcomeUnknown) => {
                let is_stored = server.lineage(&draft.channel).find(draft.number).is_some();
                self.unknown.push(Unknown { draft, node, issue, is_stored });
            }
            other => return Err(format!("{draft:?}, answered {other:?}")),
        }
        Ok(())
    }

    /// What came earlier stands earlier.
    fn in_order(&mut self, draft: &Draft, node: usize, issue: u64, at: Position) -> Result<(), String> {
        let others = self.stored.iter().filter(|(n, channel, _, other)| (*n, channel, other.epoch) == (node, &draft.channel, at.epoch));
        for (_, _, other, position) in others {
            if (*other < issue) != (position.offset < at.offset) {
                return Err(format!("{draft:?} stands at {at:?}, and what came {other} to its {issue} at {position:?}"));
            }
        }
        self.stored.push((node, draft.channel.clone(), issue, at));
        Ok(())
    }

    /// What it waits for.
    pub(super) fn waits(&self) -> Option<String> {
        self.waiting.first().map(|waiting| format!("{:?} has no answer", waiting.draft))
    }

    /// At the end: what was refused is stored nowhere, what nobody knows of not later than it was said, and not behind anything that came later.
    pub(super) fn check(&mut self, server: &mut Server) -> Result<(), String> {
        for draft in &self.refused {
            if let Some(at) = server.lineage(&draft.channel).find(draft.number) {
                return Err(format!("{draft:?} was refused for good, and stored at {at:?}"));
            }
        }
        let unknown = std::mem::take(&mut self.unknown);
        for Unknown { draft, node, issue, is_stored } in unknown.iter().filter(|unknown| !unknown.draft.again) {
            let Some(at) = server.lineage(&draft.channel).find(draft.number) else { continue };
            if !is_stored {
                return Err(format!("{draft:?} was given up, and stored at {at:?} all the same"));
            }
            self.in_order(draft, *node, *issue, at)?;
        }
        Ok(())
    }
}
