//! Publications of ingest.

use super::{CallerIdentity, CallerKey, Draft, Publisher};
use crate::broker::{BrokerError, IdempotencyKey, IngestIdentity, PublishIdentity, Published};
use gateway_core::{
    model::{ProducerNumber, Refusal},
    queue::EntryPlace,
};

// No API key has such a name.
/// The scope of the idempotency keys that entries have, and of the ids of entries without a key.
const KEYS: &str = "@ingest";
const ENTRIES: &str = "@entry";

/// Why the publication of an entry was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// The channel has passed the entry, and its key is forgotten.
    Passed,
    /// The channel has not passed the entry before it. Nothing changed.
    Early,
    /// The partition has an owner with a higher epoch. Nothing changed.
    Stale,
    /// It may be carried out later, as it is. Nothing changed, unless the outcome is unknown.
    Later {
        /// Whether it may have been carried out.
        is_uncertain: bool,
    },
    /// It will never be carried out as it is. Nothing changed.
    Refused(Refusal),
}

impl Publisher {
    // NL-8.10
    /// Passes the publication of an entry to the broker. Its id is the idempotency key of the draft, else partition and id of the entry. The returned future
    /// resolves with the answer. The order of what is handed over is kept as with [`Self::hand_over`]; what is not stored has no place, only the id.
    pub async fn hand_over_entry(
        &self,
        mut draft: Draft,
        place: EntryPlace,
    ) -> Result<impl Future<Output = Result<Published, EntryError>> + use<'_>, EntryError> {
        let retention = self.check(&draft.content, &draft.tags).and_then(|()| self.prepare(&mut draft)).map_err(EntryError::Refused)?;
        let identity = entry_identity(&mut draft, place);
        match self.hand_over_prepared(draft, retention, Some(PublishIdentity::Ingest(Box::new(identity)))).await {
            Ok(answer) => Ok(async { answer.await.map_err(EntryError::from) }),
            Err(error) => Err(error.into()),
        }
    }
}

fn entry_identity(draft: &mut Draft, place: EntryPlace) -> IngestIdentity {
    let (key, producer): (_, Option<ProducerNumber>) = match draft.identity.take() {
        Some(CallerIdentity::Key(key)) => (Some(key), None),
        Some(CallerIdentity::Producer(number)) => (None, Some(number)),
        None => (None, None),
    };
    let fingerprint = draft.fingerprint();
    let (scope, key) = match key {
        Some(key) => (KEYS, key.into_key()),
        None => (ENTRIES, format!("{}:{}", place.partition, place.entry).into()),
    };
    IngestIdentity { key: IdempotencyKey { scope: scope.into(), key, fingerprint }, place, producer }
}

impl From<BrokerError> for EntryError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::IngestPassed => Self::Passed,
            BrokerError::IngestEarly => Self::Early,
            BrokerError::IngestStale { .. } => Self::Stale,
            error => {
                let is_uncertain = error == BrokerError::OutcomeUnknown;
                let refusal = Refusal::from(error);
                let is_final = !is_uncertain && !refusal.code.temporary();
                if is_final { Self::Refused(refusal) } else { Self::Later { is_uncertain } }
            }
        }
    }
}

impl CallerKey {
    /// The idempotency key of an entry of ingest.
    pub fn of_entry(key: &str) -> Result<Self, Refusal> {
        Self::new(KEYS, key)
    }
}
