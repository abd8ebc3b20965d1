//! The public HTTP service. It passes upgrades to the gate and all other requests to the application.

use super::{Gate, upgrade};
use crate::transport::socket::SocketOptions;
use actix_codec::Framed;
use actix_http::{Request, Response, body::MessageBody, error::DispatchError, h1::Codec};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_service};
use actix_web::dev::AppConfig;
use shared_proto::http::{self, AcceptRate, ClientPlaces, ConnectionErrors, HttpOptions, ProxyProtocol, RequestStream, Socket, Tls};
use std::{convert::Infallible, fmt, rc::Rc, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::Semaphore};

/// Options of the public listener.
#[derive(Clone, Debug)]
pub struct PublicHttp {
    /// Options of every accepted socket.
    pub socket: SocketOptions,
    /// Time limit for the head of a request.
    pub request_timeout: Duration,
    /// Time limit for the body of a request.
    pub body_timeout: Duration,
    /// How long an idle HTTP connection stays open for its next request.
    pub keep_alive: Duration,
    /// Permits for connections that are not upgraded yet, shared by all workers. See [`HttpOptions::permits`].
    pub permits: Arc<Semaphore>,
    /// The limit of connections per second.
    pub accept_rate: Option<AcceptRate>,
    /// The limit of connections that are not upgraded yet, for each client. A connection beyond it is closed at once.
    pub client_places: Option<ClientPlaces>,
    /// Requires a header of the PROXY protocol at the beginning of each connection.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Requires TLS, after the header of the PROXY protocol.
    pub tls: Option<Tls>,
    /// How many HTTP connections a worker serves before it serves others.
    pub turns: usize,
    /// Counters of HTTP connections that end with an error.
    pub errors: Arc<ConnectionErrors>,
}

impl Default for PublicHttp {
    fn default() -> Self {
        Self {
            socket: SocketOptions::default(),
            request_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(11),
            keep_alive: Duration::from_secs(75),
            permits: Arc::new(Semaphore::new(8192)),
            accept_rate: None,
            client_places: None,
            proxy_protocol: None,
            tls: None,
            turns: 4,
            errors: Arc::new(ConnectionErrors::new("public")),
        }
    }
}

/// Creates the service of a public listener, for `actix_server::Server::build().listen(..)`. The listener's factory calls this on each
/// worker thread, with that worker's gate.
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
    G: Gate<Socket>,
{
    let PublicHttp {
        socket,
        request_timeout,
        body_timeout,
        keep_alive,
        permits,
        accept_rate,
        client_places,
        proxy_protocol,
        tls,
        turns,
        errors,
    } = options;
    let routes = gate.clone();
    let upgrades = fn_service(move |(request, framed): (Request, Framed<RequestStream<Socket>, Codec>)| {
        let gate = gate.clone();
        async move {
            upgrade(&*gate, request, framed).await;
            Ok::<(), Infallible>(())
        }
    });
    let configure_socket = move |io: &TcpStream| {
        if let Err(error) = socket.apply(io) {
            tracing::debug!(%error, "a socket option could not be set");
        }
    };
    let options = HttpOptions {
        request_timeout,
        body_timeout,
        keep_alive,
        allow_half_closed: false,
        permits,
        accept_rate,
        client_places,
        errors,
        configure_socket: Arc::new(configure_socket),
        proxy_protocol,
        tls,
        turns: Some(turns),
        shutdown: None,
    };
    http::service(app, Some(upgrades), Rc::new(move |path: &str| routes.route(path).is_some()), options)
}
