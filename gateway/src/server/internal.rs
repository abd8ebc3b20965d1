//! The listener for services and operators: a server of its own, with a worker thread of its own, so that it answers while the public
//! workers are busy.

use crate::{node::Node, settings::Settings};
use actix_web::{App, HttpServer, web};
use std::{io, net::TcpListener, sync::Arc};

pub(super) fn server(_settings: &Settings, listener: TcpListener, node: &Arc<Node>) -> io::Result<actix_web::dev::Server> {
    let data = web::Data::from(node.clone());
    Ok(HttpServer::new(move || App::new().app_data(data.clone()))
        .workers(1)
        .tcp_nodelay(true)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?
        .run())
}
