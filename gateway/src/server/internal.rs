//! The listener for services and operators: a server of its own, with a worker thread of its own, so that it answers while the public
//! workers are busy.

use crate::{api, node::Node};
use actix_web::{App, HttpServer};
use std::{io, net::TcpListener, sync::Arc};

pub(super) fn server(listener: TcpListener, node: &Arc<Node>) -> io::Result<actix_web::dev::Server> {
    let node = node.clone();
    Ok(HttpServer::new(move || App::new().configure(|config| api::configure(config, &node)))
        .workers(1)
        .tcp_nodelay(true)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?
        .run())
}
