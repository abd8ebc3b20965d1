//! What tells a repeat of a publish from a new one.

use crate::broker::{BrokerError, IdempotencyKey, PublishIdentity};
use gateway_core::model::{ErrorCode, ProducerNumber, Refusal};
use shared_proto::producer::Producer;

/// The caller's idempotency key of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerKey {
    /// The name of the API key. Keys of different callers are independent.
    scope: Box<str>,
    /// 1 to 255 visible ASCII characters.
    key: Box<str>,
}

impl CallerKey {
    /// Checks a key.
    pub fn new(scope: &str, key: &str) -> Result<Self, Refusal> {
        let valid = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if !valid {
            return Err(Refusal::new(ErrorCode::BadRequest, "The idempotency key must be 1 to 255 visible ASCII characters."));
        }
        Ok(Self { scope: scope.into(), key: key.into() })
    }

    pub(super) fn into_key(self) -> Box<str> {
        self.key
    }
}

/// What tells a repeat of a publish from a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerIdentity {
    /// The caller's idempotency key.
    Key(CallerKey),
    /// The number of a producer.
    Producer(ProducerNumber),
}

impl CallerIdentity {
    /// The identity of a publish with a key or a producer. None if it has neither.
    pub fn new(key: Option<CallerKey>, producer: Option<Producer>) -> Result<Option<Self>, Refusal> {
        match (key, producer) {
            (Some(_), Some(_)) => Err(Refusal::new(
                ErrorCode::InvalidProducer,
                "A publish has an idempotency key or a `producer`, not both. Leave out the key: the number tells repeats, too.",
            )),
            (None, Some(producer)) => Ok(Some(Self::Producer(ProducerNumber::new(producer)?))),
            (key, None) => Ok(key.map(Self::Key)),
        }
    }

    /// The identity for the broker. `fingerprint` makes the digest of the request.
    pub(super) fn for_broker(self, fingerprint: impl FnOnce() -> [u8; 32]) -> PublishIdentity {
        match self {
            Self::Key(CallerKey { scope, key }) => PublishIdentity::Key(IdempotencyKey { scope, key, fingerprint: fingerprint() }),
            Self::Producer(number) => PublishIdentity::Producer(number),
        }
    }

    // NL-2.8
    /// The refusal for an error of the broker. If the outcome is unknown, it says how to repeat the publish.
    pub(super) fn refusal(identity: Option<&Self>, error: BrokerError) -> Refusal {
        let mut refusal = Refusal::from(error);
        if refusal.code == ErrorCode::OutcomeUnknown {
            refusal.detail = match identity {
                Some(Self::Key(CallerKey { key, .. })) => {
                    format!("The store did not confirm in time. Send the request again with the same idempotency key, {key}.")
                }
                Some(Self::Producer(number)) => {
                    let seq = number.seq();
                    format!("The store did not confirm in time. Send the request again with the same `producer`, number {seq}.")
                }
                None => "The store did not confirm in time, and the request had no idempotency key: a repeat may publish twice. Send a key with every request.".into(),
            };
        }
        refusal
    }
}
