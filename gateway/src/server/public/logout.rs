//! OpenID Connect Back-Channel Logout 1.0: an issuer tells the gateway that it has ended a session.

use super::streams::StreamHost;
use crate::{
    api::Path,
    auth::{LogoutError, LogoutToken, TokenError},
    node::Node,
    telemetry::LogoutResult,
};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header,
    web::{Form, FormConfig, ServiceConfig},
};
use gateway_core::model::{Disconnect, Revocation};
use serde::{Deserialize, Serialize};
use std::{
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::time::timeout;

/// Where issuers send logout tokens.
const PATH: &str = "/oidc/backchannel-logout";
/// Largest body, in bytes.
const BODY_BYTES: usize = 16 << 10;
/// Close reason of the connections.
const REASON: &str = "logged out";

/// The body of a request (section 2.5). Other parameters have no effect.
#[derive(Deserialize)]
struct LogoutForm {
    logout_token: String,
}

/// The body of a refusal (section 2.8).
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Refused {
    error: &'static str,
    error_description: String,
    #[serde(skip)]
    result: LogoutResult,
}

impl Refused {
    fn invalid(result: LogoutResult, why: impl Into<String>) -> Self {
        Self { error: "invalid_request", error_description: why.into(), result }
    }

    /// The same token may be accepted later.
    fn temporary(result: LogoutResult, why: impl Into<String>) -> Self {
        Self { error: "temporarily_unavailable", error_description: why.into(), result }
    }
}

/// Serves the path, if an issuer may use it. The application has the [`StreamHost`] in its data.
pub(super) fn configure(config: &mut ServiceConfig, node: &Node) {
    if node.tokens.accepts_logouts() {
        config.service(Path::new(PATH).post(post).into_resource().app_data(FormConfig::default().limit(BODY_BYTES)));
    }
}

/// The body of a request, or why there is none.
struct Body(Result<String, Refused>);

impl FromRequest for Body {
    type Error = actix_web::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let host = request.app_data::<Rc<StreamHost>>().cloned();
        let form = Form::<LogoutForm>::from_request(request, payload);
        Box::pin(async move {
            let invalid = |why: String| Refused::invalid(LogoutResult::Invalid, why);
            let limit = host.map(|host| host.worker.limits.message_timeout).unwrap_or_default();
            let form = timeout(limit, form).await.map_err(|_| invalid("The body did not arrive in time.".into()));
            let form =
                form.and_then(|form| form.map_err(|error| invalid(format!("The body must be a form with a logout_token: {error}."))));
            Ok(Self(form.map(|Form(form)| form.logout_token)))
        })
    }
}

async fn post(request: HttpRequest, Body(token): Body) -> HttpResponse {
    let Some(host) = request.app_data::<Rc<StreamHost>>() else { return HttpResponse::InternalServerError().finish() };
    let outcome = match token {
        Ok(token) => log_out(&host.worker.node, &token).await,
        Err(refused) => Err(refused),
    };
    host.worker.hub.metrics().logout(outcome.as_ref().err().map_or(LogoutResult::Done, |refused| refused.result));
    match outcome {
        Ok(()) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).finish(),
        Err(refused) => {
            // Anybody can cause such lines. The series counts them.
            tracing::debug!(reason = refused.error_description, "refused a logout token");
            HttpResponse::BadRequest().insert_header((header::CACHE_CONTROL, "no-store")).json(refused)
        }
    }
}

async fn log_out(node: &Node, token: &str) -> Result<(), Refused> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let away = |error: TokenError| Refused::temporary(LogoutResult::Failed, format!("{error}."));
    let LogoutToken { target, until, id, expires_in } = node.tokens.verify_logout(token, now).await.map_err(|error| match error {
        LogoutError::Invalid(error @ TokenError::KeysAway) => away(error),
        LogoutError::Invalid(why) => Refused::invalid(LogoutResult::Invalid, format!("{why}.")),
        LogoutError::TooMany => Refused::temporary(LogoutResult::TooMany, format!("{error}.")),
    })?;
    let failed = |why: String| Refused::temporary(LogoutResult::Failed, why);
    let used = node.broker.revoked(&id).await.map_err(|_| failed("The store does not answer. Send the token again.".into()))?;
    if used.is_some() {
        return Err(Refused::invalid(LogoutResult::Repeated, "The token has come before."));
    }
    let revocation = Revocation { until, code: Disconnect::ForceDisconnect.code(), reason: REASON.into() };
    let named = target.to_string();
    let connections = node.revoke(target, revocation.clone()).await.map_err(|refusal| failed(refusal.detail))?;
    // Only now: if something before failed, the issuer may send the token again.
    let once = Revocation { until: Revocation::ALWAYS, ..revocation };
    node.broker.revoke(&id, once, expires_in).await.map_err(|_| failed("The store does not answer. Send the token again.".into()))?;
    tracing::info!(target = named, connections, "an issuer has ended a session");
    Ok(())
}
