//! Lets pages of the allowed origins read responses (Fetch standard, section 3.2).

use crate::{
    auth::{Origins, TrustedProxies},
    transport::request_origin,
};
use actix_web::{
    Error, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderValue},
    middleware::Next,
    web,
};

/// Adds CORS headers to every response, errors included. The origins are in the application's data.
pub(super) async fn allow_origins(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let allowed = allowed_origin(request.request());
    let mut response = next.call(request).await?;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    Ok(response)
}

/// Lets pages whose requests have cookies read the responses. It has to be wrapped by [`allow_origins`].
pub(super) async fn allow_credentials(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    Ok(response)
}

/// The origin of a request, if its pages may connect.
fn allowed_origin(request: &HttpRequest) -> Option<HeaderValue> {
    let (origins, proxies) = (request.app_data::<web::Data<Origins>>()?, request.app_data::<web::Data<TrustedProxies>>()?);
    let origin = request.headers().get(header::ORIGIN)?;
    // A repeated origin is that of no page.
    request_origin(request.headers()).ok()?;
    let values = |name: &str| request.headers().get_all(name).map(HeaderValue::as_bytes);
    let client = proxies.client(request.peer_addr().map(|peer| peer.ip()), values);
    proxies.count(&client);
    let host = client.host.as_deref().or_else(|| request.headers().get(header::HOST)?.to_str().ok());
    origins.allows(origin.to_str().ok(), host, client.scheme).then(|| origin.clone())
}
