//! The number that a producer gives to a publish.

use super::{ErrorCode, Refusal};
use shared_proto::producer::{MAX_NUMBER, Producer};

/// A checked number of a publish. The publishes of a producer into a channel are carried out once each, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerNumber {
    id: Box<str>,
    epoch: u64,
    seq: u64,
}

impl ProducerNumber {
    /// Checks a number.
    pub fn new(producer: Producer) -> Result<Self, Refusal> {
        let Producer { id, epoch, seq } = producer;
        let bad_request = |detail| Err(Refusal::new(ErrorCode::BadRequest, detail));
        if !(1..=255).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return bad_request("`producer.id` must be 1 to 255 visible ASCII characters.".to_owned());
        }
        for (name, number) in [("epoch", epoch), ("seq", seq)] {
            if number > MAX_NUMBER {
                return bad_request(format!("`producer.{name}` is {number}; it must be at most {MAX_NUMBER} (2^53-1)."));
            }
        }
        Ok(Self { id: id.into(), epoch, seq })
    }

    /// The producer.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The epoch of the producer.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the publish in its epoch.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}
