//! Deltas in the format of Fossil: what to copy from an earlier text, and what to insert.
//!
//! <https://fossil-scm.org/home/doc/trunk/www/delta_format.wiki> defines the format, and the SDKs apply it. A delta is text as long as what it
//! inserts is text.

/// Bytes of a block. Only copies of at least one block are found.
const BLOCK: usize = 16;

/// Most places with the same hash that are compared with the target. More would make repetitive data slow.
const MAX_CANDIDATES: usize = 64;

/// The digits of numbers, from 0 to 63.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// The delta that makes `target` of `source`. `None` if it would not be shorter than `target`.
pub fn delta(source: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    // Lengths and places are 32-bit numbers. Data is much shorter.
    u32::try_from(source.len().max(target.len())).ok()?;
    let mut out = Vec::with_capacity(target.len().min(256));
    number(target.len(), &mut out);
    out.push(b'\n');
    let mut rest = target;
    if source.len() >= BLOCK {
        let blocks = Blocks::of(source);
        while let Some((literal, copy)) = blocks.next_copy(rest) {
            insert(&rest[..literal], &mut out);
            number(copy.length, &mut out);
            out.push(b'@');
            number(copy.from, &mut out);
            out.push(b',');
            rest = &rest[literal + copy.length..];
            if out.len() >= target.len() {
                return None;
            }
        }
    }
    insert(rest, &mut out);
    number(checksum(target) as usize, &mut out);
    out.push(b';');
    (out.len() < target.len()).then_some(out)
}

/// A part of the source that the target has, too.
struct Copy {
    from: usize,
    length: usize,
}

/// The blocks of the source, by hash.
struct Blocks<'a> {
    source: &'a [u8],
    /// The last block with this hash, by the lower bits of the hash.
    last: Vec<u32>,
    /// The block before it with the same bits, by block.
    before: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<'a> Blocks<'a> {
    fn of(source: &'a [u8]) -> Self {
        let count = source.len() / BLOCK;
        let mut blocks = Self { source, last: vec![NONE; count.next_power_of_two()], before: vec![NONE; count] };
        for (block, bytes) in source.as_chunks::<BLOCK>().0.iter().enumerate() {
            let at = blocks.bucket(RollingHash::of(bytes));
            blocks.before[block] = std::mem::replace(&mut blocks.last[at], block as u32);
        }
        blocks
    }

    fn bucket(&self, hash: RollingHash) -> usize {
        hash.value() as usize & (self.last.len() - 1)
    }

    /// The next part of the target that is worth a copy, and the number of bytes before it.
    fn next_copy(&self, target: &[u8]) -> Option<(usize, Copy)> {
        let mut hash = RollingHash::of(target.first_chunk::<BLOCK>()?);
        for at in 0..=target.len() - BLOCK {
            if at > 0 {
                hash.advance(target[at - 1], target[at + BLOCK - 1]);
            }
            if let Some(found) = self.longest_at(target, at, hash) {
                return Some(found);
            }
        }
        None
    }

    /// The longest copy that contains the block of the target at this place.
    fn longest_at(&self, target: &[u8], at: usize, hash: RollingHash) -> Option<(usize, Copy)> {
        let mut longest: Option<(usize, Copy)> = None;
        let mut block = self.last[self.bucket(hash)];
        for _ in 0..MAX_CANDIDATES {
            if block == NONE {
                break;
            }
            let from = block as usize * BLOCK;
            block = self.before[block as usize];
            let forward = common(self.source[from..].iter(), target[at..].iter());
            if forward < BLOCK {
                continue;
            }
            let backward = common(self.source[..from].iter().rev(), target[..at].iter().rev());
            let length = backward + forward;
            if longest.as_ref().is_none_or(|(_, longest)| length > longest.length) {
                longest = Some((at - backward, Copy { from: from - backward, length }));
            }
        }
        longest
    }
}

/// Number of equal elements at the start of both.
fn common<'a>(one: impl Iterator<Item = &'a u8>, other: impl Iterator<Item = &'a u8>) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).count()
}

/// A hash of a block that is quick to move by one byte.
#[derive(Clone, Copy)]
struct RollingHash {
    sum: u16,
    weighted: u16,
}

impl RollingHash {
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut hash = Self { sum: 0, weighted: 0 };
        for byte in block {
            hash.sum = hash.sum.wrapping_add(u16::from(*byte));
            hash.weighted = hash.weighted.wrapping_add(hash.sum);
        }
        hash
    }

    fn advance(&mut self, old: u8, new: u8) {
        self.sum = self.sum.wrapping_sub(u16::from(old)).wrapping_add(u16::from(new));
        self.weighted = self.weighted.wrapping_sub(u16::from(old).wrapping_mul(BLOCK as u16)).wrapping_add(self.sum);
    }

    fn value(self) -> u32 {
        u32::from(self.sum) | u32::from(self.weighted) << 8
    }
}

fn insert(literal: &[u8], out: &mut Vec<u8>) {
    if !literal.is_empty() {
        number(literal.len(), out);
        out.push(b':');
        out.extend_from_slice(literal);
    }
}

/// Appends a number of at most 32 bits, the highest digit first.
fn number(value: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - value.leading_zeros()).div_ceil(6).max(1);
    for digit in (0..digits).rev() {
        out.push(DIGITS[value >> (6 * digit) & 63]);
    }
}

/// The sum of all 32-bit big-endian words. A last word that is not complete is filled with zeros.
fn checksum(bytes: &[u8]) -> u32 {
    let word = |chunk: &[u8]| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u32::from_be_bytes(word)
    };
    bytes.chunks(4).fold(0, |sum: u32, chunk| sum.wrapping_add(word(chunk)))
}

/// Applies a delta, as the page of the format describes it. `None` if it is not one for this source.
#[cfg(any(test, feature = "testing"))]
pub fn apply(source: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let (length, mut rest) = read(delta, b'\n')?;
    let mut out = Vec::new();
    loop {
        let digits = rest.iter().take_while(|byte| DIGITS.contains(byte)).count();
        match rest.get(digits)? {
            b':' => {
                let (count, after) = read(rest, b':')?;
                out.extend_from_slice(after.get(..count)?);
                rest = &after[count..];
            }
            b'@' => {
                let (count, after) = read(rest, b'@')?;
                let (from, after) = read(after, b',')?;
                out.extend_from_slice(source.get(from..)?.get(..count)?);
                rest = after;
            }
            _ => {
                let (sum, after) = read(rest, b';')?;
                return ((out.len(), checksum(&out) as usize, after.len()) == (length, sum, 0)).then_some(out);
            }
        }
    }
}

/// Reads a number and the sign after it.
#[cfg(any(test, feature = "testing"))]
fn read(bytes: &[u8], sign: u8) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == sign)?;
    let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
    let number = bytes[..end].iter().try_fold(0, |value: usize, byte| Some(value << 6 | digit(byte)?))?;
    Some((number, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_small_change_of_a_long_text_is_a_short_delta() {
        let source = (0..100).map(|line| format!("line {line} of a text\n")).collect::<Vec<_>>().concat();
        let target = source.replace("line 50 of", "row 50 of").replace("line 7 of", "line 7, or");
        let delta = delta(source.as_bytes(), target.as_bytes()).expect("shorter");
        assert!(delta.len() < 60, "{}", String::from_utf8_lossy(&delta));
        assert_eq!(apply(source.as_bytes(), &delta).as_deref(), Some(target.as_bytes()));
    }

    #[test]
    fn the_format_is_that_of_the_page() {
        let source = b"abcdefghijklmnopqrstuvwxyz and more";
        let delta = delta(source, b"abcdefghijklmnopqrstuvwxyz, and abcdefghijklmnopqrstuvwxyz").expect("shorter");
        assert_eq!(String::from_utf8_lossy(&delta), "v\nQ@0,6:, and Q@0,1TTw5d;");
    }

    #[test]
    fn there_is_no_delta_that_is_not_shorter() {
        for (source, target) in [("", ""), ("", "abc"), ("abc", "abc"), ("abcdefghijklmnopqrst", "ABCDEFGHIJKLMNOPQRST")] {
            assert_eq!(delta(source.as_bytes(), target.as_bytes()), None, "{source} {target}");
        }
    }

    #[test]
    fn repetitive_data_is_quick() {
        let source = vec![b'a'; 65_536];
        let target = [&source[..60_000], b"b", &source[..5_000]].concat();
        assert_eq!(apply(&source, &delta(&source, &target).expect("shorter")), Some(target));
    }

    proptest! {
        #[test]
        fn a_delta_makes_the_target_of_the_source(
            source in proptest::collection::vec(0u8..4, 0..300),
            edits in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..40, proptest::collection::vec(any::<u8>(), 0..20)), 0..6),
        ) {
            let mut target = source.clone();
            for (at, removed, inserted) in edits {
                let at = at.index(target.len() + 1);
                target.splice(at..(at + removed).min(target.len()), inserted);
            }
            if let Some(delta) = delta(&source, &target) {
                prop_assert!(delta.len() < target.len());
                prop_assert_eq!(apply(&source, &delta), Some(target));
            }
        }

        #[test]
        fn no_delta_causes_a_panic(
            source in proptest::collection::vec(0u8..4, 20..100),
            at in any::<prop::sample::Index>(),
            wrong in "[0-9A-Z_a-z~@:,;\n]{0,30}",
        ) {
            let target = [&source[..], b"more"].concat();
            let mut delta = delta(&source, &target).expect("shorter");
            let from = at.index(delta.len());
            delta.splice(from..(from + wrong.len()).min(delta.len()), wrong.bytes());
            for delta in [&delta[..], wrong.as_bytes()] {
                let _ = apply(&source, delta);
            }
        }

        #[test]
        fn an_advanced_hash_is_the_hash_of_the_block(bytes in proptest::collection::vec(any::<u8>(), BLOCK..100)) {
            let block = |at: usize| RollingHash::of(bytes[at..].first_chunk().expect("a block"));
            let mut hash = block(0);
            for at in 1..=bytes.len() - BLOCK {
                hash.advance(bytes[at - 1], bytes[at + BLOCK - 1]);
                prop_assert_eq!(hash.value(), block(at).value());
            }
        }
    }
}
