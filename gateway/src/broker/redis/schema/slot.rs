//! Slots: the 16,384 parts into which Redis Cluster divides all keys. A master serves some of them.

use gateway_core::model::crc16;
use redis::{Arg, Cmd};
use std::sync::LazyLock;

/// A slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(crate) u16);

/// The number of slots.
pub(crate) const SLOTS: u16 = 16_384;

impl Slot {
    /// The slot of a key. If the key contains braces, only the text in the first braces counts; otherwise the whole key counts.
    pub(crate) fn of(key: &[u8]) -> Self {
        Self(crc16(tag(key).unwrap_or(key)) % SLOTS)
    }

    /// The slot in which a command must run, which is that of its first key. The first key is the fourth word of a script call, and the
    /// second word of any other command.
    pub(crate) fn of_command(cmd: &Cmd) -> Self {
        let mut words = cmd.args_iter().filter_map(|word| match word {
            Arg::Simple(word) => Some(word),
            _ => None,
        });
        let ahead = if words.next() == Some(b"EVALSHA") { 2 } else { 0 };
        Self::of(words.nth(ahead).unwrap_or_default())
    }

    /// The smallest number that is in this slot if it is used as a key.
    pub(crate) fn example(self) -> u32 {
        static EXAMPLES: LazyLock<Box<[u32]>> = LazyLock::new(examples);
        EXAMPLES.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

fn examples() -> Box<[u32]> {
    let (mut found, mut left) = (vec![None; usize::from(SLOTS)], SLOTS);
    for number in 0.. {
        if left == 0 {
            break;
        }
        let example = &mut found[usize::from(Slot::of(number.to_string().as_bytes()).0)];
        left -= u16::from(example.is_none());
        example.get_or_insert(number);
    }
    found.into_iter().map(Option::unwrap_or_default).collect()
}

fn tag(key: &[u8]) -> Option<&[u8]> {
    let (_, behind) = split(key, b'{')?;
    let (tag, _) = split(behind, b'}')?;
    Some(tag).filter(|tag| !tag.is_empty())
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == at)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::redis::schema::scripts;

    #[test]
    fn slots_match_the_specification() {
        for (key, slot) in [("", 0), ("foo", 12182), ("bar", 5061), ("somekey", 11058), ("user1000", 3443)] {
            assert_eq!(Slot::of(key.as_bytes()), Slot(slot), "{key}");
        }
    }

    #[test]
    fn the_text_in_the_first_braces_decides() {
        for (key, same) in [
            ("app:{user1000}:meta", "user1000"),
            ("{user1000}", "user1000"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("a}{b}c", "b"),
        ] {
            assert_eq!(Slot::of(key.as_bytes()), Slot::of(same.as_bytes()), "{key}");
        }
        for whole in ["foo{}{bar}", "foo{bar", "foo}bar"] {
            assert_eq!(Slot::of(whole.as_bytes()), Slot(crc16(whole.as_bytes()) % SLOTS), "{whole}");
        }
    }

    #[test]
    fn a_command_runs_in_the_slot_of_its_first_key() {
        let there = Slot::of(b"{c}");
        let mut publish = redis::cmd("SPUBLISH");
        publish.arg("test:{c}").arg("text");
        let mut read = redis::cmd("HGETALL");
        read.arg("{c}:x");
        let mut script = scripts::call(&scripts::SCRIPTS.read, &["P:{c}:meta".into(), "P:{c}:stream".into()]);
        script.arg("{d}");
        for cmd in [publish, read, script] {
            assert_eq!(Slot::of_command(&cmd), there);
        }
        Slot::of_command(&redis::cmd("PING"));
    }

    #[test]
    fn every_slot_has_an_example() {
        for slot in [0, 1, 5461, 10_922, SLOTS - 1].map(Slot) {
            assert_eq!(Slot::of(slot.example().to_string().as_bytes()), slot);
        }
    }
}
