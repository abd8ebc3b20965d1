//! The REST interface for callers. Storage and delivery of accepted notifications are in `outbox` and `delivery`.

mod handlers;
mod openapi;
mod problem;
#[cfg(test)]
mod tests;

pub use handlers::Api;

use actix_web::Responder as _;
use actix_web::http::header;
use actix_web::web::{self, Data, ServiceConfig};
use handlers::{accept, get_notification, list_notifications};
use problem::Problem;
use shared_proto::errors::ErrorCode;
use shared_proto::http::openapi::DOCUMENT;

impl Api {
    /// Adds the paths to an application.
    pub fn configure(&self, app: &mut ServiceConfig) {
        // RFC 9110, section 15.5.6: the answer lists the methods.
        let wrong_method = |allowed: &'static str| {
            web::to(move || async move {
                let problem = Problem::new(ErrorCode::MethodNotAllowed, "this path does not support this method");
                problem.customize().insert_header((header::ALLOW, allowed))
            })
        };
        app.app_data(Data::new(self.clone()))
            .app_data(web::PayloadConfig::new(self.body_limit()))
            .service(web::resource("/v1/notifications").get(list_notifications).post(accept).default_service(wrong_method("GET, POST")))
            .service(web::resource("/v1/notifications/{id}").get(get_notification).default_service(wrong_method("GET")))
            .service(web::resource(DOCUMENT).get(openapi::document).default_service(wrong_method("GET")))
            .service(openapi::to_docs())
            .service(openapi::docs())
            .default_service(web::to(|| async { Problem::new(ErrorCode::NotFound, "this path does not exist") }));
    }
}
