//! Frames of clients that are not valid.

use super::{ClientCommand, Version};

/// What is wrong with the input of a client. The answer is an ERROR frame with this text, then the connection is closed.
///
/// The texts have no colon, no backslash and no line end, so that they need no escapes in the `message` header: before CONNECTED, clients
/// read no escapes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// The first line of a frame is no command of clients. It has the line, as far as it can be shown.
    #[error("\"{0}\" is no STOMP command of clients; is this a STOMP client, and does each frame before this one end with a NUL byte?")]
    UnknownCommand(Box<str>),
    /// The first frame is not CONNECT or STOMP.
    #[error("the first frame is {0}, but has to be CONNECT or STOMP")]
    NotConnected(ClientCommand),
    /// A carriage return without a line feed.
    #[error(
        "a carriage return stands without a line feed; lines end with a line feed, and in headers a carriage return is written as its escape"
    )]
    LoneCarriageReturn,
    /// A NUL byte in the command or in the headers.
    #[error("a frame ends in its headers; an empty line has to stand between the headers and the NUL byte")]
    UnfinishedHead,
    /// Command and headers are too long.
    #[error("command and headers of a frame have more than {0} bytes; send shorter or fewer headers")]
    LongHead(usize),
    /// There are too many headers. Repeated ones count.
    #[error("a frame has more than {0} headers; send fewer")]
    ManyHeaders(usize),
    /// A header line has no colon, or nothing before it.
    #[error("a header line has no colon after its name; each has the form name, colon, value, and an empty line ends the headers")]
    BadHeader,
    /// A header is not UTF-8.
    #[error("a header is not UTF-8")]
    NotUtf8,
    /// An escape that the version does not define.
    #[error("a header has a backslash that begins no escape of STOMP {0}; a backslash in a header is written twice")]
    UndefinedEscape(Version),
    /// The value of `content-length` is no number.
    #[error("content-length is no number; it is the number of bytes in the body")]
    BadContentLength,
    /// The body is too long.
    #[error("the body of a frame has more than {0} bytes; send a shorter body")]
    LongBody(usize),
    /// The byte after a body with a length is not NUL.
    #[error("no NUL byte follows the body; content-length has to be the number of bytes in the body, not of its characters")]
    WrongContentLength,
    /// A body in a frame that has none.
    #[error("{0} has a body, but only SEND may have one; a NUL byte has to follow the empty line")]
    UnexpectedBody(ClientCommand),
    /// The value of `heart-beat` is not valid.
    #[error("heart-beat is not valid; it has two whole numbers of milliseconds with a comma between, as in 10000,10000")]
    BadHeartBeat,
    /// A message of a SockJS client is not JSON of the right form.
    #[error("a message is no SockJS message, which is a JSON array of texts")]
    BadSockJs,
    /// A message of a SockJS client has too many texts.
    #[error("a SockJS message has more than {0} texts; send several messages")]
    ManySockJsTexts(usize),
}

impl BadFrame {
    /// Most bytes of a line that [`Self::UnknownCommand`] has.
    const SHOWN: usize = 32;

    /// The line is no command. What would need an escape is left out.
    pub(super) fn unknown_command(line: &[u8]) -> Self {
        let shown = line.iter().copied().filter(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b':' | b'\\' | b'"'));
        Self::UnknownCommand(shown.take(Self::SHOWN).map(char::from).collect::<String>().into())
    }
}
