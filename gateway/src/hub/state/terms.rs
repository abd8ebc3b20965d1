//! What a subscription negotiated.

use crate::hub::output::encode::DeliveryFormat;
use gateway_core::protocol::centrifuge::Codec;

/// What a subscription negotiated, in one byte: there are many subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms(u8);

const PROTOBUF: u8 = 1;
const COMPACT: u8 = 1 << 1;
const DELTAS: u8 = 1 << 2;
const JOIN_LEAVE: u8 = 1 << 3;
const FILTER: u8 = 1 << 4;

impl Terms {
    pub(crate) fn new(format: DeliveryFormat, join_leave: bool, has_filter: bool) -> Self {
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        Self(
            bit(format.codec == Codec::Protobuf, PROTOBUF)
                | bit(format.is_compact, COMPACT)
                | bit(format.has_deltas, DELTAS)
                | bit(join_leave, JOIN_LEAVE)
                | bit(has_filter, FILTER),
        )
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// How deliveries are encoded.
    pub(crate) fn format(self) -> DeliveryFormat {
        let codec = if self.has(PROTOBUF) { Codec::Protobuf } else { Codec::Json };
        DeliveryFormat { codec, is_compact: self.has(COMPACT), has_deltas: self.has(DELTAS) }
    }

    /// Whether the client receives joins and leaves.
    pub(crate) fn join_leave(self) -> bool {
        self.has(JOIN_LEAVE)
    }

    /// Whether the client wants some publications only. The channel has the filter.
    pub(crate) fn has_filter(self) -> bool {
        self.has(FILTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_have_what_was_negotiated() {
        for bits in 0..32u8 {
            let [is_compact, has_deltas, join_leave, has_filter] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let codec = if bits & 16 == 0 { Codec::Json } else { Codec::Protobuf };
            let format = DeliveryFormat { codec, is_compact, has_deltas };
            let terms = Terms::new(format, join_leave, has_filter);
            assert_eq!((terms.format(), terms.join_leave(), terms.has_filter()), (format, join_leave, has_filter));
        }
    }
}
