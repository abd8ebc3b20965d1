//! Admits streams, and hands their sockets to connections.

use crate::{
    api::ApiError,
    auth::Client,
    broker::PostedCommands,
    connection::{ChosenProtocol, Connection, Handshake, WorkerContext},
    server::public::{
        admissions::{Admissions, Permit},
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
use shared_proto::http::Takeover;
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::net::TcpStream;

/// What the streams of a worker need.
pub(in crate::server::public) struct StreamHost {
    pub(in crate::server::public) worker: Rc<WorkerContext>,
    pub(in crate::server::public) source: RequestSource,
    pub(in crate::server::public) admissions: Arc<Admissions>,
    /// Largest size of the commands of one request, in bytes.
    pub(in crate::server::public) message_size: usize,
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
    pub(super) fn handshake(&self, request: &HttpRequest, client: Client, protocol: ChosenProtocol) -> Result<Handshake, Refusal> {
        let is_known = is_of_known_page(request);
        let values = |name: &str| {
            let all = request.headers().get_all(name).map(HeaderValue::as_bytes);
            let is_hidden = if is_known { |_: &[u8]| false } else { sent_by_itself(name) };
            all.filter(move |value| !is_hidden(value))
        };
        let kept = self.worker.node.services.request_keeper().keep(client.address, values)?;
        let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok()).map(Into::into);
        Ok(Handshake { id: ConnectionId::random(), protocol, address: client.address, traceparent, request: kept })
    }

    /// Answers with the head of a stream, and hands the socket to a connection.
    pub(super) fn open(&self, request: &HttpRequest, start: StreamStart) -> Result<HttpResponse, Refusal> {
        let client = self.check(request)?;
        let StreamStart { content_type, protocol, first_bytes, commands } = start;
        let handshake = self.handshake(request, client, protocol)?;
        let permit = self.admissions.admit().map_err(|Denial { refusal, retry_after }| Refusal { retry_after, ..refusal })?;
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
        enter: impl FnOnce(TcpStream) + 'static,
    ) -> Result<HttpResponse, Refusal> {
        let mut response = head_of_stream(content_type);
        if request.method() == Method::HEAD {
            return Ok(response.finish());
        }
        let takeover = request.conn_data::<Takeover<TcpStream>>().ok_or(ErrorCode::Internal)?;
        let mut response = response.body(takeover.body(self.worker.limits.write_timeout, enter));
        response.head_mut().no_chunking(true);
        Ok(response)
    }
}

/// Whether no page of another site can have caused the request. Browsers send `Origin` with a POST and with requests of other origins, and
/// `Sec-Fetch-Site` over TLS. A page of any site can embed a URL.
fn is_of_known_page(request: &HttpRequest) -> bool {
    let is_same_origin = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes) == Some(b"same-origin");
    request.method() == Method::POST || is_same_origin || request.headers().contains_key(header::ORIGIN)
}

/// Which values of this header a browser adds to the requests of every page. Services must not take those for the user's own will.
fn sent_by_itself(name: &str) -> fn(&[u8]) -> bool {
    match name {
        _ if name.eq_ignore_ascii_case("cookie") => |_| true,
        _ if name.eq_ignore_ascii_case("authorization") => |value| !value.get(..7).is_some_and(|it| it.eq_ignore_ascii_case(b"bearer ")),
        _ => |_| false,
    }
}

/// Runs a connection, which has its place until it ends.
pub(super) fn spawn(connection: Connection<TcpStream>, permit: Permit) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn what_browsers_add_counts_only_if_no_other_site_can_have_caused_the_request() {
        let from = |request: TestRequest| is_of_known_page(&request.to_http_request());
        assert!(!from(TestRequest::get()), "an embedded URL over plain HTTP");
        assert!(!from(TestRequest::get().insert_header(("sec-fetch-site", "none"))), "an address that the user entered or followed");
        assert!(from(TestRequest::get().insert_header(("sec-fetch-site", "same-origin"))));
        assert!(from(TestRequest::get().insert_header(("origin", "https://a.example"))), "it was checked");
        assert!(from(TestRequest::post()), "its content type needs a question before");
    }

    #[test]
    fn cookies_and_passwords_are_sent_by_browsers_and_bearer_tokens_by_programs() {
        assert!(sent_by_itself("Cookie")(b"session=1"));
        for value in [&b"Basic abc"[..], b"Negotiate", b"", b"Bear"] {
            assert!(sent_by_itself("authorization")(value), "{}", value.escape_ascii());
        }
        assert!(!sent_by_itself("Authorization")(b"bearer abc"));
        assert!(!sent_by_itself("accept-language")(b"en"));
    }
}
