//! What serves the connections of a listener.

use super::errors::{Cause, ConnectionErrors};
use super::keep_alive;
use super::stream::{RequestStream, SpeaksWebSocket};
use actix_codec::Framed;
use actix_http::body::{BoxBody, MessageBody};
use actix_http::error::DispatchError;
use actix_http::h1::{Codec, UpgradeHandler};
use actix_http::{HttpServiceBuilder, Request, Response};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, apply_fn_factory};
use actix_web::dev::AppConfig;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// How long a closed connection may take to end.
const CLOSING: Duration = Duration::from_secs(1);

/// Connections per worker that may be accepted only to be closed at once.
pub const BEYOND_PLACES: usize = 8;

/// How a listener treats its connections.
#[derive(Clone)]
pub struct HttpOptions {
    /// How long a request's head may take to come.
    pub request_timeout: Duration,
    /// How long a connection is kept for its next request.
    pub keep_alive: Duration,
    /// Whether a client that has closed its side is still answered.
    pub half_closed: bool,
    /// Places of connections. One that finds none is closed at once. A connection that is upgraded by the service's `upgrade` gives its place back.
    pub places: Arc<Semaphore>,
    /// Counts of those that do not end in good order.
    pub errors: Arc<ConnectionErrors>,
    /// Sets options of each accepted socket.
    pub prepare: Arc<dyn Fn(&TcpStream) + Send + Sync>,
    /// Tells the connections of a server that stops in good order.
    pub stopping: Option<GracefulShutdownSignal>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            half_closed: true,
            places: Arc::new(Semaphore::new(1024)),
            errors: Arc::new(ConnectionErrors::new("http")),
            // It fails only where the peer is gone already.
            prepare: Arc::new(|io| drop(io.set_nodelay(true))),
            stopping: None,
        }
    }
}

/// Connections that may wait in the kernel until the server accepts them. The kernel may have a lower limit.
const BACKLOG: i32 = 4096;

/// Listens on an address, even if an earlier process used it a moment ago.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A server with one thread for `app`. `websocket` tells which paths accept upgrades.
pub fn serve<F, A, S, B>(
    name: &str,
    listener: TcpListener,
    options: &HttpOptions,
    websocket: fn(&str) -> bool,
    app: F,
) -> io::Result<Server>
where
    F: Fn() -> A + Send + Clone + 'static,
    A: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let builder = Server::build().workers(1).max_concurrent_connections(accepted(&options.places, 1)).disable_signals();
    let options = HttpOptions { stopping: Some(builder.graceful_shutdown_signal()), ..options.clone() };
    let factory = move || service(app(), None::<UpgradeHandler>, Rc::new(websocket), options.clone());
    Ok(builder.listen(name, listener, factory)?.run())
}

/// The limit of open connections for each of `workers` workers: its share of the places, and a few more that it closes at once. Further connections
/// wait in the kernel, where they need no file descriptor of this process.
pub fn accepted(places: &Semaphore, workers: usize) -> usize {
    places.available_permits().div_ceil(workers) + BEYOND_PLACES
}

/// The service of a listener, for `actix_server::Server::build().listen(..)`. The factory there makes it on each worker thread. `upgrade` gets the
/// requests for WebSocket, and `app` gets all others. Without `upgrade`, `app` gets both.
pub fn service<A, S, B, U>(
    app: A,
    upgrade: Option<U>,
    websocket: SpeaksWebSocket,
    options: HttpOptions,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    A: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
    U: ServiceFactory<(Request, Framed<RequestStream<TcpStream>, Codec>), Config = (), Response = ()> + 'static,
    U::Error: fmt::Display + Into<Response<BoxBody>>,
    U::InitError: fmt::Debug,
{
    let HttpOptions { request_timeout, keep_alive, half_closed, places, errors, prepare, stopping } = options;
    let http = HttpServiceBuilder::default()
        .keep_alive(keep_alive)
        // RequestStream has its own deadline, which allows for time in which this process was suspended.
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(CLOSING)
        .h1_allow_half_closed(half_closed)
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move {
                match stopping {
                    Some(stopping) => stopping.notified().await,
                    None => std::future::pending().await,
                }
            }
        })
        .h1(keep_alive::telling(app, keep_alive))
        .upgrade(upgrade);
    apply_fn_factory(http, move |io: TcpStream, http| {
        let (place, errors) = (places.clone().try_acquire_owned().ok(), errors.clone());
        let served = place.is_some().then(|| {
            prepare(&io);
            let peer = io.peer_addr().ok();
            http.call((RequestStream::new(io, websocket.clone(), request_timeout, errors.clone()), peer))
        });
        async move {
            let _place = place;
            let Some(served) = served else {
                errors.note(Cause::NoRoom, &"no place is free");
                return Ok(());
            };
            served.await.inspect_err(|error| errors.note_end(error))
        }
    })
}
