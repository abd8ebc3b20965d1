//! Revocations of tokens.

use super::{
    audit_line::Action,
    connections::DisconnectQuery,
    extract::Json,
    problem::{ApiError, bad_request},
};
use crate::node::Node;
use actix_web::{HttpResponse, web::Data};
use gateway_core::model::{ClaimDigest, RevocableClaim, Revocation, RevocationTarget, UserId};
use shared_proto::rest::{Problem, RevocationBody, RevocationRequest};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far `before` may lie ahead, because the caller's clock may differ, in seconds.
const CLOCK_DIFFERENCE: u64 = 60;
/// Largest `sid`, `jti` and `issuer`, in bytes. No token is larger.
const CLAIM_BYTES: usize = 16 << 10;

/// Revoke the tokens of a user, the tokens of a session, or one token. Their connections are closed on all nodes, and they are refused as expired from now
/// on. Repeating it changes nothing but the times.
#[utoipa::path(post, path = "/v1/revocations", tag = "users", security(("api_key" = ["revoke"])),
    request_body(content = RevocationRequest, examples(
        ("user" = (summary = "All tokens of a user that were issued until now", value = json!({"user": "alice"}))),
        ("session" = (summary = "All tokens of a session", value = json!({"sid": "08a5019c-17e1", "issuer": "https://login.example.com/realms/shop"}))),
        ("token" = (summary = "One token; its client may come back with another", value = json!({"jti": "7f2e", "issuer": "https://login.example.com/realms/shop", "code": 3005, "reason": "token revoked"}))))),
    responses((status = 200, description = "Stored, and the connections are being closed", body = RevocationBody,
            example = json!({"id": "user:alice", "before": 1_800_000_000, "expires_at": 1_800_086_410, "connections": 1})),
        (status = 422, description = "`limit_exceeded`: the limit of revocations is reached", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not stored, or stored and some nodes did not answer. Repeat it", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn revoke(node: Data<Node>, action: Action, Json(body): Json<RevocationRequest>) -> Result<HttpResponse, ApiError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let target = target(&body)?;
    action.concerns(&target);
    let until = match (body.before, &target) {
        (Some(before), _) if before > now.saturating_add(CLOCK_DIFFERENCE) => {
            return Err(bad_request("`before` lies in the future. It is in seconds since 1970."));
        }
        (Some(before), _) => before,
        (None, RevocationTarget::User(_)) => now,
        (None, RevocationTarget::Claim(..)) => Revocation::ALWAYS,
    };
    let (code, reason) = DisconnectQuery { code: body.code, reason: body.reason }.close()?;
    let id = target.to_string();
    let connections = node.revoke(target, Revocation { until, code, reason }).await?;
    let before = (until < Revocation::ALWAYS).then_some(until);
    let expires_at = now.saturating_add(node.revocation_ttl.as_secs());
    Ok(HttpResponse::Ok().json(RevocationBody { id, before, expires_at, connections }))
}

fn target(body: &RevocationRequest) -> Result<RevocationTarget, ApiError> {
    let RevocationRequest { user, sid, jti, issuer, .. } = body;
    if issuer.as_ref().is_some_and(|issuer| issuer.len() > CLAIM_BYTES) {
        return Err(bad_request(format!("`issuer` is longer than {CLAIM_BYTES} bytes.")));
    }
    let claim = |claim: RevocableClaim, value: &String| {
        if value.is_empty() || value.len() > CLAIM_BYTES {
            return Err(bad_request(format!("`{}` must have 1 to {CLAIM_BYTES} bytes.", claim.name())));
        }
        Ok(RevocationTarget::Claim(claim, ClaimDigest::new(issuer.as_deref().unwrap_or_default(), claim, value)))
    };
    match (user, sid, jti) {
        (Some(_), None, None) if issuer.is_some() => {
            Err(bad_request("`user` means the tokens of all issuers. Leave `issuer` out, or name a `sid` or a `jti`."))
        }
        (Some(user), None, None) => match user.parse::<UserId>() {
            Ok(user) if user.is_anonymous() => Err(bad_request("`user` is empty.")),
            Ok(user) => Ok(user.into()),
            Err(error) => Err(bad_request(format!("`user` {error}."))),
        },
        (None, Some(sid), None) => claim(RevocableClaim::Session, sid),
        (None, None, Some(jti)) => claim(RevocableClaim::Token, jti),
        _ => Err(bad_request("Name exactly one of `user`, `sid` and `jti`.")),
    }
}
