//! The handlers of the REST interface.

use super::problem::Problem;
use crate::{
    notification::{Millis, Notification, Request},
    outbox::{DeliveryState, Filter, Outbox, Refused},
    settings::Http,
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header::HeaderValue,
    web::{self, Bytes, Data, Path, ServiceConfig},
};
use serde::Deserialize;
use shared_proto::{errors::ErrorCode, http::read_query, json, process::settings::list, rest::is_identity};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Number of notifications in a page if the request has no limit.
const DEFAULT_PAGE: usize = 50;
/// Maximum number of notifications in a page.
const MAX_PAGE: usize = 200;
/// Maximum size of an idempotency key in bytes.
const MAX_KEY: usize = 255;

/// The state that all handlers share.
#[derive(Clone)]
pub struct Api {
    outbox: Outbox,
    keys: Arc<[String]>,
    body_limit: usize,
    users_limit: usize,
}

impl Api {
    /// Creates the interface to this outbox.
    pub fn new(outbox: Outbox, settings: &Http) -> Self {
        let keys = list(&settings.api_keys).into();
        Self { outbox, keys, body_limit: settings.body_limit, users_limit: settings.users_limit }
    }

    /// Adds the paths to an application.
    pub fn configure(&self, app: &mut ServiceConfig) {
        let wrong_method = || async { Problem::new(ErrorCode::MethodNotAllowed, "this path does not support this method") };
        app.app_data(Data::new(self.clone()))
            .app_data(web::PayloadConfig::new(self.body_limit))
            .service(web::resource("/v1/notifications").get(list_notifications).post(accept).default_service(web::to(wrong_method)))
            .service(web::resource("/v1/notifications/{id}").get(get_notification).default_service(web::to(wrong_method)))
            .default_service(web::to(|| async { Problem::new(ErrorCode::NotFound, "this path does not exist") }));
    }

    /// Refuses a request without a valid API key, if keys are configured. Compares all keys, each in constant time.
    fn authorize(&self, request: &HttpRequest) -> Result<(), Problem> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let given = header(request, "authorization")?.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let is_valid = self.keys.iter().fold(0, |is_valid, key| is_valid | key.as_bytes().ct_eq(given.as_bytes()).unwrap_u8());
        if is_valid == 1 { Ok(()) } else { Err(Problem::new(ErrorCode::Unauthorized, "send `Authorization: Bearer <key>`")) }
    }
}

async fn accept(api: Data<Api>, request: HttpRequest, body: Result<Bytes, actix_web::Error>) -> Result<HttpResponse, Problem> {
    api.authorize(&request)?;
    let body = body.map_err(|error| body_error(&error))?;
    // This check also protects against web pages. A page may send this type only after a preflight request, which is refused.
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(ErrorCode::UnsupportedMediaType, "send the notification with `Content-Type: application/json`"));
    }
    if !is_identity(request.headers().get_all("content-encoding").map(HeaderValue::as_bytes)) {
        return Err(Problem::new(ErrorCode::UnsupportedEncoding, "send the notification without `Content-Encoding`"));
    }
    let content: Request = json::read_bytes(&body).map_err(|error| Problem::new(ErrorCode::BadRequest, error.to_string()))?;
    let key = idempotency_key(&request, &content)?;
    let id = format!("{:024x}", rand::random::<u128>() >> 32);
    let new = Notification::check(content, id, Millis::now(), api.users_limit).map_err(|text| Problem::new(ErrorCode::BadRequest, text))?;
    let accepted = api.outbox.accept(new, key).await.map_err(problem)?;
    let mut response = HttpResponse::Accepted();
    if accepted.replayed {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    response.insert_header(("Location", format!("/v1/notifications/{}", accepted.id)));
    Ok(response.json(serde_json::json!({ "id": accepted.id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    state: Option<DeliveryState>,
    user: Option<String>,
    after: Option<i64>,
    limit: Option<usize>,
}

async fn list_notifications(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    api.authorize(&request)?;
    let query: ListQuery = read_query(request.query_string()).map_err(|error| Problem::new(ErrorCode::BadRequest, error.to_string()))?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::new(ErrorCode::BadRequest, format!("`limit` must be 1 to {MAX_PAGE}")));
    }
    let filter = Filter { state: query.state, user: query.user, after: query.after, limit };
    let page = api.outbox.list(filter).await.map_err(|error| problem(error.into()))?;
    Ok(HttpResponse::Ok().json(page))
}

async fn get_notification(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    api.authorize(&request)?;
    let found = api.outbox.find(id.into_inner()).await.map_err(|error| problem(error.into()))?;
    let view =
        found.ok_or_else(|| Problem::new(ErrorCode::NotFound, "no notification has this id, or it was deleted after its retention"))?;
    Ok(HttpResponse::Ok().json(view))
}

/// The caller's idempotency key and its request. The request is serialised again, so that white space and the order of fields do not matter.
fn idempotency_key(request: &HttpRequest, content: &Request) -> Result<Option<(String, String)>, Problem> {
    let Some(key) = header(request, "idempotency-key")? else { return Ok(None) };
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(Problem::new(ErrorCode::BadRequest, format!("`Idempotency-Key` must have 1 to {MAX_KEY} bytes")));
    }
    let content = serde_json::to_string(content).map_err(|error| Problem::new(ErrorCode::BadRequest, error.to_string()))?;
    Ok(Some((key.to_owned(), content)))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Result<Option<&'a str>, Problem> {
    let value = request.headers().get(name).map(|value| value.to_str()).transpose();
    value.map_err(|_| Problem::new(ErrorCode::BadRequest, format!("the header `{name}` is not ASCII text")))
}

fn body_error(error: &actix_web::Error) -> Problem {
    let code = match error.as_response_error().status_code().as_u16() {
        413 => ErrorCode::PayloadTooLarge,
        _ => ErrorCode::BadRequest,
    };
    Problem::new(code, error.to_string())
}

fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::Conflict => {
            Problem::new(ErrorCode::IdempotencyMismatch, "this Idempotency-Key was used for another notification; use a new key")
        }
        Refused::Full => Problem::new(ErrorCode::Overloaded, "too many notifications wait to be stored or delivered; try again later"),
        Refused::Store(error) => {
            tracing::error!(%error, "a request failed");
            // After a failed commit, the data may be on the disk nevertheless.
            Problem::new(ErrorCode::OutcomeUnknown, "the outbox failed; send the request again with the same Idempotency-Key")
        }
    }
}
