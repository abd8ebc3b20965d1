//! Serves the connections of a listener.

use super::errors::{Cause, ConnectionErrors, Fault};
use super::keep_alive;
use super::limits::{AcceptRate, ClientPlaces, Place, TurnKind, Turns};
use super::proxy_protocol::{Begun, ProxyProtocol};
use super::stream::{AcceptsWebSocket, RequestStream, RequestTimes};
use super::takeover::TakenOver;
use super::tls::{Socket, Tls};
use actix_codec::Framed;
use actix_http::body::{BoxBody, MessageBody};
use actix_http::error::DispatchError;
use actix_http::h1::{Codec, UpgradeHandler};
use actix_http::{HttpServiceBuilder, Request, Response};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, fn_service};
use actix_web::dev::AppConfig;
use bytes::BytesMut;
use futures_util::future::Either;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

#[cfg(test)]
mod tests;

/// Time limit for the client to close its side after this side is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Number of connections above the limit that each worker may accept. They wait [`SURPLUS_TIME`] for a place.
pub const SURPLUS_CONNECTIONS: usize = 8;

/// How long a connection above the limit waits for a place, before it is closed. So a worker closes few of them in a second, however many come: the
/// others wait in the kernel, and cost nothing.
const SURPLUS_TIME: Duration = Duration::from_millis(10);

/// Options of a listener.
#[derive(Clone)]
pub struct HttpOptions {
    /// Time limit for the head of a request.
    pub request_timeout: Duration,
    /// Time limit for the body of a request.
    pub body_timeout: Duration,
    /// How long an idle connection stays open for its next request.
    pub keep_alive: Duration,
    /// Whether a client that has closed its side still gets its answer.
    pub allow_half_closed: bool,
    /// Permits for connections. A connection that gets none within [`SURPLUS_TIME`] is closed. An upgraded connection returns its permit.
    pub permits: Arc<Semaphore>,
    /// The limit of connections per second.
    pub accept_rate: Option<AcceptRate>,
    /// The limit of connections for each client. A connection beyond it is closed at once.
    pub client_places: Option<ClientPlaces>,
    /// Counters of connections that end with an error.
    pub errors: Arc<ConnectionErrors>,
    /// Sets the options of each accepted socket.
    pub configure_socket: Arc<dyn Fn(&TcpStream) + Send + Sync>,
    /// Requires a header of the PROXY protocol at the beginning of each connection.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Requires TLS, after the header of the PROXY protocol.
    pub tls: Option<Tls>,
    /// How many connections each worker serves before it serves others, see [`Turns`]. `None`: all.
    pub turns: Option<usize>,
    /// Announces the graceful shutdown of the server to its connections.
    pub shutdown: Option<GracefulShutdownSignal>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_mins(1),
            keep_alive: Duration::from_secs(75),
            allow_half_closed: true,
            permits: Arc::new(Semaphore::new(1024)),
            accept_rate: None,
            client_places: None,
            errors: Arc::new(ConnectionErrors::new("http")),
            // Fails only if the peer is gone.
            configure_socket: Arc::new(|io| drop(io.set_nodelay(true))),
            proxy_protocol: None,
            tls: None,
            turns: None,
            shutdown: None,
        }
    }
}

/// Maximum number of connections that wait in the kernel until the server accepts them. The kernel may have a lower limit.
const BACKLOG: i32 = 4096;

/// Listens on an address. Works even if a process that has just ended used the address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Creates a server with one thread for `app`.
pub fn serve<F, A, S, B>(
    name: &str,
    listener: TcpListener,
    options: &HttpOptions,
    accepts_websocket: fn(&str) -> bool,
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
    let builder = Server::build().workers(1).max_concurrent_connections(max_accepted(&options.permits, 1)).disable_signals();
    let options = HttpOptions { shutdown: Some(builder.graceful_shutdown_signal()), ..options.clone() };
    let factory = move || service(app(), None::<UpgradeHandler>, Rc::new(accepts_websocket), options.clone());
    Ok(builder.listen(name, listener, factory)?.run())
}

/// The limit of open connections for each of `workers` workers: its part of the permits, and [`SURPLUS_CONNECTIONS`]. Further
/// connections wait in the kernel, where they need no file descriptor of this process.
pub fn max_accepted(permits: &Semaphore, workers: usize) -> usize {
    permits.available_permits().div_ceil(workers) + SURPLUS_CONNECTIONS
}

/// Creates the service of a listener, for `actix_server::Server::build().listen(..)`. The listener's factory calls this on each worker thread.
/// `upgrade` gets the WebSocket upgrades, and `app` gets all other requests. Without `upgrade`, `app` gets both.
pub fn service<A, S, B, U>(
    app: A,
    upgrade: Option<U>,
    accepts_websocket: AcceptsWebSocket,
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
    U: ServiceFactory<(Request, Framed<RequestStream<Socket>, Codec>), Config = (), Response = ()> + 'static,
    U::Error: fmt::Display + Into<Response<BoxBody>>,
    U::InitError: fmt::Debug,
{
    let HttpOptions {
        request_timeout,
        body_timeout,
        keep_alive,
        allow_half_closed,
        permits,
        accept_rate,
        client_places,
        errors,
        configure_socket,
        proxy_protocol,
        tls,
        turns,
        shutdown,
    } = options;
    let http = HttpServiceBuilder::default()
        .on_connect_ext(|io: &RequestStream<Socket>, data| {
            data.insert(io.takeover());
            if let Some(certificate) = io.get_ref().and_then(Socket::peer_certificate) {
                data.insert(certificate);
            }
        })
        .keep_alive(keep_alive)
        // RequestStream has its own deadline, which allows for time in which this process was suspended.
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(CLOSE_TIMEOUT)
        .h1_allow_half_closed(allow_half_closed)
        .graceful_shutdown_signal(move || {
            let shutdown = shutdown.clone();
            async move {
                match shutdown {
                    Some(shutdown) => shutdown.notified().await,
                    None => std::future::pending().await,
                }
            }
        })
        .h1(keep_alive::with_header(app, keep_alive))
        .upgrade(upgrade);
    let admission = Admission { permits, accept_rate, client_places, errors: errors.clone(), configure_socket, proxy_protocol, tls };
    let served = apply_fn_factory(http, move |accepted: Option<Accepted>, http| {
        let errors = errors.clone();
        let served = accepted.map(|Accepted { io, client, first, permit, place }| {
            let times = RequestTimes { head: request_timeout, body: body_timeout };
            let stream = RequestStream::resumed(io, first, accepts_websocket.clone(), times, errors.clone());
            (http.call((stream, client)), (permit, place))
        });
        async move {
            let Some((served, _permit)) = served else { return Ok(()) };
            served
                .await
                .or_else(|error| if TakenOver::is(&error) { Ok(()) } else { Err(error) })
                .inspect_err(|error| errors.record_end(error))
        }
    });
    let accepted = fn_service(move |io: TcpStream| {
        let admission = admission.clone();
        async move { Ok::<_, DispatchError>(admission.accept(io).await) }
    });
    let turns = turns.map(|per_round| Turns::new(TurnKind::Http, per_round));
    apply_fn_factory(accepted.and_then(served), move |io: TcpStream, service| {
        let served = service.call(io);
        match &turns {
            Some(turns) => Either::Left(turns.run(served)),
            None => Either::Right(served),
        }
    })
}

/// What a connection needs before its first request.
#[derive(Clone)]
struct Admission {
    permits: Arc<Semaphore>,
    accept_rate: Option<AcceptRate>,
    client_places: Option<ClientPlaces>,
    errors: Arc<ConnectionErrors>,
    configure_socket: Arc<dyn Fn(&TcpStream) + Send + Sync>,
    proxy_protocol: Option<ProxyProtocol>,
    tls: Option<Tls>,
}

/// A connection that may begin TLS, or send requests.
struct Prepared {
    permit: OwnedSemaphorePermit,
    place: Option<Place>,
    begun: Begun,
}

/// A connection that may send requests.
struct Accepted {
    io: Socket,
    /// The address of the client, or of a proxy that does not tell it.
    client: Option<SocketAddr>,
    /// Bytes that were already read.
    first: BytesMut,
    permit: OwnedSemaphorePermit,
    place: Option<Place>,
}

impl Admission {
    /// `None`: the connection is closed at once. The reason is counted before, so whoever sees the end finds it in the metrics.
    async fn accept(self, mut io: TcpStream) -> Option<Accepted> {
        let Prepared { permit, place, begun: Begun { client, rest } } = self.counted(self.prepare(&mut io).await)?;
        if let Some(rate) = &self.accept_rate {
            let taken = match &self.tls {
                // The client waits, because an answer would cost a handshake.
                Some(tls) => rate.wait(tls.handshake_timeout).await,
                None => rate.take(),
            };
            if self.counted(taken).is_none() {
                if self.tls.is_none() {
                    rate.refuse(&mut io, rest).await;
                }
                return None;
            }
        }
        let Some(tls) = &self.tls else { return Some(Accepted { io: Socket::Plain(io), client, first: rest, permit, place }) };
        // Boxed, because a connection without TLS would have room for a handshake as long as it is open.
        match Box::pin(tls.accept(io, rest)).await {
            Ok(io) => Some(Accepted { io, client, first: BytesMut::new(), permit, place }),
            Err(failed) => {
                self.count(&failed.fault);
                failed.end().await;
                None
            }
        }
    }

    /// What comes before the first byte of TLS or of a request.
    async fn prepare(&self, io: &mut TcpStream) -> Result<Prepared, Fault> {
        let permit = timeout(SURPLUS_TIME, self.permits.clone().acquire_owned()).await.ok().and_then(Result::ok);
        let permit = permit.ok_or_else(|| Fault::Refused(Cause::NoRoom, "the limit of connections is reached".into()))?;
        (self.configure_socket)(io);
        let peer = io.peer_addr().ok();
        let begun = match &self.proxy_protocol {
            Some(proxy_protocol) => proxy_protocol.begin(io, peer).await?,
            None => Begun { client: peer, rest: BytesMut::new() },
        };
        let place = self.client_places.as_ref().and_then(|places| places.of(begun.client)).transpose()?;
        Ok(Prepared { permit, place, begun })
    }

    fn counted<T>(&self, result: Result<T, Fault>) -> Option<T> {
        result.inspect_err(|fault| self.count(fault)).ok()
    }

    fn count(&self, fault: &Fault) {
        if let Fault::Refused(cause, why) = fault {
            self.errors.record(*cause, why);
        }
    }
}
