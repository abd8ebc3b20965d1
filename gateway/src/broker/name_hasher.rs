//! How maps of names hash.

/// How maps of names hash: by a random seed, so that nobody can choose names that collide; in tests always alike, so that a simulation that is run
/// again takes the same way.
#[cfg(not(test))]
pub(crate) type NameHasher = foldhash::quality::RandomState;
#[cfg(test)]
pub(crate) type NameHasher = foldhash::quality::FixedState;
