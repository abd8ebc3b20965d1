//! The number that a producer gives to a publish.
//!
//! ```
//! use shared_proto::{json, producer::Producer};
//!
//! let producer: Producer = json::read(r#"{"id":"orders-1","epoch":3,"seq":0}"#).expect("valid");
//! assert_eq!(producer, Producer { id: "orders-1".into(), epoch: 3, seq: 0 });
//! ```

use serde::{Deserialize, Serialize};

/// Largest epoch and largest number: every JSON library represents it exactly.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The number of a publish. The publishes of a producer into a channel are carried out once each, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Producer {
    /// The producer: 1 to 255 visible ASCII characters, unique among the producers of the channel.
    pub id: String,
    /// Grows with each start of the producer. A higher epoch begins with number 0. Then publishes of lower epochs are refused.
    #[cfg_attr(feature = "openapi", schema(maximum = 9_007_199_254_740_991_u64))]
    pub epoch: u64,
    /// The number of this publish in its epoch and channel: 0, 1, 2 and so on.
    #[cfg_attr(feature = "openapi", schema(maximum = 9_007_199_254_740_991_u64))]
    pub seq: u64,
}
