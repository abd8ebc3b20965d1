//! Splits names and sentences into words.

/// All words of a text, in lower case. `ChannelName`, `channel_name` and "Channel: name" have the same two words.
#[must_use]
pub fn parts(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut word = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        if !letter.is_alphabetic() || begins(before, *letter, letters.get(at + 1).copied()) {
            found.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        if letter.is_alphabetic() {
            word.extend(letter.to_lowercase());
        }
    }
    found.extend((!word.is_empty()).then_some(word));
    found
}

/// Whether a new word begins at `letter` although a letter precedes it: at the `B` of `aB`, and at the `B` of `ABc`.
fn begins(before: Option<char>, letter: char, after: Option<char>) -> bool {
    letter.is_uppercase()
        && before.is_some_and(|before| before.is_lowercase() || (before.is_uppercase() && after.is_some_and(char::is_lowercase)))
}
