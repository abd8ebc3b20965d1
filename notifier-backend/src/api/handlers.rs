//! The handlers, and what they share.

use super::problem::Problem;
use crate::{
    notification::{Millis, Notification, Request},
    outbox::{DeliveryState, Filter, Outbox, Refused},
    settings::Http,
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header::HeaderValue,
    web::{self, Bytes, Data, Path, Query, ServiceConfig},
};
use serde::Deserialize;
use shared_proto::{errors::ErrorCode, json, process::settings::list, rest::is_identity};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Notifications on a page unless a limit is given, and at most.
const PAGE: usize = 50;
const PAGE_LIMIT: usize = 200;
/// Longest idempotency key in bytes.
const KEY_LIMIT: usize = 255;

/// What the handlers share.
#[derive(Clone)]
pub struct Api {
    outbox: Outbox,
    keys: Arc<[String]>,
    body_limit: usize,
    users_limit: usize,
}

impl Api {
    /// An interface to this outbox.
    pub fn new(outbox: Outbox, settings: &Http) -> Self {
        let keys = list(&settings.api_keys).into();
        Self { outbox, keys, body_limit: settings.body_limit, users_limit: settings.users_limit }
    }

    /// Adds the paths to an application.
    pub fn configure(&self, app: &mut ServiceConfig) {
        let gone = || async { Problem::new(ErrorCode::MethodNotAllowed, "this path takes other methods") };
        app.app_data(Data::new(self.clone()))
            .app_data(web::PayloadConfig::new(self.body_limit))
            .service(web::resource("/v1/notifications").get(page).post(accept).default_service(web::to(gone)))
            .service(web::resource("/v1/notifications/{id}").get(one).default_service(web::to(gone)))
            .default_service(web::to(|| async { Problem::new(ErrorCode::NotFound, "there is no such path") }));
    }

    /// Asks for a key where keys are set; all are compared, each in constant time.
    fn admit(&self, request: &HttpRequest) -> Result<(), Problem> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let given = header(request, "authorization")?.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let known = self.keys.iter().fold(0, |known, key| known | key.as_bytes().ct_eq(given.as_bytes()).unwrap_u8());
        if known == 1 { Ok(()) } else { Err(Problem::new(ErrorCode::Unauthorized, "send `Authorization: Bearer <key>`")) }
    }
}

async fn accept(api: Data<Api>, request: HttpRequest, body: Result<Bytes, actix_web::Error>) -> Result<HttpResponse, Problem> {
    api.admit(&request)?;
    let body = body.map_err(|error| too_large_or_bad(&error))?;
    // Also what keeps web pages out: they may send this type only after a preflight, which is refused.
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(ErrorCode::UnsupportedMediaType, "send the notification with `Content-Type: application/json`"));
    }
    if !is_identity(request.headers().get_all("content-encoding").map(HeaderValue::as_bytes)) {
        return Err(Problem::new(ErrorCode::UnsupportedEncoding, "send the notification without `Content-Encoding`"));
    }
    let asked: Request = json::read_bytes(&body).map_err(|error| Problem::new(ErrorCode::BadRequest, error.to_string()))?;
    let key = idempotency_key(&request, &asked)?;
    let id = format!("{:024x}", rand::random::<u128>() >> 32);
    let new = Notification::check(asked, id, Millis::now(), api.users_limit).map_err(|text| Problem::new(ErrorCode::BadRequest, text))?;
    let accepted = api.outbox.accept(new, key).await.map_err(refusal)?;
    let mut response = HttpResponse::Accepted();
    if accepted.replayed {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    response.insert_header(("Location", format!("/v1/notifications/{}", accepted.id)));
    Ok(response.json(serde_json::json!({ "id": accepted.id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    state: Option<DeliveryState>,
    user: Option<String>,
    after: Option<i64>,
    limit: Option<usize>,
}

async fn page(api: Data<Api>, request: HttpRequest, wanted: Result<Query<Wanted>, actix_web::Error>) -> Result<HttpResponse, Problem> {
    api.admit(&request)?;
    let Query(wanted) = wanted.map_err(|error| Problem::new(ErrorCode::BadRequest, error.to_string()))?;
    let limit = wanted.limit.unwrap_or(PAGE);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(Problem::new(ErrorCode::BadRequest, format!("`limit` must be 1 to {PAGE_LIMIT}")));
    }
    let filter = Filter { state: wanted.state, user: wanted.user, after: wanted.after, limit };
    let page = api.outbox.list(filter).await.map_err(|error| refusal(error.into()))?;
    Ok(HttpResponse::Ok().json(page))
}

async fn one(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    api.admit(&request)?;
    let found = api.outbox.find(id.into_inner()).await.map_err(|error| refusal(error.into()))?;
    let view = found.ok_or_else(|| Problem::new(ErrorCode::NotFound, "no notification has this id, or it is no longer kept"))?;
    Ok(HttpResponse::Ok().json(view))
}

/// The caller's key with what it stands for: the request as we read it, so that blanks make no difference.
fn idempotency_key(request: &HttpRequest, asked: &Request) -> Result<Option<(String, String)>, Problem> {
    let Some(key) = header(request, "idempotency-key")? else { return Ok(None) };
    if key.is_empty() || key.len() > KEY_LIMIT {
        return Err(Problem::new(ErrorCode::BadRequest, format!("`Idempotency-Key` must have 1 to {KEY_LIMIT} bytes")));
    }
    let stands_for = serde_json::to_string(asked).map_err(|error| Problem::new(ErrorCode::BadRequest, error.to_string()))?;
    Ok(Some((key.to_owned(), stands_for)))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Result<Option<&'a str>, Problem> {
    let value = request.headers().get(name).map(|value| value.to_str()).transpose();
    value.map_err(|_| Problem::new(ErrorCode::BadRequest, format!("the header `{name}` is not text")))
}

fn too_large_or_bad(error: &actix_web::Error) -> Problem {
    let code = match error.as_response_error().status_code().as_u16() {
        413 => ErrorCode::PayloadTooLarge,
        _ => ErrorCode::BadRequest,
    };
    Problem::new(code, error.to_string())
}

fn refusal(refused: Refused) -> Problem {
    match refused {
        Refused::Conflict => Problem::new(ErrorCode::IdempotencyMismatch, "this key stands for another notification"),
        Refused::Full => Problem::new(ErrorCode::Overloaded, "too much is waiting to be stored or delivered"),
        Refused::Store(error) => {
            tracing::error!(%error, "a request failed");
            // A failed commit may still have reached the disk.
            Problem::new(ErrorCode::OutcomeUnknown, "the outbox failed; send it again under the same Idempotency-Key")
        }
    }
}
