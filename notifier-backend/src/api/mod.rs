//! The REST interface for callers. Storage and delivery of accepted notifications are in `outbox` and `delivery`.

mod handlers;
mod openapi;
mod problem;
#[cfg(test)]
mod tests;

pub use handlers::Api;

use actix_web::web::{self, Data, ServiceConfig};
use handlers::{accept, get_notification, list_notifications};
use problem::Problem;
use shared_proto::errors::ErrorCode;
use shared_proto::http::openapi::DOCUMENT;

impl Api {
    /// Adds the paths to an application.
    pub fn configure(&self, app: &mut ServiceConfig) {
        let wrong_method = || async { Problem::new(ErrorCode::MethodNotAllowed, "this path does not support this method") };
        app.app_data(Data::new(self.clone()))
            .app_data(web::PayloadConfig::new(self.body_limit()))
            .service(web::resource("/v1/notifications").get(list_notifications).post(accept).default_service(web::to(wrong_method)))
            .service(web::resource("/v1/notifications/{id}").get(get_notification).default_service(web::to(wrong_method)))
            .service(web::resource(DOCUMENT).get(openapi::document).default_service(web::to(wrong_method)))
            .service(openapi::to_docs())
            .service(openapi::docs())
            .default_service(web::to(|| async { Problem::new(ErrorCode::NotFound, "this path does not exist") }));
    }
}
