//! The listener for frontends. Its gate checks the origin of each upgrade and the limit of connections. An HTTP application serves all other requests.

use super::{
    accepts::accept_rate,
    admissions::{Admissions, Permit},
    demo,
    hosts::check_host,
    ignored_credentials::tell_ignored,
    logout,
    request_source::RequestSource,
    stomp::StompPaths,
    streams::{self, StreamHost},
};
use crate::{
    api::{ApiError, Path, operations},
    auth::TrustedProxies,
    connection::{ChosenProtocol, Connection, Handshake, WorkerContext},
    hub::{Hub, HubParts},
    server::{rates, wiring::Parts},
    settings::Settings,
    transport::{
        Wire,
        websocket::{Admission, Denial, Gate, PublicHttp, UpgradeRequest, Upgraded, centrifuge, http_service, ping_form},
    },
};
use actix_web::{App, HttpRequest, middleware::from_fn, web};
use futures_util::FutureExt as _;
use gateway_core::{
    model::{ConnectionId, ErrorCode, Refusal, WorkerId},
    protocol::{
        centrifuge::Encoding,
        stomp::{Framing, sub_protocol},
        websocket::Decoder,
    },
};
use shared_proto::http::{self, ConnectionErrors, ProxyProtocol, Socket, Tls};
use std::{
    io,
    net::{IpAddr, TcpListener},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

/// The path at which frontends connect.
const WEBSOCKET: &str = "/connection/websocket";

/// What a path of the public listener upgrades to.
enum Route {
    /// The Centrifuge protocol.
    Centrifuge,
    /// STOMP.
    Stomp(Framing),
}

struct FrontGate {
    worker: Rc<WorkerContext>,
    source: RequestSource,
    admissions: Arc<Admissions>,
    stomp: StompPaths,
}

/// An admitted upgrade.
struct UpgradeContext {
    permit: Permit,
    handshake: Handshake,
}

impl Gate<Socket> for FrontGate {
    type Route = Route;
    type Context = UpgradeContext;

    fn check_host(&self, request: &UpgradeRequest<'_>) -> Result<(), Refusal> {
        self.source.check_host(request.headers(), request.authority(), request.peer())
    }

    fn route(&self, path: &str) -> Option<Route> {
        if path == WEBSOCKET {
            return Some(Route::Centrifuge);
        }
        self.stomp.framing(path).map(Route::Stomp)
    }

    fn admit(&self, route: Route, request: &UpgradeRequest<'_>) -> Result<Admission<UpgradeContext>, Denial> {
        let client = self.source.client(request.headers(), request.peer());
        self.source.proxies.count(&client);
        self.source.check_origin(request.headers(), &client)?;
        let counted = self.source.counted(request.headers());
        let (protocol, subprotocol) = match route {
            Route::Centrifuge => {
                let (codec, subprotocol) = centrifuge(request.subprotocols(), request.query());
                (ChosenProtocol::Centrifuge { encoding: Encoding::in_messages(codec), ping_form: ping_form(request.query()) }, subprotocol)
            }
            Route::Stomp(framing) => {
                let protocol = ChosenProtocol::Stomp { framing, token: self.stomp.token(request.query(), &counted) };
                (protocol, sub_protocol(request.subprotocols().iter()))
            }
        };
        let traceparent = request.header("traceparent").map(Into::into);
        let kept = self.worker.node.services.request_keeper().keep(client.address, |name| counted.values(name))?;
        tell_ignored(&counted, &client, request.path(), self.worker.hub.metrics());
        let handshake = Handshake { id: ConnectionId::random(), protocol, address: client.address, traceparent, request: kept };
        let connection_id = Some(handshake.id);
        let permit = self.admissions.admit(self.worker.hub.now(), client.address)?;
        Ok(Admission { subprotocol, connection_id, context: UpgradeContext { permit, handshake } })
    }

    fn client(&self, request: &UpgradeRequest<'_>) -> Option<IpAddr> {
        self.source.client(request.headers(), request.peer()).address
    }

    fn refused(&self, denial: &Denial) {
        self.worker.hub.metrics().upgrade_refused(denial.refusal.code);
    }

    fn enter(&self, upgraded: Upgraded<Socket, UpgradeContext>) {
        let Upgraded { io, leftover, context: UpgradeContext { permit, handshake }, .. } = upgraded;
        let wire = Wire::new(io, &leftover, Decoder::new(self.worker.limits.connect_size));
        let connection = Connection::new(self.worker.clone(), wire, handshake);
        // An async block would hold the connection twice: as what it captures and as what it awaits.
        actix_rt::spawn(connection.map(move |()| drop(permit)));
    }
}

/// Creates the server, with one worker thread per mailbox. Each thread creates its own hub.
pub(in crate::server) fn server(
    settings: &Settings,
    listener: TcpListener,
    parts: &Parts,
    admissions: &Arc<Admissions>,
    errors: Arc<ConnectionErrors>,
    tls: Option<Tls>,
) -> io::Result<actix_server::Server> {
    tracing::info!("allowed origins: {}; answers to: {}", parts.origins, parts.hosts);
    let (started, start) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let (node, origins, proxies, admissions) = (parts.node.clone(), parts.origins.clone(), parts.proxies.clone(), admissions.clone());
    let hosts = parts.hosts.clone();
    let (mailboxes, metrics, limits, connection) = (parts.mailboxes.clone(), parts.metrics.clone(), parts.hub.clone(), parts.connection);
    let (namespaces, reads, gap_buffers) =
        (Arc::new(node.session_config.namespaces.clone()), parts.reads.clone(), parts.gap_buffers.clone());
    let options = PublicHttp {
        request_timeout: settings.public.request_timeout,
        // Handlers that wait for a body answer before.
        body_timeout: settings.connection.message_timeout + Duration::from_secs(1),
        keep_alive: settings.public.keep_alive,
        permits: Arc::new(Semaphore::new(settings.public.http_connections)),
        accept_rate: accept_rate(rates::of_accepts(settings), &parts.node, settings.public.retry_after),
        client_places: Some(parts.node.addresses.http_places()),
        proxy_protocol: settings.public.proxy_protocol.then(|| proxy_protocol(parts.proxies.clone())),
        tls,
        turns: settings.connection.turn_http,
        errors,
        ..PublicHttp::default()
    };
    let accepted = http::max_accepted(&options.permits, parts.mailboxes.len());
    let retry = settings.streams.retry;
    let stomp = StompPaths::new(&settings.stomp.limits.paths, &settings.stomp.limits.token_cookie);
    let reserved_names = settings.demo.enabled.then(|| demo::ReservedNames::new(&settings.demo));
    let factory = move || {
        let index = started.fetch_add(1, Relaxed) % mailboxes.len();
        let hub = Hub::new(HubParts {
            start,
            worker: WorkerId::new(index).unwrap_or(WorkerId::FIRST),
            broker: node.broker.clone(),
            reads: reads.clone(),
            gap_buffers: gap_buffers.clone(),
            mailbox: mailboxes[index].clone(),
            holds: node.cluster.holds().clone(),
            namespaces: namespaces.clone(),
            limits: limits.clone(),
            metrics: metrics[index].clone(),
        });
        actix_rt::spawn(hub.clone().run());
        let worker = Rc::new(WorkerContext::new(hub, node.clone(), connection));
        let (data, app_origins, reserved_names, stomp) =
            (web::Data::from(node.clone()), origins.clone(), reserved_names.clone(), stomp.clone());
        let source = RequestSource { origins: origins.clone(), hosts: hosts.clone(), proxies: proxies.clone() };
        let streams = Rc::new(StreamHost {
            worker: worker.clone(),
            source: source.clone(),
            admissions: admissions.clone(),
            retry,
            token_cookie: stomp.token_cookie().cloned(),
        });
        let gate = FrontGate { worker, source, admissions: admissions.clone(), stomp: stomp.clone() };
        let logout_node = node.clone();
        let app = App::new().app_data(data).app_data(web::Data::from(proxies.clone())).configure(move |config| {
            for path in [
                Path::new("/livez").get(operations::livez),
                Path::new("/readyz").get(operations::public_readyz),
                Path::new(WEBSOCKET).get(async || ApiError::from(ErrorCode::UpgradeRequired)),
            ] {
                config.service(path.into_resource());
            }
            streams::configure(config, streams, &app_origins);
            logout::configure(config, &logout_node);
            stomp.configure(config, &app_origins);
            if let Some(reserved_names) = reserved_names {
                demo::configure(config, &app_origins, &reserved_names);
            }
            config.default_service(web::to(not_found));
        });
        let app = app.wrap(from_fn(check_host));
        http_service(app, Rc::new(gate), options.clone())
    };
    Ok(actix_server::Server::build()
        .workers(parts.mailboxes.len())
        .max_concurrent_connections(accepted)
        .shutdown_timeout(1)
        .disable_signals()
        .listen("public", listener, factory)?
        .run())
}

/// Without a list of proxies, everybody who reaches the listener is taken for one.
fn proxy_protocol(proxies: Arc<TrustedProxies>) -> ProxyProtocol {
    ProxyProtocol { accepts: Arc::new(move |peer| proxies.is_empty() || proxies.contains(peer)) }
}

async fn not_found(request: HttpRequest) -> ApiError {
    ApiError(Refusal::new(ErrorCode::NotFound, format!("There is nothing under {}. Frontends connect to {WEBSOCKET}.", request.path())))
}
