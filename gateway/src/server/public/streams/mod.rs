//! HTTP responses in place of WebSockets, for frontends whose WebSockets are cut, and for EventSources.
//!
//! - [`host`]: admits a stream, and hands its socket to a connection
//! - [`fallbacks`]: the streams of the Centrifuge SDK; [`emulation`]: the requests with their commands
//! - [`events`]: the streams of EventSources; [`event_query`]: what their requests ask for
//! - [`body`]: reads the body of a request

mod body;
mod emulation;
mod event_query;
mod events;
mod fallbacks;
mod host;

pub(super) use host::StreamHost;

use self::body::CommandsSize;
use super::cors::{allow_credentials, allow_origins};
use crate::{api::Path, auth::Origins};
use actix_web::{
    HttpResponse,
    http::header,
    middleware::from_fn,
    web::{Data, PayloadConfig, ServiceConfig},
};
use std::{rc::Rc, sync::Arc};

/// Serves the streams and the requests with their commands.
pub(super) fn configure(config: &mut ServiceConfig, host: Rc<StreamHost>, origins: &Arc<Origins>) {
    let limits = host.worker.limits;
    config.app_data(Data::from(origins.clone())).app_data(host);
    for (path, size) in [
        (Path::new("/connection/http_stream").post(fallbacks::http_stream).options(preflight_of_post), limits.connect_size),
        (Path::new("/connection/sse").get(fallbacks::sse).options(preflight_of_get), limits.connect_size),
        (Path::new("/events").get(events::get).options(preflight_of_events), limits.connect_size),
        (Path::new("/emulation").post(emulation::post).options(preflight_of_post), limits.message_size),
    ] {
        let size = CommandsSize(size as usize);
        let resource = path.into_resource().app_data(PayloadConfig::new(size.of_body())).app_data(size);
        config.service(resource.wrap(from_fn(host::end_refused)).wrap(from_fn(allow_credentials)).wrap(from_fn(allow_origins)));
    }
}

async fn preflight_of_post() -> HttpResponse {
    preflight("POST", "content-type")
}

async fn preflight_of_get() -> HttpResponse {
    preflight("GET", "cache-control")
}

/// A browser asks before it sends an id with characters of its own choice. Other clients send a token as a header.
async fn preflight_of_events() -> HttpResponse {
    preflight("GET", "authorization, cache-control, last-event-id")
}

/// The answer to a browser that asks before a request of a page of another origin (Fetch standard, section 3.2.2). It may be kept for an hour.
fn preflight(method: &'static str, headers: &'static str) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, method))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, headers))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "3600"))
        .finish()
}
