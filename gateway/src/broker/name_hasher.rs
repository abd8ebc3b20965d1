//! The hasher for maps of names.

/// The hasher for maps of names. Its seed is random, so that nobody can choose names that collide. In tests the seed is fixed, so that a
/// simulation is repeatable.
#[cfg(not(test))]
pub(crate) type NameHasher = foldhash::quality::RandomState;
#[cfg(test)]
pub(crate) type NameHasher = foldhash::quality::FixedState;
