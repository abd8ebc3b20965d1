//! Announces how long an idle connection stays open (RFC 9112, section 9.3), in the `Keep-Alive` header of RFC 2068, section 19.7.1.1.

use actix_http::body::{BoxBody, MessageBody};
use actix_http::header::{HeaderName, HeaderValue, TRANSFER_ENCODING};
use actix_http::{ConnectionType, HttpMessage as _, Payload, Request, Response, ResponseHead, Version};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, map_config};
use actix_web::dev::AppConfig;
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use std::cell::Cell;
use std::rc::Rc;
use std::task::ready;
use std::time::Duration;

const NAME: HeaderName = HeaderName::from_static("keep-alive");

/// Wraps an application. Its responses announce `keep_alive` in whole seconds, unless the connection is closed after the response.
pub(super) fn with_header<A, S, B>(
    app: A,
    keep_alive: Duration,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Response<B>,
    Error = Response<BoxBody>,
    InitError = S::InitError,
    Future = impl Future + 'static,
    Service = impl Service<Request, Response = Response<B>, Error = Response<BoxBody>, Future = impl Future + 'static>,
>
where
    A: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let value = HeaderValue::try_from(format!("timeout={}", keep_alive.as_secs())).expect("letters and digits");
    let app = map_config(app, |()| AppConfig::default()).map(S::Response::into).map_err(S::Error::into);
    apply_fn_factory(app, move |mut request: Request, app: &_| {
        let (persistence, value) = (Persistence::of(&mut request), value.clone());
        let response = Service::<Request>::call(app, request);
        async move {
            let mut response: Result<Response<B>, Response<BoxBody>> = response.await;
            persistence.add_header(response.as_mut().map_or_else(Response::head_mut, Response::head_mut), &value);
            response
        }
    })
}

/// Whether a connection stays open after the response to a request.
enum Persistence {
    Closed,
    Open,
    /// It stays open if the application has read the whole body. Otherwise the HTTP library closes it instead of reading the rest.
    OpenAfterBody(Rc<Cell<bool>>),
}

impl Persistence {
    /// The persistence of the connection after this request. Replaces the request's body by one that records its end.
    fn of(request: &mut Request) -> Self {
        let head = request.head();
        if head.version != Version::HTTP_11 || head.connection_type() != ConnectionType::KeepAlive {
            return Self::Closed;
        }
        // The library reads the rest of a chunked body.
        if matches!(request.payload(), Payload::None) || request.headers().contains_key(TRANSFER_ENCODING) {
            return Self::Open;
        }
        let ended = Rc::new(Cell::new(false));
        let (mut body, record) = (request.take_payload(), ended.clone());
        let payload = Box::pin(poll_fn(move |cx| {
            let chunk = ready!(body.poll_next_unpin(cx));
            record.set(chunk.is_none());
            chunk.into()
        }));
        *request.payload() = Payload::Stream { payload };
        Self::OpenAfterBody(ended)
    }

    /// Adds the header to a response if the connection stays open after it.
    fn add_header(&self, response: &mut ResponseHead, value: &HeaderValue) {
        let is_open = match self {
            Self::Closed => false,
            Self::Open => true,
            Self::OpenAfterBody(ended) => ended.get(),
        };
        if !is_open {
            return;
        }
        // The library reuses heads, and leaves the version of the earlier response in them until this one is written.
        response.version = Version::HTTP_11;
        if response.connection_type() == ConnectionType::KeepAlive {
            response.headers_mut().insert(NAME, value.clone());
        }
    }
}
