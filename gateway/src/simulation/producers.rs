//! Producers: one for each channel, whose requests are repeated, lost and sent before their turn.

use crate::broker::{BrokerError, PublishIdentity, Published, simulated::Server};
use gateway_core::model::{Position, ProducerNumber};
use shared_proto::producer::Producer;
use std::collections::BTreeMap;

/// The producers by channel.
#[derive(Default)]
pub(super) struct SimulatedProducers(BTreeMap<String, SimulatedProducer>);

/// One producer.
#[derive(Default)]
pub(super) struct SimulatedProducer {
    /// The number after the last acknowledged one.
    pub(super) next: u64,
    /// The publication of each number.
    pub(super) numbers: Vec<u64>,
}

/// The identity of a publish.
pub(super) fn identity(seq: u64) -> PublishIdentity {
    let producer = Producer { id: "p".into(), epoch: 1, seq };
    PublishIdentity::Producer(ProducerNumber::new(producer).expect("valid"))
}

impl SimulatedProducers {
    pub(super) fn of(&mut self, channel: &str) -> &mut SimulatedProducer {
        self.0.entry(channel.to_owned()).or_default()
    }

    // NL-2.15, NL-2.17
    /// Checks that the timeline of each channel contains the numbers of its producer once, in order and without a gap.
    pub(super) fn check(&self, server: &mut Server) -> Result<(), String> {
        for (channel, producer) in &self.0 {
            let Some(Position { epoch, offset: top }) = server.top(channel) else { continue };
            let lineage = server.lineage(channel);
            let stored = (1..=top).filter_map(|offset| lineage.at(Position { epoch, offset }));
            let numbers: Vec<_> = stored.filter(|what| producer.numbers.contains(what)).collect();
            if !producer.numbers.starts_with(&numbers) {
                return Err(format!("{channel}: the producer's publications are {:?}, stored are {numbers:?}", producer.numbers));
            }
        }
        Ok(())
    }
}

impl SimulatedProducer {
    /// Takes an answer. Returns whether the producer has to send acknowledged publishes again.
    pub(super) fn answered(&mut self, seq: u64, answer: &Result<Published, BrokerError>) -> bool {
        let before = self.next;
        match answer {
            Ok(_) => self.next = self.next.max(seq + 1),
            // An answer that was late sets it back too far; the repeats are then answered as done.
            Err(BrokerError::SequenceGap { expected }) => self.next = *expected,
            Err(_) => {}
        }
        self.next < before
    }
}
