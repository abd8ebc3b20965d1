//! Admits streams, and hands their sockets to connections.

use crate::{
    api::ApiError,
    auth::Client,
    broker::PostedCommands,
    connection::{ChosenProtocol, Connection, Handshake, WorkerContext},
    server::public::{
        admissions::{Admissions, Permit},
        counted_headers::CountedHeaders,
        ignored_credentials::tell_ignored,
        request_source::RequestSource,
    },
    transport::{Wire, websocket::Denial},
};
use actix_web::{
    Error, HttpRequest, HttpResponse, HttpResponseBuilder,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Method,
        header::{self, HeaderValue},
    },
    middleware::Next,
};
use futures_util::FutureExt as _;
use gateway_core::model::{ConnectionId, ErrorCode, Refusal};
use shared_proto::http::{Socket, Takeover};
use std::{rc::Rc, sync::Arc, time::Duration};

/// What the streams of a worker need.
pub(in crate::server::public) struct StreamHost {
    pub(in crate::server::public) worker: Rc<WorkerContext>,
    pub(in crate::server::public) source: RequestSource,
    pub(in crate::server::public) admissions: Arc<Admissions>,
    /// Shortest time after which an EventSource connects again.
    pub(in crate::server::public) retry: Duration,
    /// The cookie that may have the token of an EventSource.
    pub(in crate::server::public) token_cookie: Option<Arc<str>>,
}

/// With what a stream starts.
pub(super) struct StreamStart {
    pub(super) content_type: &'static str,
    pub(super) protocol: ChosenProtocol,
    /// What comes right behind the head of the response.
    pub(super) first_bytes: Vec<u8>,
    pub(super) commands: PostedCommands,
}

impl StreamHost {
    /// Who sends the request. Refuses the requests of foreign pages.
    ///
    /// Browsers send no `Origin` where a page only embeds the response. They say so in `Sec-Fetch-Site`.
    pub(super) fn check(&self, request: &HttpRequest) -> Result<Client, Refusal> {
        let client = self.source.client(request.headers(), request.peer_addr());
        // The headers of other requests are counted where CORS is decided.
        if !request.headers().contains_key(header::ORIGIN) {
            self.source.proxies.count(&client);
        }
        self.source.check_origin(request.headers(), &client)?;
        let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
        let is_foreign = site.is_some_and(|site| site != b"same-origin" && site != b"none");
        if is_foreign && !request.headers().contains_key(header::ORIGIN) {
            return Err(ErrorCode::OriginNotAllowed.into());
        }
        Ok(client)
    }

    /// What a request decides about its connection.
    pub(super) fn handshake(
        &self,
        request: &HttpRequest,
        headers: &CountedHeaders<'_>,
        client: Client,
        protocol: ChosenProtocol,
    ) -> Result<Handshake, Refusal> {
        let kept = self.worker.node.services.request_keeper().keep(client.address, |name| headers.values(name))?;
        tell_ignored(headers, &client, request.path(), self.worker.hub.metrics());
        let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok()).map(Into::into);
        Ok(Handshake { id: ConnectionId::random(), protocol, address: client.address, traceparent, request: kept })
    }

    /// Answers with the head of a stream, and hands the socket to a connection.
    pub(super) fn open(&self, request: &HttpRequest, start: StreamStart) -> Result<HttpResponse, Refusal> {
        let client = self.check(request)?;
        let StreamStart { content_type, protocol, first_bytes, commands } = start;
        let (now, address) = (self.worker.hub.now(), client.address);
        let handshake = self.handshake(request, &self.source.counted(request.headers()), client, protocol)?;
        let permit = self.admissions.admit(now, address).map_err(|Denial { refusal, retry_after }| Refusal { retry_after, ..refusal })?;
        let worker = self.worker.clone();
        self.respond(request, content_type, move |io| {
            let connection = Connection::new(worker, Wire::stream(io), handshake);
            spawn(connection.with_first_bytes(first_bytes).with_first_commands(commands), permit);
        })
    }

    /// The response behind whose head `enter` gets the socket.
    pub(super) fn respond(
        &self,
        request: &HttpRequest,
        content_type: &'static str,
        enter: impl FnOnce(Socket) + 'static,
    ) -> Result<HttpResponse, Refusal> {
        let mut response = head_of_stream(content_type);
        if request.method() == Method::HEAD {
            return Ok(response.finish());
        }
        let takeover = request.conn_data::<Takeover<Socket>>().ok_or(ErrorCode::Internal)?;
        let mut response = response.body(takeover.body(self.worker.limits.write_timeout, enter));
        response.head_mut().no_chunking(true);
        Ok(response)
    }
}

/// Runs a connection, which has its place until it ends.
pub(super) fn spawn(connection: Connection<Socket>, permit: Permit) {
    // An async block would hold the connection twice: as what it captures and as what it awaits.
    actix_rt::spawn(connection.map(move |()| drop(permit)));
}

/// The head of a stream.
pub(super) fn head_of_stream(content_type: &'static str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx collects the responses of other servers unless they say this.
        .insert_header(("x-accel-buffering", "no"))
        .force_close();
    response
}

/// Counts refused requests, like refused upgrades, and ends their connections: the rest of a body may never come.
pub(super) async fn end_refused(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let host = request.app_data::<Rc<StreamHost>>().cloned();
    let mut response = next.call(request).await?;
    let refused = response.response().error().and_then(|error| error.as_error::<ApiError>()).map(|ApiError(refusal)| refusal.code);
    if let (Some(host), Some(code)) = (host, refused) {
        host.worker.hub.metrics().upgrade_refused(code);
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
