//! The OpenAPI document, and its page.

use super::handlers;
use actix_web::{
    HttpResponse,
    web::{self, Redirect},
};
use shared_proto::{
    http::openapi::{DOCUMENT, add_common},
    process::health,
    rest::Problem,
};
use utoipa::{Modify, OpenApi, openapi};
use utoipa_swagger_ui::{Config, SwaggerUi};

const DESCRIPTION: &str = "Takes notifications, keeps them on disk, and delivers them to users through the gateway.

**Key**: by default none is needed. If the setting `http.api_keys` is set, press *Authorize* and enter one of its keys. Programs send it as \
`Authorization: Bearer <key>`.

Every error is a problem document (RFC 9457) whose `code` is the name of a row in the error table. Properties that are not required may be \
null, which means the same as leaving them out.";

/// Groups and paths are in the order in which people need them; the page keeps it.
#[derive(OpenApi)]
#[openapi(
    info(title = "Switchboard notifier", description = DESCRIPTION),
    tags((name = "send", description = "Send a notification"),
        (name = "notifications", description = "What became of them"), (name = "operations", description = "Health and metrics")),
    paths(
        handlers::accept, handlers::list_notifications, handlers::get_notification,
        health::readyz, health::livez, health::metrics, document,
    ),
    components(schemas(Problem)),
    modifiers(&Common),
)]
struct Document;

struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut openapi::OpenApi) {
        add_common(document, "A key of `http.api_keys`; none is needed if that setting is empty.");
    }
}

pub(super) fn api() -> openapi::OpenApi {
    Document::openapi()
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
