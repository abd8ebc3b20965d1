//! Errors, and the ERROR frames that tell them.

use super::{
    context::Context,
    refusal::bad_request,
    rules::{AfterRefusal, body::CORRELATION_ID},
};
use crate::{
    model::{Content, Refusal},
    protocol::stomp::{BadFrame, ServerFrame},
};

/// Close code after an ERROR: the client did not follow the protocol (RFC 6455, section 7.4.1). Spring uses it too.
const PROTOCOL_ERROR: u16 = 1002;
/// Most bytes of the header `message`, and of a close reason (RFC 6455, section 5.5).
const MAX_MESSAGE: usize = 123;

/// Why something was refused.
#[derive(Debug)]
pub(super) struct Failure {
    /// The code of the frontend protocol.
    code: u32,
    /// What went wrong, and what to do about it.
    detail: String,
    /// Whether the same may succeed later.
    retryable: bool,
    /// The value of the header `version`, which lists what the gateway speaks.
    versions: Option<&'static str>,
}

/// What a failure is about.
#[derive(Debug, Default)]
pub(super) struct About {
    /// The header `receipt` of the frame.
    pub(super) receipt: Option<Box<str>>,
    /// The header `correlation-id` of the frame.
    pub(super) correlation_id: Option<Box<str>>,
}

/// A failure that ends the connection. The client gets its ERROR right before the close.
#[derive(Debug)]
pub(super) struct Fatal {
    pub(super) failure: Failure,
    pub(super) about: About,
}

/// The connection has to be closed.
#[derive(Debug)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Box<str>,
}

/// A frame is refused. It has changed nothing.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) failure: Failure,
    pub(super) after: AfterRefusal,
}

impl Failure {
    /// An error of a service.
    pub(super) fn of_service(code: u32, detail: String, retryable: bool) -> Self {
        Self { code, detail, retryable, versions: None }
    }

    /// The client accepts no version that the gateway speaks.
    pub(super) fn of_versions(detail: String, versions: &'static str) -> Self {
        Self { versions: Some(versions), ..bad_request(detail).into() }
    }

    /// Appends the ERROR.
    pub(super) fn tell(&self, cx: &mut Context<'_>, about: &About) {
        let (message, code) = (summary(&self.detail), self.code.to_string());
        let (receipt_id, headers) = (about.receipt.as_deref(), self.headers(&code, about));
        cx.write(&ServerFrame::Error { message: &message, receipt_id, headers: &headers, body: &self.detail });
    }

    /// Passes on the headers and the body of a MESSAGE that says the same as the ERROR.
    pub(super) fn as_message(&self, about: &About, write: impl FnOnce(&[(&str, &str)], &Content)) {
        let (message, code) = (summary(&self.detail), self.code.to_string());
        let mut headers = vec![("message", &*message)];
        headers.extend(about.receipt.as_deref().map(|receipt| ("receipt-id", receipt)));
        headers.extend(self.headers(&code, about));
        write(&headers, &Content::Text(self.detail.as_str().into()));
    }

    fn headers<'a>(&self, code: &'a str, about: &'a About) -> Vec<(&'static str, &'a str)> {
        let mut headers = vec![("code", code), ("retryable", if self.retryable { "true" } else { "false" })];
        headers.extend(self.versions.map(|versions| ("version", versions)));
        headers.extend(about.correlation_id.as_deref().map(|id| (CORRELATION_ID, id)));
        headers
    }

    /// Whether the same may succeed later.
    pub(super) fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// Adds a sentence to the details.
    pub(super) fn add(&mut self, sentence: &str) {
        let between = if self.detail.ends_with('.') { " " } else { ". " };
        self.detail = [&*self.detail, between, sentence].concat();
    }

    /// The close that follows the ERROR.
    pub(super) fn close(&self) -> Close {
        Close { code: PROTOCOL_ERROR, reason: summary(&self.detail).into() }
    }
}

impl<T: Into<Failure>> From<T> for Fatal {
    fn from(failure: T) -> Self {
        Self { failure: failure.into(), about: About::default() }
    }
}

impl From<Refusal> for Failure {
    fn from(Refusal { code, detail, .. }: Refusal) -> Self {
        Self { code: code.row().client, detail, retryable: code.temporary(), versions: None }
    }
}

impl From<BadFrame> for Failure {
    fn from(bad: BadFrame) -> Self {
        bad_request(bad.to_string()).into()
    }
}

impl<T: Into<Failure>> From<T> for Rejected {
    fn from(failure: T) -> Self {
        Self { failure: failure.into(), after: AfterRefusal::Close }
    }
}

/// The first sentence, in one line. It has no colon and no backslash: before CONNECTED, clients read no escapes in headers.
fn summary(detail: &str) -> String {
    let sentence = detail.find(". ").and_then(|end| detail.get(..=end)).unwrap_or(detail);
    let end = (0..=MAX_MESSAGE.min(sentence.len())).rev().find(|&end| sentence.is_char_boundary(end));
    let readable = |c: char| match c {
        ':' => ',',
        '\\' => '/',
        c if c.is_control() => ' ',
        c => c,
    };
    sentence.get(..end.unwrap_or_default()).unwrap_or_default().chars().map(readable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_readable_sentence() {
        for (detail, expected) in [
            ("Too late. Try again.", "Too late."),
            ("A: b\\c\nd", "A, b/c d"),
            ("1.2 is not 1.3", "1.2 is not 1.3"),
            ("", ""),
            (&*"ü".repeat(80), &*"ü".repeat(61)),
        ] {
            assert_eq!(summary(detail), expected);
        }
    }
}
