//! The listener for services and operators: a server of its own, with a worker thread of its own, so that it answers while the public
//! workers are busy.

use crate::{api, node::Node};
use actix_web::App;
use shared_proto::http::{HttpOptions, serve};
use std::{io, net::TcpListener, sync::Arc};

pub(super) fn server(listener: TcpListener, node: &Arc<Node>) -> io::Result<actix_server::Server> {
    let node = node.clone();
    let app = move || App::new().configure(|config| api::configure(config, &node));
    serve("internal", listener, &HttpOptions::default(), api::speaks_websocket, app)
}
