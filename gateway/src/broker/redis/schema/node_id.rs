//! Which node, and which of its generations.

/// One generation of a node. Its name has no space.
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

    /// The two as one word.
    pub fn holder(&self) -> String {
        format!("{}/{}", self.name, self.generation)
    }

    /// The two together.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.name, self.generation)
    }
}

/// A generation that nobody has used.
pub(crate) fn generation() -> Box<str> {
    format!("{:016x}", rand::random::<u64>()).into()
}
