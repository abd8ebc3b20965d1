//! The public HTTP service: ordinary requests go to the application, upgrades to the gate.

use super::{Gate, upgrade};
use crate::transport::socket::SocketOptions;
use actix_codec::Framed;
use actix_http::{HttpService, Request, Response, body::MessageBody, error::DispatchError, h1::Codec};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_service, map_config};
use actix_web::dev::AppConfig;
use std::{convert::Infallible, fmt, rc::Rc, time::Duration};
use tokio::net::TcpStream;

/// How the public listener treats its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicHttp {
    /// Options of every accepted socket.
    pub socket: SocketOptions,
    /// How long a request's head may take to come.
    pub request_timeout: Duration,
    /// How long an idle HTTP connection is kept for its next request.
    pub keep_alive: Duration,
}

impl Default for PublicHttp {
    fn default() -> Self {
        Self { socket: SocketOptions::default(), request_timeout: Duration::from_secs(5), keep_alive: Duration::from_secs(15) }
    }
}

/// The service that a public listener runs, for `actix_server::Server::build().listen(..)`. To be made in the listener's factory: on
/// each worker thread, with that worker's own gate.
pub fn http_service<F, S, B, G>(
    app: F,
    gate: Rc<G>,
    options: PublicHttp,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    F: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Response<actix_http::body::BoxBody>> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
    G: Gate<TcpStream>,
{
    let upgrades = fn_service(move |(request, framed): (Request, Framed<TcpStream, Codec>)| {
        let gate = gate.clone();
        async move {
            upgrade(&*gate, request, framed).await;
            Ok::<(), Infallible>(())
        }
    });
    HttpService::build()
        .keep_alive(options.keep_alive)
        .client_request_timeout(options.request_timeout)
        .client_disconnect_timeout(Duration::from_secs(1))
        .h1_allow_half_closed(false)
        .on_connect_ext(move |io: &TcpStream, _| {
            if let Err(error) = options.socket.apply(io) {
                tracing::debug!(%error, "a socket option could not be set");
            }
        })
        .upgrade(upgrades)
        .h1(map_config(app, |()| AppConfig::default()))
        .tcp()
}
