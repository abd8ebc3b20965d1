//! The public HTTP service: ordinary requests go to the application, upgrades to the gate.

use super::{Gate, upgrade};
use crate::transport::socket::SocketOptions;
use actix_codec::Framed;
use actix_http::{Request, Response, body::MessageBody, error::DispatchError, h1::Codec};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_service};
use actix_web::dev::AppConfig;
use shared_proto::http::{self, ConnectionErrors, HttpOptions, RequestStream};
use std::{convert::Infallible, fmt, rc::Rc, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::Semaphore};

/// How the public listener treats its sockets.
#[derive(Clone, Debug)]
pub struct PublicHttp {
    /// Options of every accepted socket.
    pub socket: SocketOptions,
    /// How long a request's head may take to come.
    pub request_timeout: Duration,
    /// How long an idle HTTP connection is kept for its next request.
    pub keep_alive: Duration,
    /// Places of the connections that speak HTTP, handshakes included; shared by the workers. One that finds none is closed at once.
    pub places: Arc<Semaphore>,
    /// Counts of those that do not end in good order.
    pub errors: Arc<ConnectionErrors>,
}

impl Default for PublicHttp {
    fn default() -> Self {
        Self {
            socket: SocketOptions::default(),
            request_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            places: Arc::new(Semaphore::new(8192)),
            errors: Arc::new(ConnectionErrors::new("public")),
        }
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
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
    G: Gate<TcpStream>,
{
    let PublicHttp { socket, request_timeout, keep_alive, places, errors } = options;
    let router = gate.clone();
    let upgrades = fn_service(move |(request, framed): (Request, Framed<RequestStream<TcpStream>, Codec>)| {
        let gate = gate.clone();
        async move {
            upgrade(&*gate, request, framed).await;
            Ok::<(), Infallible>(())
        }
    });
    let prepare = move |io: &TcpStream| {
        if let Err(error) = socket.apply(io) {
            tracing::debug!(%error, "a socket option could not be set");
        }
    };
    let options =
        HttpOptions { request_timeout, keep_alive, half_closed: false, places, errors, prepare: Arc::new(prepare), stopping: None };
    http::service(app, Some(upgrades), Rc::new(move |path: &str| router.route(path).is_some()), options)
}
