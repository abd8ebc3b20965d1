//! A persistent HTTP/1.1 connection that can pipeline requests.

use crate::{
    client::{endpoint::Endpoint, socket::Socket},
    result::Result,
};
use std::{fmt::Write as _, net::SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The API key of `gateway/config/dev.toml`.
pub(crate) const API_KEY: &str = "dev";

/// A connection to a REST interface.
pub(crate) struct Http {
    socket: Socket,
    received: Vec<u8>,
}

impl Http {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        Self::open_at(&address.into()).await
    }

    pub(crate) async fn open_at(server: &Endpoint) -> Result<Self> {
        Ok(Self { socket: server.connect(0, None).await?, received: Vec::new() })
    }

    /// Posts the body and returns the body of the response. Fails if the status is not 200.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Result<String> {
        self.post_all(path, &[body]).await
    }

    /// Posts all bodies in one write and returns the body of the last response.
    pub(crate) async fn post_all<B: AsRef<str>>(&mut self, path: &str, bodies: &[B]) -> Result<String> {
        let mut request = String::new();
        for body in bodies {
            let body = body.as_ref();
            write!(
                request,
                "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {API_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
        self.socket.write_all(request.as_bytes()).await?;
        let mut last = String::new();
        for _ in bodies {
            last = self.response().await?;
        }
        Ok(last)
    }

    /// Posts a body of this content type. Fails if the status is not 200 or 204.
    pub(crate) async fn post_as(&mut self, path: &str, content_type: &str, body: &[u8]) -> Result {
        let head = format!("POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n", body.len());
        self.socket.write_all(&[head.as_bytes(), body].concat()).await?;
        self.response().await.map(drop)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {API_KEY}\r\n\r\n");
        self.socket.write_all(request.as_bytes()).await?;
        self.response().await
    }

    /// Reads the next response and returns its body.
    async fn response(&mut self) -> Result<String> {
        loop {
            if let Some((head, length)) = parse_head(&self.received)?
                && self.received.len() >= head + length
            {
                let status = String::from_utf8_lossy(&self.received[..head]).lines().next().unwrap_or_default().to_owned();
                let body = String::from_utf8_lossy(&self.received[head..head + length]).into_owned();
                self.received.drain(..head + length);
                let is_good = status.contains(" 200 ") || status.contains(" 204 ");
                return if is_good { Ok(body) } else { Err(format!("{status}: {body}").into()) };
            }
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed the HTTP connection".into());
            }
        }
    }
}

/// The start and the length of the body of a response, if its head is complete.
pub(crate) fn parse_head(received: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let length = String::from_utf8_lossy(&received[..end])
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length:").map(|value| value.trim().parse()))
        .transpose()?;
    Ok(Some((end + 4, length.unwrap_or(0))))
}
