//! Sends one request and reads its answer.

use super::{
    answer::{Body, HttpAnswer},
    config::WebhookConfig,
    connector::{ConnectError, Connector},
};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Body as _, body::Incoming};
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioTimer},
};
use std::{error::Error, io};

/// Limit of the head of an answer, in bytes.
const HEAD_BYTES: usize = 64 << 10;

/// Why a request has no complete answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request was surely not taken: no byte of it was written.
    NotSent(String),
    /// It may have been taken.
    Lost(String),
    /// The answer is not HTTP.
    Malformed(String),
}

/// The HTTP client of one service, with its idle connections.
pub(super) struct HttpClient {
    client: Client<Connector, Full<Bytes>>,
    reply_size: usize,
}

impl HttpClient {
    pub(super) fn new(config: &WebhookConfig) -> Self {
        let idle = config.in_flight.div_ceil(config.urls.len().max(1));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.keep_alive)
            .pool_max_idle_per_host(idle)
            .http1_max_buf_size(HEAD_BYTES)
            .build(Connector::new(config.denied.clone(), config.tls.clone(), config.connect_timeout));
        Self { client, reply_size: config.reply_size }
    }

    /// Dropping the future closes the connection.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<HttpAnswer, Failure> {
        let response = self.client.request(request).await.map_err(|error| of_client(&error))?;
        let (head, body) = response.into_parts();
        let body = read(body, self.reply_size).await?;
        Ok(HttpAnswer { status: head.status, headers: head.headers, body })
    }
}

/// Reads a body, but no further than the limit.
async fn read(mut body: Incoming, limit: usize) -> Result<Body, Failure> {
    if body.size_hint().lower() > limit as u64 {
        return Ok(Body::TooLarge { limit });
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| of_hyper(&error))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if whole.len() + chunk.len() > limit {
            return Ok(Body::TooLarge { limit });
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Body::Whole(whole.freeze()))
}

fn of_client(error: &legacy::Error) -> Failure {
    if error.is_connect() {
        let cause = cause::<ConnectError>(error).map_or_else(|| error.to_string(), ToString::to_string);
        return Failure::NotSent(cause);
    }
    cause::<hyper::Error>(error).map_or_else(|| Failure::Lost(error.to_string()), of_hyper)
}

fn of_hyper(error: &hyper::Error) -> Failure {
    // A wrong chunk is an I/O error of this kind. An error of TLS is one, too, but breaks the connection.
    let of_tls = |error: &io::Error| error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some();
    let invalid = |error: &io::Error| matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) && !of_tls(error);
    if error.is_parse() || cause(error).is_some_and(invalid) {
        return Failure::Malformed(error.to_string());
    }
    Failure::Lost(error.to_string())
}

/// The first error of this type in the chain of causes.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    error.downcast_ref().or_else(|| cause(error.source()?))
}
