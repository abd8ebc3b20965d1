//! Patterns of channel names.

/// A pattern. `*` matches any number of characters, `?` matches exactly one, and every other character matches itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// Several `*` in a row are stored as one.
    pattern: Vec<u8>,
    /// Minimum length of a matching name, in bytes.
    shortest: usize,
    /// Number of bytes before the first wildcard.
    literal: usize,
}

impl Glob {
    /// Reads a pattern. Every text is one.
    pub fn new(pattern: &str) -> Self {
        let mut pattern = pattern.as_bytes().to_vec();
        pattern.dedup_by(|a, b| (*a, *b) == (b'*', b'*'));
        let shortest = pattern.iter().filter(|byte| **byte != b'*').count();
        let literal = pattern.iter().position(|byte| matches!(byte, b'*' | b'?')).unwrap_or(pattern.len());
        Self { pattern, shortest, literal }
    }

    /// The prefix of every matching name.
    pub fn prefix(&self) -> &[u8] {
        &self.pattern[..self.literal]
    }

    /// Whether the name may match. This check is cheap, and it excludes most names if the pattern begins with literal characters.
    pub fn admits(&self, name: &str) -> bool {
        name.len() >= self.shortest && name.as_bytes().starts_with(self.prefix())
    }

    /// Whether the name matches. The number of steps is at most the length of the name times the length of the pattern: after a mismatch,
    /// only the last `*` is extended by one character. A longer match for an earlier `*` could not help.
    pub fn matches(&self, name: &str) -> bool {
        if !self.admits(name) {
            return false;
        }
        let (pattern, name) = (&self.pattern[..], name.as_bytes());
        let (mut p, mut n) = (0, 0);
        let mut star = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p + 1, n));
                    p += 1;
                }
                Some(b'?') => (p, n) = (p + 1, next(name, n)),
                Some(&byte) if byte == name[n] => (p, n) = (p + 1, n + 1),
                _ => {
                    let Some((after, taken)) = star else { return false };
                    (p, n) = (after, next(name, taken));
                    star = Some((after, n));
                }
            }
        }
        matches!(pattern[p..], [] | [b'*'])
    }
}

/// The index of the character after the one at `at`.
fn next(name: &[u8], at: usize) -> usize {
    let behind = name[at + 1..].iter().take_while(|byte| (0x80..0xC0).contains(*byte)).count();
    at + 1 + behind
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::new(pattern).matches(name)
    }

    /// The definition of a match, written out. It tries every length for every `*`.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], _) => name.is_empty(),
            (['*', rest @ ..], _) => (0..=name.len()).any(|taken| by_definition(rest, &name[taken..])),
            (['?', p @ ..], [_, n @ ..]) => by_definition(p, n),
            ([a, p @ ..], [b, n @ ..]) => a == b && by_definition(p, n),
            (_, []) => false,
        }
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name) in
            [("*", ""), ("*", "a:b"), ("", ""), ("chat:*", "chat:"), ("chat:?", "chat:a"), ("*:b", "a:b"), ("a**b", "ab"), ("#?", "#山")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "a"), ("?", ""), ("chat:*", "chat"), ("a*b", "abc"), ("a*bc*d", "abd"), ("ab", "a"), ("a?", "a"), ("#??", "#山")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn hostile_patterns_take_few_steps() {
        let name = "a".repeat(255);
        // These matches would practically never end if a mismatch extended every `*`.
        assert!(!matches(&"*a".repeat(120).replace("*a*a", "*aa*a*a"), &"b".repeat(255)));
        assert!(!matches(&format!("{}b", "a*".repeat(100)), &name));
        assert!(!matches(&format!("{}b", "*a?".repeat(60)), &name));
        assert!(matches(&"*".repeat(1_000_000), &name));
        assert!(!matches(&"?".repeat(1_000_000), &name));
    }

    proptest! {
        #[test]
        fn the_matcher_agrees_with_the_definition(pattern in "[abüé山*?]{0,8}", name in "[abüé山]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), by_definition(&chars(&pattern), &chars(&name)));
        }
    }
}
