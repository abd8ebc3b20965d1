//! How the messages of a connection travel.

use super::Codec;
use crate::protocol::{event_stream, websocket};

/// An encoding of the protocol, and what carries its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON in text messages of a WebSocket.
    JsonMessages,
    /// Protobuf in binary messages of a WebSocket.
    ProtobufMessages,
    /// JSON in the lines of an HTTP response.
    JsonLines,
    /// Protobuf in an HTTP response. Each message has its length before it.
    ProtobufStream,
    /// JSON in the events of an event stream.
    JsonEvents,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Self; 5] = [Self::JsonMessages, Self::ProtobufMessages, Self::JsonLines, Self::ProtobufStream, Self::JsonEvents];

    /// The encoding in WebSocket messages.
    pub fn in_messages(codec: Codec) -> Self {
        match codec {
            Codec::Json => Self::JsonMessages,
            Codec::Protobuf => Self::ProtobufMessages,
        }
    }

    /// How messages become bytes.
    #[inline] // The fan-out asks for each subscriber.
    pub fn codec(self) -> Codec {
        match self {
            Self::JsonMessages | Self::JsonLines | Self::JsonEvents => Codec::Json,
            Self::ProtobufMessages | Self::ProtobufStream => Codec::Protobuf,
        }
    }

    /// Whether an HTTP response carries the messages. Then commands arrive in requests of their own.
    pub fn is_stream(self) -> bool {
        match self {
            Self::JsonMessages | Self::ProtobufMessages => false,
            Self::JsonLines | Self::ProtobufStream | Self::JsonEvents => true,
        }
    }

    /// The bytes that carry a payload, which has one message or several.
    pub fn frame(self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + websocket::encode::MAX_HEADER);
        match self {
            Self::JsonMessages | Self::ProtobufMessages => {
                websocket::encode::header(self.codec().opcode(), payload.len(), &mut out);
                out.extend_from_slice(payload);
            }
            Self::JsonLines => {
                out.extend_from_slice(payload);
                out.push(b'\n');
            }
            Self::ProtobufStream => out.extend_from_slice(payload),
            Self::JsonEvents => event_stream::append_event(None, None, payload, &mut out),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_carrier_frames_a_payload_in_its_way() {
        let framed = |encoding: Encoding| encoding.frame(b"{\"id\":1}\n{}");
        assert_eq!(framed(Encoding::JsonMessages), b"\x81\x0b{\"id\":1}\n{}");
        assert_eq!(framed(Encoding::JsonLines), b"{\"id\":1}\n{}\n");
        assert_eq!(framed(Encoding::JsonEvents), b"data: {\"id\":1}\ndata: {}\n\n");
        assert_eq!(Encoding::ProtobufMessages.frame(b"\x01\x08"), b"\x82\x02\x01\x08");
        assert_eq!(Encoding::ProtobufStream.frame(b"\x01\x08"), b"\x01\x08");
    }

    #[test]
    fn an_encoding_in_messages_is_no_stream() {
        for codec in [Codec::Json, Codec::Protobuf] {
            let encoding = Encoding::in_messages(codec);
            assert_eq!((encoding.codec(), encoding.is_stream()), (codec, false));
        }
        assert_eq!(Encoding::ALL.iter().filter(|it| it.is_stream()).count(), 3);
    }
}
