//! Spans and W3C Trace Context. One trace follows a message from the frontend's command to its delivery.

use actix_web::http::header::HeaderMap;
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Whether a collector is configured. Otherwise no spans are created.
static ENABLED: AtomicBool = AtomicBool::new(false);

pub(super) fn enable() {
    ENABLED.store(true, Relaxed);
}

/// The content of a `traceparent` (W3C Trace Context, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
}

/// The text is not a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a W3C traceparent")]
pub struct InvalidTraceParent;

impl FromStr for TraceContext {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        Self::read(text).ok_or(InvalidTraceParent)
    }
}

impl TraceContext {
    fn read(text: &str) -> Option<Self> {
        let (known, rest) = text.split_at_checked(55)?;
        let mut parts = known.split('-');
        let mut part = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let hex = part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            hex.then(|| u128::from_str_radix(part, 16).ok()).flatten()
        };
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        // Later versions may append parts.
        let well_ended = rest.is_empty() || (version != 0 && rest.starts_with('-'));
        (version != 0xff && trace != 0 && span != 0 && well_ended).then_some(Self { trace, span: span as u64, flags: flags as u8 })
    }

    /// The context of a request. `None` if its `traceparent` is missing, malformed or repeated.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all("traceparent");
        let first = all.next()?;
        if all.next().is_some() {
            return None;
        }
        first.to_str().ok()?.parse().ok()
    }

    /// Whether the first participant of the trace keeps it.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }

    fn of(context: &SpanContext) -> Option<Self> {
        let number = |bytes: [u8; 16]| u128::from_be_bytes(bytes);
        let span = u64::from_be_bytes(context.span_id().to_bytes());
        let flags = u8::from(context.is_sampled());
        context.is_valid().then(|| Self { trace: number(context.trace_id().to_bytes()), span, flags })
    }

    fn remote(self) -> SpanContext {
        let (trace, span) = (TraceId::from_bytes(self.trace.to_be_bytes()), SpanId::from_bytes(self.span.to_be_bytes()));
        SpanContext::new(trace, span, TraceFlags::new(self.flags & 1), true, TraceState::NONE)
    }
}

/// Writes the `traceparent` for the next participant.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags & 1)
    }
}

/// Kind of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// A call from a frontend to a service.
    Call,
    /// A publish.
    Publish,
    /// The delivery of a batch to the subscribers of a channel.
    Deliver,
    /// A request of the internal listener.
    Request,
}

/// A span of a trace. It ends when this is dropped.
#[derive(Clone, Debug)]
pub struct TraceSpan {
    span: Span,
    context: Option<TraceContext>,
}

impl TraceSpan {
    /// Begins a span in the trace of the caller, or in a new trace. Without a collector it costs one comparison, and the
    /// caller's context is passed on unchanged.
    pub fn begin(kind: SpanKind, parent: Option<TraceContext>) -> Self {
        if !ENABLED.load(Relaxed) {
            return Self { span: Span::none(), context: parent };
        }
        Self::child(kind, parent)
    }

    fn child(kind: SpanKind, parent: Option<TraceContext>) -> Self {
        let span = kind.span();
        if let Some(parent) = parent {
            // Fails only if the span is filtered out.
            let _ = span.set_parent(Context::new().with_remote_span_context(parent.remote()));
        }
        Self::within(span, parent)
    }

    /// Begins a span with several causes, such as the delivery of a batch. It continues the first trace that is kept, and
    /// is linked to the others. If none is kept, no span is created.
    pub fn after(kind: SpanKind, causes: impl IntoIterator<Item = TraceContext>) -> Self {
        if !ENABLED.load(Relaxed) {
            return Self { span: Span::none(), context: None };
        }
        Self::linked(kind, causes)
    }

    fn linked(kind: SpanKind, causes: impl IntoIterator<Item = TraceContext>) -> Self {
        let mut kept = causes.into_iter().filter(|cause| cause.is_sampled());
        let Some(first) = kept.next() else { return Self { span: Span::none(), context: None } };
        let step = Self::child(kind, Some(first));
        kept.for_each(|other| step.span.add_link(other.remote()));
        step
    }

    fn within(span: Span, otherwise: Option<TraceContext>) -> Self {
        let context = TraceContext::of(span.context().span().span_context()).or(otherwise);
        if let Some(context) = &context {
            span.record("trace_id", format_args!("{:032x}", context.trace));
        }
        Self { span, context }
    }

    /// The span, for `tracing::Instrument` and for fields that are known later.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The context for the next participant.
    pub fn context(&self) -> Option<TraceContext> {
        self.context
    }

    /// The `traceparent` for the next participant.
    pub fn traceparent(&self) -> Option<Box<str>> {
        self.context.map(|context| context.to_string().into())
    }
}

impl SpanKind {
    fn span(self) -> Span {
        match self {
            Self::Call => info_span!(target: "gateway", parent: None, "call", otel.kind = "client", trace_id = Empty),
            Self::Publish => info_span!(target: "gateway", parent: None, "publish", otel.kind = "producer", trace_id = Empty),
            Self::Deliver => info_span!(target: "gateway", parent: None, "deliver", otel.kind = "consumer", trace_id = Empty),
            Self::Request => {
                info_span!(target: "gateway", parent: None, "request", otel.kind = "server", trace_id = Empty, method = Empty, route = Empty, status = Empty)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::{
        error::OTelSdkResult,
        trace::{SdkTracerProvider, Span as SdkSpan, SpanData, SpanProcessor},
    };
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };
    use tracing_subscriber::layer::SubscriberExt as _;

    /// Collects every span that has ended.
    #[derive(Clone, Debug, Default)]
    struct Ended(Arc<Mutex<Vec<SpanData>>>);

    impl SpanProcessor for Ended {
        fn on_start(&self, _: &mut SdkSpan, _: &Context) {}

        fn on_end(&self, span: SpanData) {
            self.0.lock().expect("not poisoned").push(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    #[test]
    fn a_span_stays_in_the_trace_of_its_caller_with_a_new_id() {
        let traces = SdkTracerProvider::builder().build();
        let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(spans), || {
            let parent: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().expect("valid");
            let call = TraceSpan::child(SpanKind::Call, Some(parent));
            let publish = TraceSpan::child(SpanKind::Publish, call.context());
            let contexts = [parent, call.context().expect("a span"), publish.context().expect("a span")];
            assert!(contexts.iter().all(|context| context.trace == parent.trace && context.is_sampled()));
            assert!(contexts[0].span != contexts[1].span && contexts[1].span != contexts[2].span);

            let unsampled = TraceSpan::child(SpanKind::Call, Some(TraceContext { flags: 0, ..parent }));
            assert!(!unsampled.context().expect("passed on").is_sampled());
            assert_ne!(TraceSpan::child(SpanKind::Call, None).context().expect("a trace of its own").trace, parent.trace);
        });
    }
    #[test]
    fn a_delivery_continues_the_first_kept_trace_and_is_linked_to_the_others() {
        let ended = Ended::default();
        let traces = SdkTracerProvider::builder().with_span_processor(ended.clone()).build();
        let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("test"));
        let cause = |trace: u128, flags| TraceContext { trace, span: 7, flags };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(spans), || {
            let step = TraceSpan::linked(SpanKind::Deliver, [cause(1, 0), cause(2, 1), cause(3, 1), cause(4, 0), cause(5, 1)]);
            assert_eq!(step.context().expect("a span").trace, 2);
            drop(step);
            assert!(TraceSpan::linked(SpanKind::Deliver, [cause(1, 0)]).span().is_disabled());
            assert!(TraceSpan::linked(SpanKind::Deliver, []).span().is_disabled());
        });
        let ended = ended.0.lock().expect("not poisoned");
        let [span] = &ended[..] else { panic!("{} spans", ended.len()) };
        assert_eq!(span.parent_span_id, SpanId::from(7));
        assert_eq!(span.links.iter().map(|link| link.span_context.trace_id()).collect::<Vec<_>>(), [TraceId::from(3), TraceId::from(5)]);
    }
}
