//! The listener for services and operators: a server of its own, with a worker thread of its own, so that it answers while the public
//! workers are busy.

use crate::{api, node::Node, settings::Internal};
use actix_web::App;
use shared_proto::http::{ConnectionErrors, HttpOptions, serve};
use std::{io, net::TcpListener, sync::Arc};
use tokio::sync::Semaphore;

pub(super) fn server(
    settings: &Internal,
    listener: TcpListener,
    node: &Arc<Node>,
    errors: Arc<ConnectionErrors>,
) -> io::Result<actix_server::Server> {
    let node = node.clone();
    let (request_timeout, keep_alive) = (settings.request_timeout, settings.keep_alive);
    let places = Arc::new(Semaphore::new(settings.connections));
    let options = HttpOptions { request_timeout, keep_alive, places, errors, ..HttpOptions::default() };
    let app = move || App::new().configure(|config| api::configure(config, &node));
    serve("internal", listener, &options, api::speaks_websocket, app)
}
