//! Answers only requests to the names of the listener.

use super::streams::StreamHost;
use crate::api::ApiError;
use actix_web::{
    Error, ResponseError as _,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::ConnectionType,
    middleware::Next,
};
use std::rc::Rc;

/// Answers 421 to requests to other hosts, counts them, and ends their connections. Upgrades do not come here.
pub(super) async fn check_host<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(host) = request.app_data::<Rc<StreamHost>>().cloned() else { return Ok(next.call(request).await?.map_into_left_body()) };
    let checked = host.source.check_host(request.headers(), request.uri().authority(), request.peer_addr());
    let Err(refusal) = checked else { return Ok(next.call(request).await?.map_into_left_body()) };
    let client = host.source.client(request.headers(), request.peer_addr()).address.map(tracing::field::display);
    tracing::debug!(client, path = request.path(), code = %refusal.code, "request refused");
    host.worker.hub.metrics().upgrade_refused(refusal.code);
    let mut response = ApiError(refusal).error_response();
    response.head_mut().set_connection_type(ConnectionType::Close);
    Ok(request.into_response(response).map_into_right_body())
}
