//! Texts that no log shows.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A text that no log shows, such as a token. In memory it is a `Box<str>`, in JSON a string.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Box<str>);

impl Secret {
    /// The text, for those who need it: to check it, or to pass it on.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "(no secret)" } else { "(a secret)" })
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_into_json_and_shown_to_nobody() {
        let secret: Secret = serde_json::from_str("\"hush\"").expect("a string");
        assert_eq!((secret.expose(), serde_json::to_string(&secret).expect("JSON")), ("hush", "\"hush\"".to_owned()));
        assert_eq!(
            format!("{:?} {:#?} {:?}", secret, Some(&secret), Secret::default()),
            "(a secret) Some(\n    (a secret),\n) (no secret)"
        );
        assert_eq!(size_of::<Option<Secret>>(), size_of::<Box<str>>());
    }
}
