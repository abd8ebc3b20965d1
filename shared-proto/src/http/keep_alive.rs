//! Tells clients for how long an idle connection is kept (RFC 9112, section 9.3; the header is that of RFC 2068, section 19.7.1.1).

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

/// An application whose responses tell, in whole seconds, for how long their connection is kept. Those after which it ends do not.
pub(super) fn telling<A, S, B>(
    app: A,
    time: Duration,
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
    let value = HeaderValue::try_from(format!("timeout={}", time.as_secs())).expect("letters and digits");
    let app = map_config(app, |()| AppConfig::default()).map(S::Response::into).map_err(S::Error::into);
    apply_fn_factory(app, move |mut request: Request, app: &_| {
        let (kept, value) = (watch(&mut request), value.clone());
        let answer = Service::<Request>::call(app, request);
        async move {
            let mut answer: Result<Response<B>, Response<BoxBody>> = answer.await;
            kept.tell(answer.as_mut().map_or_else(Response::head_mut, Response::head_mut), &value);
            answer
        }
    })
}

/// Whether a connection is kept behind the response to a request.
enum Kept {
    No,
    Yes,
    /// Where the body was read to its end: the HTTP library closes a connection rather than read what the application did not.
    OnceRead(Rc<Cell<bool>>),
}

/// Looks at a request, and follows its body.
fn watch(request: &mut Request) -> Kept {
    let head = request.head();
    if head.version != Version::HTTP_11 || head.connection_type() != ConnectionType::KeepAlive {
        return Kept::No;
    }
    // What remains of a chunked body is read by the library.
    if matches!(request.payload(), Payload::None) || request.headers().contains_key(TRANSFER_ENCODING) {
        return Kept::Yes;
    }
    let ended = Rc::new(Cell::new(false));
    let (mut body, ends) = (request.take_payload(), ended.clone());
    let payload = Box::pin(poll_fn(move |cx| {
        let chunk = ready!(body.poll_next_unpin(cx));
        ends.set(chunk.is_none());
        chunk.into()
    }));
    *request.payload() = Payload::Stream { payload };
    Kept::OnceRead(ended)
}

impl Kept {
    /// Adds the header to a response after which the connection is kept.
    fn tell(&self, response: &mut ResponseHead, value: &HeaderValue) {
        let kept = match self {
            Self::No => false,
            Self::Yes => true,
            Self::OnceRead(ended) => ended.get(),
        };
        if kept && response.connection_type() == ConnectionType::KeepAlive {
            response.headers_mut().insert(NAME, value.clone());
        }
    }
}
