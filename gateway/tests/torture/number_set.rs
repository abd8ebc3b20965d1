//! A compact set of numbers.

/// A set of numbers, one bit for each.
#[derive(Debug, Default)]
pub(crate) struct NumberSet(Vec<u64>);

impl NumberSet {
    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    /// Adds a number. Returns `false` if the set already contained it.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        let at = number as usize / 64;
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        let before = self.0[at];
        self.0[at] |= 1 << (number % 64);
        before != self.0[at]
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
