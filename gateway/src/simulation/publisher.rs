//! Publishes through the nodes, and checks the guarantees of the answers. Each publication is a unique number.

use super::{
    producers::{self, SimulatedProducers},
    situations::Situation,
    wake_flag::WakeFlag,
};
use crate::broker::{
    Broker, BrokerError, IdempotencyKey, NewPublication, PublishIdentity, Published,
    simulated::{Server, payload},
};
use gateway_core::model::{ChannelName, Position, Retention};
use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// See the module.
pub(super) struct Publisher {
    flag: Arc<WakeFlag>,
    last: u64,
    issued: u64,
    waiting: Vec<Waiting>,
    /// Publishes of unknown outcome. Only those with a key may be repeated.
    unknown: Vec<Unknown>,
    refused: Vec<Draft>,
    producers: SimulatedProducers,
    /// By node and channel: the order of the publishes, and the positions in their answers.
    stored: Vec<(usize, String, u64, Position)>,
    pub(super) reached: BTreeSet<Situation>,
}

/// One publication.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    number: u64,
    pub(super) channel: String,
    /// Whether it has an idempotency key, and may be repeated.
    keyed: bool,
    again: bool,
    /// The number of a producer's publish.
    seq: Option<u64>,
}

struct Unknown {
    draft: Draft,
    node: usize,
    issue: u64,
    /// Whether it was stored at that time. If not, it must never be.
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
        let producers = SimulatedProducers::default();
        Self { flag: WakeFlag::new(), last: 0, issued: 0, waiting, unknown, refused, producers, stored, reached: BTreeSet::new() }
    }

    pub(super) fn draft(&mut self, channel: &str, keyed: bool) -> Draft {
        self.last += 1;
        Draft { number: self.last, channel: channel.to_owned(), keyed, again: false, seq: None }
    }

    /// A publish of the channel's producer. `ahead` 1: its next number; 0: the one before.
    pub(super) fn produce(&mut self, channel: &str, ahead: u64) -> Draft {
        let producer = self.producers.of(channel);
        let seq = (producer.next + ahead).saturating_sub(1);
        while producer.numbers.len() as u64 <= seq {
            self.last += 1;
            producer.numbers.push(self.last);
        }
        let number = producer.numbers[seq as usize];
        // Its order is that of the numbers, and not that of the requests.
        Draft { number, channel: channel.to_owned(), keyed: false, again: true, seq: Some(seq) }
    }

    /// A publication of unknown outcome, to be published again.
    pub(super) fn again(&mut self) -> Option<Draft> {
        let at = self.unknown.iter().position(|unknown| unknown.draft.keyed)?;
        Some(Draft { again: true, ..self.unknown.swap_remove(at).draft })
    }

    pub(super) fn publish(&mut self, draft: Draft, node: usize, broker: &Arc<Broker>, size: u32) {
        let key = || IdempotencyKey { scope: "s".into(), key: draft.number.to_string().into(), fingerprint: [1; 32] };
        let identity = match draft.seq {
            Some(seq) => Some(producers::identity(seq)),
            None => draft.keyed.then(|| PublishIdentity::Key(key())),
        };
        let publication = NewPublication {
            content: payload::content(draft.number),
            tags: payload::tags(draft.number),
            info: None,
            traceparent: None,
            retention: Some(Retention { size, ttl: Duration::from_hours(1) }),
            identity,
        };
        let (broker, channel) = (broker.clone(), draft.channel.parse::<ChannelName>().expect("valid"));
        self.issued += 1;
        let answer = Box::pin(async move { broker.publish(&channel, publication).await });
        self.waiting.push(Waiting { draft, node, issue: self.issued, answer });
        let _ = self.poll_all();
    }

    /// Handles the answers that have come. Returns whether there were any, or the violated guarantee.
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
        self.reached.extend(match answer {
            Ok(Published { replayed: true, .. }) => Some(Situation::PublishReplayed),
            Ok(_) => None,
            Err(BrokerError::OutcomeUnknown) => Some(Situation::OutcomeUnknown),
            Err(BrokerError::SequenceGap { .. }) => Some(Situation::SequenceGap),
            Err(_) => Some(Situation::PublishRefused),
        });
        if let Some(seq) = draft.seq {
            let is_set_back = self.producers.of(&draft.channel).answered(seq, &answer);
            self.reached.extend(is_set_back.then_some(Situation::ProducerSetBack));
        }
        match answer {
            Ok(Published { position: None, .. }) | Err(BrokerError::SequenceGap { .. }) if draft.seq.is_some() => {}
            Ok(Published { position: Some(position), .. }) => {
                let there = server.lineage(&draft.channel).at(position);
                // A store with a flaw may not have it yet; then subscribers detect that.
                if there.is_some_and(|there| there != draft.number) {
                    return Err(format!("{draft:?}, acknowledged with position {position:?}, where the store has {there:?}"));
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

    // NL-0.3
    /// Checks that publishes are stored in the order of their arrival.
    fn in_order(&mut self, draft: &Draft, node: usize, issue: u64, at: Position) -> Result<(), String> {
        let others = self.stored.iter().filter(|(n, channel, _, other)| (*n, channel, other.epoch) == (node, &draft.channel, at.epoch));
        for (_, _, other, position) in others {
            if (*other < issue) != (position.offset < at.offset) {
                return Err(format!("{draft:?} has position {at:?} as publish number {issue}, and number {other} has {position:?}"));
            }
        }
        self.stored.push((node, draft.channel.clone(), issue, at));
        Ok(())
    }

    /// A publish that waits for its answer.
    pub(super) fn waits(&self) -> Option<String> {
        self.waiting.first().map(|waiting| format!("{:?} has no answer", waiting.draft))
    }

    // NL-2.7
    /// At the end: a refused publish is not stored; one of unknown outcome is stored no later than its answer, and in order.
    pub(super) fn check(&mut self, server: &mut Server) -> Result<(), String> {
        self.producers.check(server)?;
        for draft in &self.refused {
            if let Some(at) = server.lineage(&draft.channel).find(draft.number) {
                return Err(format!("{draft:?} was refused, and is stored at {at:?}"));
            }
        }
        let unknown = std::mem::take(&mut self.unknown);
        for Unknown { draft, node, issue, is_stored } in unknown.iter().filter(|unknown| !unknown.draft.again) {
            let Some(at) = server.lineage(&draft.channel).find(draft.number) else { continue };
            if !is_stored {
                return Err(format!("{draft:?} was stored at {at:?} after its outcome was reported as unknown"));
            }
            self.in_order(draft, *node, *issue, at)?;
        }
        Ok(())
    }
}
