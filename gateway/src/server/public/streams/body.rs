//! The body of a request with commands.

use super::StreamHost;
use crate::{api::ApiError, broker::PostedCommands};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, http::header, web::Bytes};
use gateway_core::{
    model::{ErrorCode, Refusal},
    protocol::centrifuge::Codec,
};
use shared_proto::rest::is_identity;
use std::{future::Future, pin::Pin, rc::Rc};
use tokio::time::timeout;

/// Largest size of the commands of one request, in bytes.
#[derive(Clone, Copy)]
pub(super) struct CommandsSize(pub(super) usize);

impl CommandsSize {
    /// The limit of the path of this request.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        request.app_data::<Self>().copied().ok_or_else(|| ErrorCode::Internal.into())
    }

    /// The largest body, in bytes: in JSON, commands in a text take more than they take in a WebSocket.
    pub(super) fn of_body(self) -> usize {
        self.0.saturating_mul(2).saturating_add(1024)
    }

    /// Refuses commands that would be too large for one WebSocket message.
    pub(super) fn check(self, commands: PostedCommands) -> Result<PostedCommands, Refusal> {
        if commands.len() > self.0 { Err(self.exceeded()) } else { Ok(commands) }
    }

    fn exceeded(self) -> Refusal {
        let Self(size) = self;
        let cure = "Send less, or raise connection.message_size, or for the commands before the connect limits.connection.connect_size.";
        Refusal::new(ErrorCode::PayloadTooLarge, format!("The commands are larger than the limit of {size} bytes. {cure}"))
    }
}

/// A body in one of the encodings of the protocol.
///
/// A page of another site can send neither content type without asking first, so it cannot send commands with a form.
pub(super) struct EncodedBody {
    pub(super) codec: Codec,
    pub(super) bytes: Bytes,
    pub(super) size: CommandsSize,
}

impl FromRequest for EncodedBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (codec, host, size) = (codec(request), request.app_data::<Rc<StreamHost>>().cloned(), CommandsSize::of(request));
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let (codec, host, size) = (codec?, host.ok_or(ErrorCode::Internal)?, size?);
            let limit = host.worker.limits.message_timeout;
            let late = || bad(format!("The body did not arrive within {} s.", limit.as_secs_f32()));
            let bytes = timeout(limit, body).await.map_err(|_| late())?;
            let bytes = bytes.map_err(|error| match error.as_response_error().status_code().as_u16() {
                413 => size.exceeded(),
                _ => bad("The body is incomplete."),
            })?;
            Ok(Self { codec, bytes, size })
        })
    }
}

fn codec(request: &HttpRequest) -> Result<Codec, Refusal> {
    let codec = match request.content_type().to_ascii_lowercase().as_str() {
        "application/json" => Codec::Json,
        "application/octet-stream" => Codec::Protobuf,
        _ => {
            let detail = "Send the commands as application/json, or as Protobuf with application/octet-stream.";
            return Err(Refusal::new(ErrorCode::UnsupportedMediaType, detail));
        }
    };
    let encodings = request.headers().get_all(header::CONTENT_ENCODING).map(header::HeaderValue::as_bytes);
    if is_identity(encodings) { Ok(codec) } else { Err(ErrorCode::UnsupportedEncoding.into()) }
}

impl EncodedBody {
    /// The whole body as commands.
    pub(super) fn into_commands(self) -> Result<PostedCommands, Refusal> {
        let commands = match self.codec {
            Codec::Json => {
                let text = std::str::from_utf8(&self.bytes).map_err(|_| bad("The body is not UTF-8."))?;
                PostedCommands::Json(text.into())
            }
            Codec::Protobuf => PostedCommands::Protobuf(self.bytes.as_ref().into()),
        };
        self.size.check(commands)
    }
}

pub(super) fn bad(detail: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, detail.into())
}
