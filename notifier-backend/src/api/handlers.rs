//! The handlers of the REST interface.

use super::problem::Problem;
use crate::{
    notification::{Millis, Notification, Request},
    outbox::{DeliveryState, Filter, NotificationView, Outbox, Page, Refused},
    settings::Http,
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header::HeaderValue,
    web::{Bytes, Data, Path},
};
use serde::{Deserialize, Serialize};
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

    /// Maximum size of a body in bytes.
    pub(super) fn body_limit(&self) -> usize {
        self.body_limit
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

/// What a caller gets for a notification that is stored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Accepted {
    /// The notification's id.
    id: String,
}

/// Send a notification to users, or to the subscribers of a channel. With `Idempotency-Key`, a repeat is answered with the first id and
/// `Idempotent-Replayed: true`.
#[utoipa::path(post, path = "/v1/notifications", tag = "send",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 ASCII characters")),
    request_body(content = Request, example = json!({"user": "alice", "title": "Hello", "body": "from the API page", "level": "info"})),
    responses(
        (status = 202, description = "Stored; it will be delivered. `Location` is its path", body = Accepted, example = json!({"id": "6f0c3a1be2d94c5a8f17d2b0"})),
        (status = 413, description = "`payload_too_large`", body = shared_proto::rest::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`idempotency_mismatch`", body = shared_proto::rest::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`: not stored", body = shared_proto::rest::Problem, content_type = "application/problem+json"),
        (status = 504, description = "`outcome_unknown`: repeat with the same key", body = shared_proto::rest::Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn accept(api: Data<Api>, request: HttpRequest, body: Result<Bytes, actix_web::Error>) -> Result<HttpResponse, Problem> {
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
    Ok(response.json(Accepted { id: accepted.id }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only notifications with a delivery in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Only notifications to this user.
    user: Option<String>,
    /// `next` of the previous page.
    after: Option<i64>,
    /// Number of notifications, 1 to 200; 50 if absent.
    limit: Option<usize>,
}

/// List notifications, newest first.
#[utoipa::path(get, path = "/v1/notifications", tag = "notifications", params(ListQuery), responses((status = 200, description = "One page", body = Page)))]
pub(super) async fn list_notifications(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
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

/// Get a notification, with the state of each of its deliveries.
#[utoipa::path(get, path = "/v1/notifications/{id}", tag = "notifications", params(("id" = String, Path, description = "From the answer to the request that sent it")),
    responses((status = 200, description = "The notification", body = NotificationView),
        (status = 404, description = "`not_found`", body = shared_proto::rest::Problem, content_type = "application/problem+json")))]
pub(super) async fn get_notification(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
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
