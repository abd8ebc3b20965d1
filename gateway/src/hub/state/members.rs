//! The live subscribers of a channel on one worker. A fan-out visits them in slices, while members may be added and removed.

/// Members, and the progress of a fan-out: `0..next` have the batch, `next..end` do not have it yet, `end..` joined after the fan-out began.
#[derive(Debug)]
pub(crate) struct Members<M> {
    all: Vec<M>,
    next: u32,
    end: u32,
}

impl<M> Default for Members<M> {
    fn default() -> Self {
        Self { all: Vec::new(), next: 0, end: 0 }
    }
}

impl<M> Members<M> {
    /// The number of members.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are no members.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All members, in the order of their indices.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut M> {
        self.all.iter_mut()
    }

    /// The member at this index.
    pub(crate) fn get(&self, index: usize) -> Option<&M> {
        self.all.get(index)
    }

    /// Adds a member and returns its index. A fan-out in progress does not reach it.
    pub(crate) fn add(&mut self, member: M) -> usize {
        if self.all.capacity() == 0 {
            self.all.reserve_exact(1);
        }
        self.all.push(member);
        self.all.len() - 1
    }

    /// Removes the member at `index` and returns it. Other members may move: `moved` is called with each of them and its new index. A fan-out in
    /// progress still reaches each of them exactly once.
    pub(crate) fn remove(&mut self, index: usize, mut moved: impl FnMut(&M, usize)) -> Option<M> {
        if index >= self.all.len() {
            return None;
        }
        let mut hole = index;
        for edge in [&mut self.next, &mut self.end] {
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
        let removed = self.all.swap_remove(hole);
        if let Some(member) = self.all.get(hole) {
            moved(member, hole);
        }
        if self.all.len() * 4 < self.all.capacity() {
            self.all.shrink_to(self.all.len() * 2);
        }
        Some(removed)
    }

    /// Whether a fan-out in progress has yet to reach the member at `index`.
    pub(crate) fn awaits_batch(&self, index: usize) -> bool {
        (self.next as usize..self.end as usize).contains(&index)
    }

    /// Begins a fan-out to all present members.
    pub(crate) fn begin_fan_out(&mut self) {
        self.next = 0;
        self.end = self.all.len() as u32;
    }

    /// The next members that do not have the batch yet, at most `size` of them. Empty once the fan-out is complete.
    pub(crate) fn slice(&mut self, size: usize) -> &mut [M] {
        let from = self.next as usize;
        let to = (from + size).min(self.end as usize);
        self.next = to as u32;
        if from == to {
            self.next = 0;
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
        /// A fan-out visits each member once that stays throughout, and no member twice.
        #[test]
        fn members_may_come_and_go_during_a_fan_out(
            start in 0u32..40,
            steps in proptest::collection::vec((0u8..3, 0usize..50), 0..80),
            size in 1usize..6,
        ) {
            let mut members = Members::default();
            let mut index: HashMap<u32, usize> = HashMap::new();
            for id in 0..start { index.insert(id, members.add(id)); }
            members.begin_fan_out();
            let (mut served, mut removed, mut next) = (Vec::new(), HashSet::new(), start);
            for (step, at) in steps {
                match step {
                    0 => { index.insert(next, members.add(next)); next += 1; }
                    1 if at < members.len() => {
                        let id = members.remove(at, |id, to| { index.insert(*id, to); }).expect("the index is in bounds");
                        index.remove(&id);
                        removed.insert(id);
                    }
                    _ => served.extend(members.slice(size).iter().copied()),
                }
                for (id, at) in &index {
                    prop_assert_eq!(members.get(*at), Some(id));
                    prop_assert_eq!(members.awaits_batch(*at), *id < start && !served.contains(id));
                }
            }
            loop {
                let slice = members.slice(size);
                if slice.is_empty() { break }
                served.extend(slice.iter().copied());
            }
            let unique: HashSet<u32> = served.iter().copied().collect();
            prop_assert_eq!(unique.len(), served.len(), "the fan-out visited a member twice");
            for id in 0..start { prop_assert!(unique.contains(&id) || removed.contains(&id), "the fan-out omitted {}", id); }
            prop_assert!(unique.iter().all(|id| *id < start), "the fan-out visited a member that joined later");
        }
    }
}
