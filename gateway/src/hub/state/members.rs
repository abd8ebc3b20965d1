//! The subscribers of a channel on one worker, in an order that lets a fan-out go through them slice by slice while some come and go.

/// Members, and how far a fan-out has come: `0..served` have the batch, `served..end` wait for it, `end..` came after it began.
#[derive(Debug)]
pub(crate) struct Members<M> {
    all: Vec<M>,
    served: u32,
    end: u32,
}

impl<M> Default for Members<M> {
    fn default() -> Self {
        Self { all: Vec::new(), served: 0, end: 0 }
    }
}

impl<M> Members<M> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, at their indices.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut M> {
        self.all.iter_mut()
    }

    /// The one at this index.
    pub(crate) fn get(&self, index: usize) -> Option<&M> {
        self.all.get(index)
    }

    /// Adds one, answers its index. A fan-out that is under way does not reach it.
    pub(crate) fn add(&mut self, member: M) -> usize {
        if self.all.capacity() == 0 {
            self.all.reserve_exact(1);
        }
        self.all.push(member);
        self.all.len() - 1
    }

    /// Removes the member at `index`. Others move: `moved` is told each with its new index. None is served twice or left out by that.
    pub(crate) fn remove(&mut self, index: usize, mut moved: impl FnMut(&M, usize)) -> Option<M> {
        if index >= self.all.len() {
            return None;
        }
        let mut hole = index;
        for edge in [&mut self.served, &mut self.end] {
            if hole < *edge as usize {
                *edge -= 1;
                let last = *edge as usize;
                if hole != last {
                    self.all.swap(hole, last);
                    moved(&self.all[hole], hole);
                }
                hole = last;
            }
        }
        let gone = self.all.swap_remove(hole);
        if let Some(member) = self.all.get(hole) {
            moved(member, hole);
        }
        if self.all.len() * 4 < self.all.capacity() {
            self.all.shrink_to(self.all.len() * 2);
        }
        Some(gone)
    }

    /// Begins a fan-out to all that are there now.
    pub(crate) fn begin(&mut self) {
        self.served = 0;
        self.end = self.all.len() as u32;
    }

    /// The next at most `size` members that wait for the batch; empty when the fan-out is done.
    pub(crate) fn slice(&mut self, size: usize) -> &mut [M] {
        let from = self.served as usize;
        let to = (from + size).min(self.end as usize);
        self.served = to as u32;
        if from == to {
            self.served = 0;
            self.end = 0;
        }
        &mut self.all[from..to]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    proptest! {
        /// Whoever stays from beginning to end is served once; who comes later or leaves, never twice.
        #[test]
        fn members_may_come_and_go_during_a_fan_out(
            start in 0u32..40,
            steps in proptest::collection::vec((0u8..3, 0usize..50), 0..80),
            size in 1usize..6,
        ) {
            let mut members = Members::default();
            let mut index: HashMap<u32, usize> = HashMap::new();
            for id in 0..start { index.insert(id, members.add(id)); }
            members.begin();
            let (mut served, mut removed, mut next) = (Vec::new(), HashSet::new(), start);
            for (step, at) in steps {
                match step {
                    0 => { index.insert(next, members.add(next)); next += 1; }
                    1 if at < members.len() => {
                        let gone = members.remove(at, |id, to| { index.insert(*id, to); }).expect("is there");
                        index.remove(&gone);
                        removed.insert(gone);
                    }
                    _ => served.extend(members.slice(size).iter().copied()),
                }
                for (id, at) in &index { prop_assert_eq!(members.get(*at), Some(id)); }
            }
            loop {
                let slice = members.slice(size);
                if slice.is_empty() { break }
                served.extend(slice.iter().copied());
            }
            let unique: HashSet<u32> = served.iter().copied().collect();
            prop_assert_eq!(unique.len(), served.len(), "nobody twice");
            for id in 0..start { prop_assert!(unique.contains(&id) || removed.contains(&id), "{} was left out", id); }
            prop_assert!(unique.iter().all(|id| *id < start), "only who was there at the beginning");
        }
    }
}
