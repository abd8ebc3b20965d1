//! Splits the steps of an answer into words and pauses. Sans-I/O.

use crate::responder::Step;
use std::time::Duration;

/// What the writer does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WriteOp {
    Word(String),
    Pause(Duration),
    Fail,
}

/// Splits each text after its white space, and adds a pause after each word.
pub(super) fn write_ops(steps: Vec<Step>, word_pause: Duration) -> impl Iterator<Item = WriteOp> {
    steps.into_iter().flat_map(move |step| match step {
        Step::Text(text) => words(&text).into_iter().flat_map(|word| [WriteOp::Word(word), WriteOp::Pause(word_pause)]).collect(),
        Step::Pause(pause) => vec![WriteOp::Pause(pause)],
        Step::Fail => vec![WriteOp::Fail],
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
    fn the_words_of_a_text_make_the_text() {
        for text in ["", " ", "a", "one two  three\n\nfour ", " leading", "ünïcode wörds"] {
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(words("a b  c"), ["a ", "b  ", "c"]);
    }
}
