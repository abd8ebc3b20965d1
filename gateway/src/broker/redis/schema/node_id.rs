//! The identity of a node: its name and its generation.

/// One generation of a node. A node gets a new generation at each start and after each expiry of its lease. The name contains no space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeId {
    /// Unique in the cluster.
    pub name: Box<str>,
    pub(crate) generation: Box<str>,
}

impl NodeId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, generation) = text.split_once(' ')?;
        Some(Self { name: name.into(), generation: generation.into() })
    }

    #[cfg(test)]
    pub(crate) fn of(name: &str) -> Self {
        Self { name: name.into(), generation: generation() }
    }

    /// Name and generation, separated by `/`.
    pub fn holder(&self) -> String {
        format!("{}/{}", self.name, self.generation)
    }

    /// Name and generation, separated by a space, as in keys.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.name, self.generation)
    }
}

/// A new random generation.
pub(crate) fn generation() -> Box<str> {
    format!("{:016x}", rand::random::<u64>()).into()
}
