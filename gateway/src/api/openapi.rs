//! The OpenAPI document, and its page.

use super::{broadcasts, channels, cluster, connections, drains, link, operations, parameters, publications, queues, revocations, users};
use actix_web::{
    HttpResponse,
    web::{self, Redirect},
};
use shared_proto::{
    guard,
    http::openapi::{DOCUMENT, add_common},
    rest::Problem,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{self, ContentBuilder, Ref, ResponseBuilder, path::Operation},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

const DESCRIPTION: &str = "The internal listener, for services and operators.

**Key**: press *Authorize* and enter an API key of the settings (`api_keys`). With the development settings, which `./justw up` uses, \
the key is `dev`. Programs send it as `Authorization: Bearer dev`. A key may have scopes (docs/keys.md); each operation names the one that it needs.

Every error is a problem document (RFC 9457) whose `code` is the name of a row in the error table. Properties that are not required may be \
null, which means the same as leaving them out.";

/// Groups and paths are in the order in which people need them; the page keeps it.
#[derive(OpenApi)]
#[openapi(
    info(title = "Switchboard gateway", description = DESCRIPTION),
    tags(
        (name = "publish", description = "Send something to frontends"),
        (name = "channels", description = "What a channel contains, and who is there"),
        (name = "users", description = "Connections and subscriptions of a user"),
        (name = "connections", description = "A single connection"),
        (name = "services", description = "Services that answer calls of frontends"),
        (name = "queues", description = "Events that wait for services, publications that wait in ingest, and dead letters"),
        (name = "operations", description = "Nodes, health and metrics"),
    ),
    paths(
        publications::publish, publications::batch, users::message, broadcasts::broadcast,
        publications::history, channels::presence, channels::list, channels::get, publications::clear,
        users::connections, users::subscribe, users::unsubscribe, users::disconnect, revocations::revoke,
        connections::get, connections::message, connections::disconnect,
        cluster::services, drains::instance, drains::target, link::open,
        queues::services::get, queues::services::pause, queues::services::delete_entries, queues::services::dead_letters,
        queues::services::dead_letter, queues::services::replay, queues::services::drop_dead_letter,
        queues::ingest::get, queues::ingest::pause, queues::ingest::delete_entries, queues::ingest::dead_letters,
        queues::ingest::dead_letter, queues::ingest::replay, queues::ingest::drop_dead_letter,
        cluster::nodes, operations::readyz, operations::livez, operations::metrics, document,
    ),
    components(schemas(Problem)),
    modifiers(&Common),
)]
struct Document;

struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut openapi::OpenApi) {
        add_common(document, "An API key of the settings; `dev` with the development settings.");
        for (path, item) in &mut document.paths.paths {
            for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
                add_refusal(operation);
                parameters::describe(path, operation);
            }
        }
    }
}

/// Describes the refusals of a key: without the scope that the operation needs, and with too many requests.
fn add_refusal(operation: &mut Operation) {
    let Some(scope) = scopes(operation).pop() else { return };
    let lacking = format!("`permission_denied`: the API key lacks the scope `{scope}`");
    let too_many = "`too_many_requests`: more requests with this key than `limits.key` allows; `Retry-After` says when to come back".into();
    for (status, description) in [("403", lacking), ("429", too_many)] {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let refusal = ResponseBuilder::new().description(description).content("application/problem+json", content).build();
        operation.responses.responses.entry(status.into()).or_insert_with(|| refusal.into());
    }
}

/// The scopes that an operation names. Their list is not public in utoipa.
pub(super) fn scopes(operation: &Operation) -> Vec<String> {
    let written = operation.security.iter().flatten().filter_map(|requirement| serde_json::to_value(requirement).ok());
    written.flat_map(|mut requirement| serde_json::from_value::<Vec<String>>(requirement["api_key"].take()).unwrap_or_default()).collect()
}

/// The requests that the gateway sends to services.
#[derive(OpenApi)]
#[openapi(
    paths(service_request),
    components(schemas(
        guard::ConnectQuestion,
        guard::ConnectAnswer,
        guard::SubscribeQuestion,
        guard::SubscribeAnswer,
        guard::PublishQuestion,
        guard::PublishAnswer,
    ))
)]
struct Requests;

/// A call, an event, or a list of lifecycle events for a service with `reach = "webhook"`, sent to one of its URLs.
///
/// `docs/webhooks.md` describes the headers and all answers. If the method is `guard.connect`, `guard.subscribe` or `guard.publish`, `data` is
/// a `ConnectQuestion`, `SubscribeQuestion` or `PublishQuestion`, and the answer the `…Answer` of the same name; see `docs/guards.md`.
#[utoipa::path(post, path = "service", request_body = shared_proto::webhook::Message, security(()),
    params(
        ("webhook-id" = String, Header, description = "The id of the message. It stays the same when the gateway sends the request again"),
        ("webhook-timestamp" = u64, Header, description = "When this request was sent, in seconds since 1970"),
        ("webhook-signature" = Option<String>, Header, description = "One signature of Standard Webhooks for each secret, separated by spaces"),
        ("request-timeout-ms" = u64, Header, description = "How long the gateway waits for the answer"),
        ("traceparent" = Option<String>, Header, description = "The trace of the call"),
    ),
    responses((status = 200, description = "The reply to a call", body = Value),
        (status = 204, description = "The reply `null`, or events were taken"),
        (status = "4XX", description = "An error of the service itself, which the frontend gets", body = Problem, content_type = "application/problem+json")))]
#[expect(dead_code, reason = "only its description is used")]
fn service_request() {}

pub(super) fn api() -> openapi::OpenApi {
    let (mut document, requests) = (Document::openapi(), Requests::openapi());
    document.webhooks = Some(requests.paths);
    let schemas = requests.components.unwrap_or_default().schemas;
    document.components.get_or_insert_default().schemas.extend(schemas);
    document
}

/// Get this document.
#[utoipa::path(get, path = "/openapi.json", tag = "operations", security(()), responses((status = 200, description = "This document", body = Object)))]
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(api())
}

/// The redirect to the page, whose files are below `/docs/`.
pub(super) fn to_docs() -> Redirect {
    web::redirect("/docs", "/docs/")
}

/// The document as a page. The binary contains all its files. Each operation has its form open, so one click sends a request.
pub(super) fn docs() -> SwaggerUi {
    SwaggerUi::new("/docs/{_:.*}").config(Config::from(DOCUMENT).try_it_out_enabled(true))
}
