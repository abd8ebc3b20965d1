//! What the descriptions of all REST interfaces share: the key, and the errors of every request.

use utoipa::openapi::{
    ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, SecurityRequirement,
    path::Operation,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// The path of the document.
pub const DOCUMENT: &str = "/openapi.json";

/// The errors that every request under `/v1/` can get.
const ERRORS: [(&str, &str); 3] =
    [("400", "`bad_request`: the detail says what is wrong"), ("401", "`unauthorized`"), ("500", "`internal`")];

/// Adds what all operations under `/v1/` share: the API key and the common errors. The document must contain the schema `Problem`. `key` says
/// which key to use.
pub fn add_common(document: &mut OpenApi, key: &str) {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(key)).build();
    document.components.get_or_insert_default().add_security_scheme("api_key", SecurityScheme::Http(scheme));
    document.security = Some(vec![SecurityRequirement::new("api_key", [] as [&str; 0])]);
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten().filter(|_| path.starts_with("/v1/")) {
            add_errors(operation);
        }
    }
}

fn add_errors(operation: &mut Operation) {
    let encoding = operation.request_body.as_ref().map(|_| ("415", "`unsupported_media_type`, `unsupported_encoding`"));
    for (status, description) in ERRORS.into_iter().chain(encoding) {
        operation.responses.responses.entry(status.into()).or_insert_with(|| problem(description));
    }
}

fn problem(description: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build().into()
}
