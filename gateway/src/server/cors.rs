//! Lets pages of the allowed origins read responses (Fetch standard, section 3.2).

use crate::auth::Origins;
use actix_web::{
    Error,
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
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_allowed =
        |origin: &&str| request.app_data::<web::Data<Origins>>().is_some_and(|all| all.allows(Some(origin), text(header::HOST)));
    let allowed = text(header::ORIGIN).filter(is_allowed).and_then(|origin| HeaderValue::from_str(origin).ok());
    let mut response = next.call(request).await?;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    Ok(response)
}
