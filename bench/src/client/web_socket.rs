//! A cheap WebSocket client. It masks with the key 0, so a payload is sent without a transformation.

use super::{
    endpoint::Endpoint,
    receiver::{Closed, READ_SIZE, Receiver},
};
use crate::{http::API_KEY, result::Result};
use memchr::memmem;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;

/// An upgrade request, for connections without a [`Client`].
pub(crate) const UPGRADE: &[u8] = b"GET /connection/websocket HTTP/1.1\r\nhost: bench\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
      sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// The opcode of a text frame (RFC 6455 5.2).
pub(crate) const TEXT: u8 = 1;
/// The opcode of a binary frame (RFC 6455 5.2).
const BINARY: u8 = 2;
/// The opcode of a close frame (RFC 6455 5.2).
pub(crate) const CLOSE: u8 = 8;
/// The line with which the gateway pings a client, and with which the client answers.
const PING: &[u8] = b"{}";

/// An open WebSocket.
pub(crate) struct Client(Receiver);

impl Client {
    /// Opens connection number `number`. With a small `receive_buffer` the kernel accepts little data for a client that does not read.
    pub(crate) async fn open(server: &Endpoint, path: &str, number: usize, receive_buffer: Option<u32>) -> Result<Self> {
        Self::open_with(server, path, number, receive_buffer, "").await
    }

    /// Opens a connection with the API key.
    pub(crate) async fn open_authorized(server: SocketAddr, path: &str) -> Result<Self> {
        Self::open_with(&server.into(), path, 0, None, &format!("authorization: Bearer {API_KEY}\r\n")).await
    }

    async fn open_with(server: &Endpoint, path: &str, number: usize, receive_buffer: Option<u32>, headers: &str) -> Result<Self> {
        let Endpoint { address, headers: shared, .. } = server;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{shared}{headers}\r\n"
        );
        Ok(Self(Receiver::open(server, number, receive_buffer, request.as_bytes(), 101).await?))
    }

    /// Whether the TLS handshake resumed an earlier session.
    pub(crate) fn is_resumed(&self) -> bool {
        self.0.socket.is_resumed()
    }

    pub(crate) fn local_port(&self) -> Result<u16> {
        self.0.local_port()
    }

    /// Sends one text message.
    pub(crate) async fn send(&mut self, text: &str) -> Result {
        Ok(self.0.socket.write_all(&text_frame(text.as_bytes())).await?)
    }

    /// Sends frames, or parts of them.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> Result {
        Ok(self.0.socket.write_all(bytes).await?)
    }

    /// Sends text messages in one write, and removes them.
    pub(crate) async fn send_all(&mut self, texts: &mut Vec<Vec<u8>>) -> Result {
        let frames: Vec<u8> = texts.drain(..).flat_map(|text| text_frame(&text)).collect();
        Ok(self.0.socket.write_all(&frames).await?)
    }

    /// Sends one binary message.
    pub(crate) async fn send_binary(&mut self, payload: &[u8]) -> Result {
        Ok(self.0.socket.write_all(&frame(BINARY, payload)).await?)
    }

    /// Waits for a frame and drops it, together with all that came with it.
    pub(crate) async fn receive(&mut self) -> Result {
        let mut frames = 0;
        while frames == 0 {
            self.read(READ_SIZE, |_, _| frames += 1).await.map_err(|Closed| "the server closed the connection before it answered")?;
        }
        Ok(())
    }

    /// Waits for bytes, then calls `handle` with the opcode and the payload of each complete frame. Reads at most `limit` bytes.
    pub(crate) async fn read(&mut self, limit: usize, mut handle: impl FnMut(u8, &[u8])) -> Result<(), Closed> {
        let split = |received: &[u8]| {
            let mut rest = received;
            while let Some((opcode, payload, after)) = split_frame(rest) {
                handle(opcode, payload);
                rest = after;
            }
            received.len() - rest.len()
        };
        self.0.read(limit, split).await
    }

    /// Reads until a message contains `text`, and returns that message.
    pub(crate) async fn expect(&mut self, text: &str) -> Result<String> {
        let (mut found, mut last) = (None, String::new());
        while found.is_none() {
            let read = self.read(READ_SIZE, |_, payload| {
                last = String::from_utf8_lossy(payload).into_owned();
                if last.contains(text) {
                    found.get_or_insert_with(|| last.clone());
                }
            });
            let ended = read.await.is_err();
            if ended && found.is_none() {
                return Err(format!("the server closed the connection before it sent {text}; its last frame was {last}").into());
            }
        }
        Ok(found.unwrap_or_default())
    }

    /// Reads until the connection is closed and answers pings. Calls `handle` with everything else, in messages of one or more lines.
    pub(crate) async fn receive_all(mut self, mut handle: impl FnMut(u8, &[u8])) {
        let mut pinged = false;
        loop {
            let read = self.read(READ_SIZE, |opcode, payload| {
                if !has_ping(payload) {
                    return handle(opcode, payload);
                }
                pinged = true;
                payload.split(|byte| *byte == b'\n').filter(|line| *line != PING).for_each(|line| handle(opcode, line));
            });
            if read.await.is_err() || (std::mem::take(&mut pinged) && self.send("{}").await.is_err()) {
                return;
            }
        }
    }

    /// Sends the connect command and returns the reply. An empty token connects anonymously.
    pub(crate) async fn connect(&mut self, token: &str) -> Result<String> {
        self.send(&format!(r#"{{"id":1,"connect":{{"token":"{token}"}}}}"#)).await?;
        self.expect(r#""connect":"#).await
    }

    pub(crate) async fn subscribe(&mut self, channel: &str) -> Result<String> {
        self.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#)).await?;
        self.expect(r#""subscribe":"#).await
    }
}

/// A masked text frame.
pub(crate) fn text_frame(payload: &[u8]) -> Vec<u8> {
    frame(TEXT, payload)
}

/// A masked frame. The key is 0, which leaves the payload as it is.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0xFE);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 0x7f);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Whether a line of the message is a ping. The gateway's JSON has line breaks only between lines.
pub(crate) fn has_ping(payload: &[u8]) -> bool {
    payload.strip_prefix(PING).is_some_and(|rest| matches!(rest, [] | [b'\n', ..]))
        || payload.ends_with(b"\n{}")
        || memmem::find(payload, b"\n{}\n").is_some()
}

/// The opcode and payload of the first frame and the bytes after it, if the frame is complete. A server's frames are not masked.
fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [first, length, rest @ ..] = bytes else { return None };
    let (length, rest) = match (length, rest) {
        (126, [high, low, rest @ ..]) => (u16::from_be_bytes([*high, *low]) as usize, rest),
        (127, rest) => {
            let (length, rest) = rest.split_first_chunk::<8>()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        (126, _) => return None,
        (length, rest) => (usize::from(*length), rest),
    };
    let (payload, after) = rest.split_at_checked(length)?;
    Some((first & 0x0f, payload, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_are_found_at_every_position() {
        for (payload, expected) in [
            ("{}", true),
            ("{}\n{\"push\":{}}", true),
            ("{\"push\":{}}\n{}", true),
            ("{\"push\":{}}\n{}\n{\"id\":1}", true),
            ("", false),
            ("{\"push\":{}}", false),
            ("{\"push\":{}}\n{\"id\":1}", false),
            ("{}x", false),
        ] {
            assert_eq!(has_ping(payload.as_bytes()), expected, "{payload:?}");
        }
    }
}
