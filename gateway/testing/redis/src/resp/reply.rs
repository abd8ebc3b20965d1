//! The answers of a server.

use std::collections::HashMap;

/// An answer that is not an error. Bytes that are not UTF-8 become replacement characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No value.
    Nil,
    /// A number.
    Number(i64),
    /// A status such as `OK`, or a value.
    Text(String),
    /// Several answers.
    List(Vec<Reply>),
}

impl Reply {
    /// The text. Panics if the answer is not a text.
    pub fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            other => panic!("expected a text, found {other:?}"),
        }
    }

    /// The number. Panics if the answer is not a number.
    pub fn number(self) -> i64 {
        match self {
            Self::Number(number) => number,
            other => panic!("expected a number, found {other:?}"),
        }
    }

    /// The list. Panics if the answer is not a list.
    pub fn list(self) -> Vec<Reply> {
        match self {
            Self::List(list) => list,
            other => panic!("expected a list, found {other:?}"),
        }
    }

    /// The texts of a list. Panics if the answer is not a list of texts.
    pub fn texts(self) -> Vec<String> {
        self.list().into_iter().map(Reply::text).collect()
    }

    /// The map that a list of alternating names and values stands for. Panics if the answer is not a list of texts.
    pub fn map(self) -> HashMap<String, String> {
        let mut texts = self.texts().into_iter();
        std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect()
    }
}
