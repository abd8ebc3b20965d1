//! Sends one request and reads its answer.

use super::{answer::HttpAnswer, config::WebhookConfig, target_url::TargetUrl, targets::TargetIndex};
use crate::outbound::{Body, Connector, read_body};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, client::conn::http1};
use idle_connections::{IdleConnections, Sender};
use std::{error::Error, io, sync::Arc, time::Duration};
use tokio::time::timeout;

mod idle_connections;

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

/// The HTTP client of one service. A request runs in the task that sends it, and its connection in a task on the same runtime.
pub(super) struct HttpClient {
    connector: Connector,
    connect_timeout: Duration,
    idle: Arc<IdleConnections>,
    reply_size: usize,
}

impl HttpClient {
    /// Needs a runtime, which closes the connections that are idle for too long.
    pub(super) fn new(config: &WebhookConfig) -> Self {
        Self {
            connector: Connector::new(config.denied.clone(), config.tls.clone()),
            connect_timeout: config.connect_timeout,
            idle: Arc::new(IdleConnections::new(config.in_flight, config.keep_alive)),
            reply_size: config.reply_size,
        }
    }

    /// Sends a request to a target. Dropping the future closes the connection.
    pub(super) async fn send(
        &self,
        target: TargetIndex,
        url: &TargetUrl,
        mut request: Request<Full<Bytes>>,
    ) -> Result<HttpAnswer, Failure> {
        let (response, sender) = loop {
            let idle = self.idle.take(target);
            let is_new = idle.is_none();
            let mut sender = match idle {
                Some(sender) => sender,
                // Boxed, because it is large and rare.
                None => Box::pin(self.connect(url)).await?,
            };
            match sender.try_send_request(request).await {
                Ok(response) => break (response, sender),
                Err(mut error) => match error.take_message() {
                    // The target closed the idle connection meanwhile.
                    Some(unsent) if !is_new => request = unsent,
                    Some(_) => return Err(Failure::NotSent(error.into_error().to_string())),
                    None => return Err(of_hyper(&error.into_error())),
                },
            }
        };
        let (head, body) = response.into_parts();
        let body = read_body(body, self.reply_size).await.map_err(|error| of_hyper(&error))?;
        if matches!(body, Body::Whole(_)) {
            self.idle.put(target, sender);
        }
        Ok(HttpAnswer { status: head.status, headers: head.headers, body })
    }

    async fn connect(&self, url: &TargetUrl) -> Result<Sender, Failure> {
        let opened = timeout(self.connect_timeout, self.connector.open(&url.endpoint)).await;
        let opened = opened.map_err(|_| Failure::NotSent("no connection within webhook.connect_timeout".into()))?;
        let socket = opened.map_err(|error| Failure::NotSent(error.to_string()))?;
        // Most requests are small: a copy into one buffer costs less than a list of buffers.
        let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES).writev(false).handshake(socket).await;
        let (sender, connection) = handshake.map_err(|error| Failure::NotSent(error.to_string()))?;
        // It tells its errors to the request.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
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
