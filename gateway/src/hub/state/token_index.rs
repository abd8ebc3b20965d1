//! The connections by the claims of their tokens, for revocations.
//!
//! Each connection whose token has such claims has a row: 52 bytes, and at most an eighth of that as room to grow. A search reads one column from end to
//! end, 16 bytes for each connection; an index by hash would be faster, and take as much memory again.

use gateway_core::model::{ClaimDigest, RevocableClaim, RevocableClaims};
use std::num::NonZero;

/// The place of a connection in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) struct Row(NonZero<u32>);

impl Row {
    fn new(index: usize) -> Self {
        Self(u32::try_from(index + 1).ok().and_then(NonZero::new).unwrap_or(NonZero::<u32>::MAX))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// See the module. Rows have no gaps.
#[derive(Debug, Default)]
pub(in crate::hub) struct TokenIndex {
    /// The connection of each row, by its index in the hub.
    owners: Vec<u32>,
    /// The digests of each row, by claim.
    columns: [Vec<Option<ClaimDigest>>; 3],
}

impl TokenIndex {
    /// Adds a connection.
    pub(in crate::hub) fn add(&mut self, owner: u32, claims: &RevocableClaims) -> Row {
        push(&mut self.owners, owner);
        for claim in RevocableClaim::ALL {
            push(&mut self.columns[claim as usize], claims.get(claim));
        }
        Row::new(self.owners.len() - 1)
    }

    /// Replaces the claims of a connection.
    pub(in crate::hub) fn replace(&mut self, row: Row, claims: &RevocableClaims) {
        for claim in RevocableClaim::ALL {
            if let Some(digest) = self.columns[claim as usize].get_mut(row.index()) {
                *digest = claims.get(claim);
            }
        }
    }

    /// Removes a row. Another connection may move there; then returns it.
    pub(in crate::hub) fn remove(&mut self, row: Row) -> Option<u32> {
        let at = row.index();
        if at >= self.owners.len() {
            return None;
        }
        swap_remove(&mut self.owners, at);
        for column in &mut self.columns {
            swap_remove(column, at);
        }
        self.owners.get(at).copied()
    }

    /// The connections whose token has this claim.
    pub(in crate::hub) fn find(&self, claim: RevocableClaim, digest: ClaimDigest) -> Vec<u32> {
        let rows = self.columns[claim as usize].iter().zip(&self.owners);
        rows.filter(|(found, _)| **found == Some(digest)).map(|(_, owner)| *owner).collect()
    }

    /// Whether the token of a connection has this claim.
    pub(in crate::hub) fn has(&self, claim: RevocableClaim, digest: ClaimDigest) -> bool {
        self.columns[claim as usize].contains(&Some(digest))
    }

    /// The claims of a row.
    pub(in crate::hub) fn claims(&self, row: Row) -> RevocableClaims {
        let mut claims = RevocableClaims::default();
        for claim in RevocableClaim::ALL {
            if let Some(Some(digest)) = self.columns[claim as usize].get(row.index()) {
                claims.set(claim, *digest);
            }
        }
        claims
    }

    /// The claims of all connections, repeated if several have them.
    pub(in crate::hub) fn all(&self) -> impl Iterator<Item = (RevocableClaim, ClaimDigest)> + '_ {
        RevocableClaim::ALL.into_iter().flat_map(|claim| self.columns[claim as usize].iter().flatten().map(move |digest| (claim, *digest)))
    }

    /// Bytes on the heap.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|column| column.capacity() * size_of::<Option<ClaimDigest>>());
        self.owners.capacity() * size_of::<u32>() + columns.sum::<usize>()
    }
}

/// Grows by an eighth: memory for each connection matters more than a rare copy.
fn push<T>(column: &mut Vec<T>, value: T) {
    if column.len() == column.capacity() {
        column.reserve_exact(column.len() / 8 + 4);
    }
    column.push(value);
}

fn swap_remove<T>(column: &mut Vec<T>, at: usize) {
    column.swap_remove(at);
    if column.capacity() > 2 * column.len() + 64 {
        column.shrink_to(column.len() + column.len() / 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RevocableClaim::{Session, Subject, Token};
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn digest(number: u8) -> ClaimDigest {
        ClaimDigest::new("i", Token, &number.to_string())
    }

    fn claims(of: [Option<u8>; 3]) -> RevocableClaims {
        let mut claims = RevocableClaims::default();
        for (claim, number) in RevocableClaim::ALL.into_iter().zip(of) {
            if let Some(number) = number {
                claims.set(claim, digest(number));
            }
        }
        claims
    }

    #[test]
    fn a_connection_costs_at_most_64_bytes() {
        let mut index = TokenIndex::default();
        let rows: Vec<_> = (0..100_000).map(|owner| index.add(owner, &claims([Some(1), Some(2), Some(3)]))).collect();
        assert!(index.bytes() <= 64 * rows.len(), "{} bytes for each", index.bytes() as f64 / rows.len() as f64);
        for number in (0..rows.len()).rev() {
            index.remove(Row::new(number));
        }
        assert!(index.bytes() <= 128 * 52, "{} bytes for none", index.bytes());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add([Option<u8>; 3]),
        Replace(usize, [Option<u8>; 3]),
        Remove(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let of = || proptest::array::uniform3(proptest::option::of(0..4_u8));
        let step = prop_oneof![
            of().prop_map(Step::Add),
            (any::<usize>(), of()).prop_map(|(at, of)| Step::Replace(at, of)),
            any::<usize>().prop_map(Step::Remove)
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn it_finds_what_a_table_of_connections_finds(steps in steps()) {
            let (mut index, mut rows, mut model) = (TokenIndex::default(), HashMap::new(), Vec::<(u32, [Option<u8>; 3])>::new());
            for (step, owner) in steps.into_iter().zip(0..) {
                match step {
                    Step::Add(of) => {
                        rows.insert(owner, index.add(owner, &claims(of)));
                        model.push((owner, of));
                    }
                    Step::Replace(at, of) if !model.is_empty() => {
                        let at = at % model.len();
                        model[at].1 = of;
                        index.replace(rows[&model[at].0], &claims(of));
                    }
                    Step::Remove(at) if !model.is_empty() => {
                        let (owner, _) = model.swap_remove(at % model.len());
                        let row = rows.remove(&owner).expect("it has one");
                        if let Some(moved) = index.remove(row) {
                            rows.insert(moved, row);
                        }
                    }
                    Step::Replace(..) | Step::Remove(_) => {}
                }
                for (claim, column) in [Subject, Session, Token].into_iter().zip(0..) {
                    for number in 0..4 {
                        let mut found = index.find(claim, digest(number));
                        let mut expected: Vec<_> = model.iter().filter(|(_, of)| of[column] == Some(number)).map(|(owner, _)| *owner).collect();
                        found.sort_unstable();
                        expected.sort_unstable();
                        prop_assert_eq!(index.has(claim, digest(number)), !expected.is_empty());
                        prop_assert_eq!(found, expected);
                    }
                }
                for (owner, of) in &model {
                    prop_assert_eq!(index.claims(rows[owner]), claims(*of));
                }
            }
            prop_assert_eq!(index.all().count(), model.iter().flat_map(|(_, of)| of).flatten().count());
        }
    }
}
