//! Commands for the session of a stream. They may arrive at any node.

use super::{
    StreamHost,
    body::{EncodedBody, bad},
};
use crate::{
    api::ApiError,
    broker::{PostOutcome, PostedCommands},
};
use actix_web::{HttpRequest, HttpResponse};
use gateway_core::{
    model::{ErrorCode, Refusal},
    protocol::centrifuge::{BadFrame, Codec, EmulationRequest},
};
use std::rc::Rc;

/// Hands the commands of the body to the session that it names.
///
/// 204 says that the session has the commands, or that its node has it no more: then its stream has ended, and the client knows it from there.
pub(super) async fn post(request: HttpRequest, body: EncodedBody) -> Result<HttpResponse, ApiError> {
    let host = request.app_data::<Rc<StreamHost>>().ok_or(ErrorCode::Internal)?;
    host.check(&request)?;
    let EmulationRequest { node, session, data } = read(&body)?;
    let commands = body.size.check(data)?;
    // A client whose connection before was a WebSocket may still have the session of that one.
    let Ok(key) = session.parse() else { return Err(unknown_session().into()) };
    match host.worker.node.cluster.post_commands(&node, key, commands).await? {
        PostOutcome::Taken | PostOutcome::Gone => Ok(HttpResponse::NoContent().finish()),
        PostOutcome::Full => {
            let detail = "Too many commands wait for this session (streams.queue_bytes). None of these was taken. Send them later.";
            Err(Refusal::new(ErrorCode::Overloaded, detail).into())
        }
    }
}

fn read(body: &EncodedBody) -> Result<EmulationRequest<PostedCommands>, Refusal> {
    let invalid = |error: BadFrame| bad(format!("The body is invalid: {error}."));
    Ok(match body.codec {
        Codec::Json => {
            let EmulationRequest { node, session, data } = EmulationRequest::from_json(&body.bytes).map_err(invalid)?;
            EmulationRequest { node, session, data: PostedCommands::Json(data.into()) }
        }
        Codec::Protobuf => {
            let EmulationRequest { node, session, data } = EmulationRequest::from_protobuf(&body.bytes).map_err(invalid)?;
            EmulationRequest { node, session, data: PostedCommands::Protobuf(data.into()) }
        }
    })
}

fn unknown_session() -> Refusal {
    Refusal::new(ErrorCode::NotFound, "The session is not that of a stream. Connect again.")
}
