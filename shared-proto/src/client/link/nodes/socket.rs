//! The WebSocket of a link.

use crate::client::link::config::Config;
use crate::client::rest::ConfigError;
use crate::client::transport::{self, Connector};
use crate::link::NODE_HEADER;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Size of the read buffer and of the write buffer. Frames are small.
const BUFFER_SIZE: usize = 8 * 1024;

pub(super) type Socket = WebSocketStream<transport::Socket>;

/// Connects to a link address. Returns the name of the node as well, if the node says it before the welcome.
pub(super) async fn connect(config: &Config, connector: &Connector, url: &str) -> Result<(Socket, Option<String>), SocketError> {
    let mut request: Request = url.into_client_request()?;
    if let Ok(bearer) = bearer(&config.api_key) {
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    let bounds = WebSocketConfig::default()
        .read_buffer_size(BUFFER_SIZE)
        .write_buffer_size(BUFFER_SIZE)
        .max_write_buffer_size(config.message_size.saturating_mul(2).max(4 * BUFFER_SIZE))
        .max_message_size(Some(config.message_size))
        .max_frame_size(Some(config.message_size));
    let socket = connector.open(request.uri()).await?;
    let (socket, response) = client_async_with_config(request, socket, Some(bounds)).await?;
    let node = response.headers().get(NODE_HEADER).and_then(|name| name.to_str().ok());
    Ok((socket, node.map(str::to_owned)))
}

/// The value of the `Authorization` header.
pub(in crate::client::link) fn bearer(api_key: &str) -> Result<HeaderValue, ConfigError> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {api_key}")).map_err(|_| ConfigError::BadKey)?;
    bearer.set_sensitive(true);
    Ok(bearer)
}
