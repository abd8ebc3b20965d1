//! Steps as the beats in which they are spoken.

use crate::brain::Step;
use std::time::Duration;

/// What happens next in a speech.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Word(String),
    Pause(Duration),
    Fail,
}

/// Cuts texts behind each run of blanks and puts a pause behind each word.
pub(super) fn beats(steps: Vec<Step>, word_pause: Duration) -> impl Iterator<Item = Beat> {
    steps.into_iter().flat_map(move |step| match step {
        Step::Say(text) => words(&text).into_iter().flat_map(|word| [Beat::Word(word), Beat::Pause(word_pause)]).collect(),
        Step::Pause(pause) => vec![Beat::Pause(pause)],
        Step::Fail => vec![Beat::Fail],
    })
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut blank = false;
    for c in text.chars() {
        if blank && !c.is_whitespace() {
            words.push(std::mem::take(&mut word));
        }
        blank = c.is_whitespace();
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_lost() {
        for text in ["", " ", "a", "one two  three\n\nfour ", " leading", "ünïcode wörds"] {
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(words("a b  c"), ["a ", "b  ", "c"]);
    }
}
