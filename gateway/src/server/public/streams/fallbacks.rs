//! The streams of the Centrifuge SDK: `http_stream` and `sse`.

use super::{
    StreamHost,
    body::{CommandsSize, EncodedBody, bad},
    host::StreamStart,
};
use crate::{api::ApiError, broker::PostedCommands, connection::ChosenProtocol};
use actix_web::{HttpRequest, HttpResponse};
use gateway_core::{
    model::ErrorCode,
    protocol::{
        centrifuge::{Codec, Encoding},
        event_stream::{PADDING, append_padding},
    },
    session::PingForm,
};
use serde::Deserialize;
use shared_proto::http::read_query;
use std::rc::Rc;

/// Opens a stream of lines or Protobuf messages. The body has the first commands.
pub(super) async fn http_stream(request: HttpRequest, body: EncodedBody) -> Result<HttpResponse, ApiError> {
    let host = request.app_data::<Rc<StreamHost>>().ok_or(ErrorCode::Internal)?;
    let (encoding, content_type, first_bytes) = match body.codec {
        // Spaces before the first message of a line do not count in JSON.
        Codec::Json => (Encoding::JsonLines, "application/json", vec![b' '; PADDING]),
        // Protobuf has no bytes that do not count.
        Codec::Protobuf => (Encoding::ProtobufStream, "application/octet-stream", Vec::new()),
    };
    let commands = body.into_commands()?;
    let protocol = ChosenProtocol::Centrifuge { encoding, ping_form: PingForm::StreamMessage };
    Ok(host.open(&request, StreamStart { content_type, protocol, first_bytes, commands })?)
}

#[derive(Deserialize)]
struct SseQuery {
    cf_connect: String,
}

/// Opens an event stream. The query has the first commands.
pub(super) async fn sse(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let host = request.app_data::<Rc<StreamHost>>().ok_or(ErrorCode::Internal)?;
    let SseQuery { cf_connect } = read_query(request.query_string()).map_err(|error| bad(format!("The query is invalid: {error}.")))?;
    let commands = CommandsSize::of(&request)?.check(PostedCommands::Json(cf_connect.into()))?;
    let protocol = ChosenProtocol::Centrifuge { encoding: Encoding::JsonEvents, ping_form: PingForm::StreamMessage };
    let mut first_bytes = Vec::new();
    append_padding(&mut first_bytes);
    first_bytes.push(b'\n');
    Ok(host.open(&request, StreamStart { content_type: "text/event-stream", protocol, first_bytes, commands })?)
}
