//! The listener for services and operators. It is a separate server with its own worker thread, so it answers while the public workers are
//! busy.

use crate::{api, node::Node, settings::Internal};
use actix_web::App;
use shared_proto::http::{ConnectionErrors, HttpOptions, Tls, serve};
use std::{io, net::TcpListener, sync::Arc};
use tokio::sync::Semaphore;

pub(super) fn server(
    settings: &Internal,
    listener: TcpListener,
    node: &Arc<Node>,
    errors: Arc<ConnectionErrors>,
    tls: Option<Tls>,
) -> io::Result<actix_server::Server> {
    let node = node.clone();
    let (request_timeout, keep_alive) = (settings.request_timeout, settings.keep_alive);
    let permits = Arc::new(Semaphore::new(settings.connections));
    let options =
        HttpOptions { request_timeout, body_timeout: settings.body_timeout, keep_alive, permits, errors, tls, ..HttpOptions::default() };
    let app = move || App::new().configure(|config| api::configure(config, &node));
    serve("internal", listener, &options, api::accepts_websocket, app)
}
