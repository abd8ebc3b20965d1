//! The OpenAPI document, and its page.

use super::{channels, cluster, connections, link, operations, publications, users};
use actix_web::{HttpResponse, web};
use shared_proto::rest::Problem;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, ContentBuilder, Ref, RefOr, ResponseBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_swagger_ui::SwaggerUi;

#[derive(OpenApi)]
#[openapi(
    info(title = "Switchboard gateway", description = "The internal listener, for services and operators. Every error is a problem document (RFC 9457) whose `code` is the name of a row in the error table. Properties that are not required may be null, which means the same as leaving them out."),
    paths(
        publications::publish, publications::history, publications::clear, publications::batch,
        channels::list, channels::get, channels::presence,
        users::message, users::connections, users::disconnect, users::subscribe, users::unsubscribe,
        connections::get, connections::disconnect, connections::message,
        cluster::nodes, cluster::services, link::open,
        operations::metrics, operations::livez, operations::readyz, document,
    ),
    components(schemas(Problem, shared_proto::rest::PresenceStatsBody)),
    modifiers(&Common),
    security(("api_key" = [])),
)]
struct Document;

/// The parts that all operations share: the key, and the errors of every request.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = SecurityScheme::Http(
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key of the settings.")).build(),
        );
        document.components.get_or_insert_default().add_security_scheme("api_key", scheme);
        for (path, item) in &mut document.paths.paths {
            let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            for operation in operations.into_iter().flatten().filter(|_| path.starts_with("/v1/")) {
                let errors = [("400", "`bad_request`: the detail says what is wrong"), ("401", "`unauthorized`"), ("500", "`internal`")];
                for (status, description) in errors {
                    operation.responses.responses.entry(status.into()).or_insert_with(|| problem(description));
                }
                if operation.request_body.is_some() {
                    operation
                        .responses
                        .responses
                        .entry("415".into())
                        .or_insert_with(|| problem("`unsupported_media_type`, `unsupported_encoding`"));
                }
            }
        }
    }
}

fn problem(description: &str) -> RefOr<openapi::Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build().into()
}

pub(super) fn api() -> openapi::OpenApi {
    Document::openapi()
}

/// The OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", tag = "operations", security(()), responses((status = 200, description = "This document", body = Object)))]
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(api())
}

/// The redirect to the page, whose files are below `/docs/`.
pub(super) fn to_docs() -> web::Redirect {
    web::redirect("/docs", "/docs/")
}

/// The document as a page. The binary contains all its files.
pub(super) fn docs() -> SwaggerUi {
    SwaggerUi::new("/docs/{_:.*}").config(utoipa_swagger_ui::Config::from("/openapi.json"))
}
