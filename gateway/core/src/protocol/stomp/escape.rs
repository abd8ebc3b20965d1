//! The escapes of header names and values.

use super::Version;
use std::borrow::Cow;

/// A header value as a server writes it.
pub(super) fn value(_version: Version, text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
