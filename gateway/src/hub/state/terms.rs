//! What a subscription negotiated.

use crate::hub::output::encode::DeliveryFormat;

/// What a subscription negotiated, in one byte: there are many subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms(u8);

const JOIN_LEAVE: u8 = 1 << DeliveryFormat::BITS;
const FILTER: u8 = JOIN_LEAVE << 1;
const FORM: u8 = FILTER << 1;

impl Terms {
    /// The terms of a connection that uses the Centrifuge protocol.
    pub(crate) fn centrifuge(format: DeliveryFormat, join_leave: bool, has_filter: bool) -> Self {
        Self(format.bits() | if join_leave { JOIN_LEAVE } else { 0 } | if has_filter { FILTER } else { 0 })
    }

    /// The terms of a connection that uses another protocol.
    pub(crate) fn with_form() -> Self {
        Self(FORM)
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// How deliveries are encoded for the Centrifuge protocol. It has no meaning for other protocols.
    pub(crate) fn format(self) -> DeliveryFormat {
        DeliveryFormat::from_bits(self.0)
    }

    /// Whether the connection uses another protocol than Centrifuge. The channel has the form of its deliveries.
    pub(crate) fn has_form(self) -> bool {
        self.has(FORM)
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
    use gateway_core::protocol::centrifuge::Encoding;

    #[test]
    fn terms_have_what_was_negotiated() {
        for (encoding, bits) in Encoding::ALL.into_iter().flat_map(|encoding| (0..16u8).map(move |bits| (encoding, bits))) {
            let [is_compact, has_deltas, join_leave, has_filter] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let format = DeliveryFormat::new(encoding, is_compact, has_deltas);
            assert_eq!((format.encoding(), format.has_deltas()), (encoding, has_deltas));
            assert!(format.index() < DeliveryFormat::COUNT);
            let terms = Terms::centrifuge(format, join_leave, has_filter);
            assert_eq!((terms.format(), terms.join_leave(), terms.has_filter()), (format, join_leave, has_filter));
            assert!(!terms.has_form());
        }
        let other = Terms::with_form();
        assert!(other.has_form() && !other.join_leave() && !other.has_filter());
    }
}
