//! The identity of a node.

/// One generation of one process of a node. A process begins a new generation after its lease expired. Neither the name nor the generation
/// contains a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeId {
    /// The setting `node.name`. It should be unique in the cluster. Two processes may have the same name by mistake, or for the time of one
    /// lease after a crash.
    pub name: Box<str>,
    /// `process.number`: the id of the process, and the number of its generation.
    generation: Box<str>,
}

impl NodeId {
    /// The first generation of a new process.
    pub(crate) fn of_new_process(name: &str) -> Self {
        Self { name: name.into(), generation: format!("{:016x}.1", rand::random::<u64>()).into() }
    }

    /// The next generation of the same process.
    pub(crate) fn next(&self) -> Self {
        let number: u64 = self.generation.rsplit_once('.').and_then(|(_, number)| number.parse().ok()).unwrap_or_default();
        Self { name: self.name.clone(), generation: format!("{}.{}", self.process(), number.wrapping_add(1)).into() }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, generation) = text.split_once(' ')?;
        Some(Self { name: name.into(), generation: generation.into() })
    }

    /// The id of the process, unique in the cluster.
    pub fn process(&self) -> &str {
        self.generation.split_once('.').map_or(&self.generation, |(process, _)| process)
    }

    /// The address of the process in messages: its name, which people read, and its unique id. All generations of a process have the same
    /// address.
    pub fn address(&self) -> String {
        format!("{}:{}", self.name, self.process())
    }

    /// Name and generation as one word, for event ids.
    pub fn holder(&self) -> String {
        format!("{}/{}", self.name, self.generation)
    }

    /// Name and generation as they are stored in Redis.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.name, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_keeps_its_address_through_its_generations() {
        let (one, other) = (NodeId::of_new_process("n1"), NodeId::of_new_process("n1"));
        assert_ne!(one.address(), other.address(), "of two processes with one name");
        let (second, third) = (one.next(), one.next().next());
        assert_eq!([&second, &third].map(NodeId::address), [one.address(), one.address()]);
        assert!(one != second && second != third && one.holder() != second.holder());
        assert_eq!(NodeId::parse(&third.text()), Some(third));
    }
}
