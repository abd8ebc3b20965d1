//! What a server answers.

use std::collections::HashMap;

/// An answer that is no error. Text that is no UTF-8 is shown with replacement characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// There is no value.
    Nil,
    /// A number.
    Number(i64),
    /// A status such as `OK`, or a value.
    Text(String),
    /// Several answers.
    List(Vec<Reply>),
}

impl Reply {
    /// The text.
    pub fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            other => panic!("expected a text, found {other:?}"),
        }
    }

    /// The number.
    pub fn number(self) -> i64 {
        match self {
            Self::Number(number) => number,
            other => panic!("expected a number, found {other:?}"),
        }
    }

    /// The answers.
    pub fn list(self) -> Vec<Reply> {
        match self {
            Self::List(list) => list,
            other => panic!("expected a list, found {other:?}"),
        }
    }

    /// The texts of a list.
    pub fn texts(self) -> Vec<String> {
        self.list().into_iter().map(Reply::text).collect()
    }

    /// A list of names and values by turns.
    pub fn map(self) -> HashMap<String, String> {
        let mut texts = self.texts().into_iter();
        std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect()
    }
}
