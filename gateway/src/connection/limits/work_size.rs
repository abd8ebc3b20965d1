//! How much memory a client's begun work uses.

/// Size of a unit, in bytes.
const UNIT: usize = 512;

/// How much memory a client's begun work uses, rounded up to a unit, and at most 32 MiB: the largest message, counted 1.6 times. Each
/// connection has two of it, so it is small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::connection) struct WorkSize(u16);

impl WorkSize {
    pub(in crate::connection) fn of(bytes: usize) -> Self {
        Self(u16::try_from(bytes.div_ceil(UNIT)).unwrap_or(u16::MAX))
    }

    pub(in crate::connection) fn bytes(self) -> usize {
        usize::from(self.0) * UNIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_and_cut_at_the_largest() {
        assert_eq!([0, 1, 512, 513].map(|bytes| WorkSize::of(bytes).bytes()), [0, 512, 512, 1024]);
        assert_eq!(WorkSize::of(usize::MAX).bytes(), 65_535 * 512);
    }
}
