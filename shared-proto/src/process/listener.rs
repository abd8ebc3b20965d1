//! The HTTP listener of a service.

use crate::http::{ConnectionErrors, HttpOptions, OpenFiles, listen, raise_open_files, serve};
use actix_http::body::{BoxBody, MessageBody};
use actix_http::{Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::dev::{AppConfig, ServerHandle};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use tokio::sync::Semaphore;

/// Number of files that a service opens for other purposes than its listener: outgoing connections, files on disk, runtimes.
const RESERVED_FILES: u64 = 96;

/// The settings of a service's listener.
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    /// The address on which it listens.
    pub address: SocketAddr,
    /// Maximum number of connections: the setting `http.connections`.
    pub connections: usize,
    /// Time limit for the head of a request.
    pub request_timeout: Duration,
    /// How long an idle connection stays open for its next request.
    pub keep_alive: Duration,
}

impl Listener {
    /// Serves an application in a separate task.
    pub fn serve<F, A, S, B>(mut self, meter: &Meter, app: F) -> io::Result<ServerHandle>
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
        OpenFiles::new(raise_open_files(), RESERVED_FILES).assign("http.connections", &mut self.connections, 1);
        let errors = Arc::new(ConnectionErrors::new("http"));
        observe(meter, errors.clone());
        let options = HttpOptions {
            request_timeout: self.request_timeout,
            keep_alive: self.keep_alive,
            permits: Arc::new(Semaphore::new(self.connections)),
            errors,
            ..HttpOptions::default()
        };
        let server = serve("http", listen(self.address)?, &options, |_| false, app)?;
        let handle = server.handle();
        tokio::spawn(server);
        Ok(handle)
    }
}

fn observe(meter: &Meter, errors: Arc<ConnectionErrors>) {
    meter
        .u64_observable_counter("http_connection_errors")
        .with_description("HTTP connections that ended with an error, by cause")
        .with_callback(move |counter| {
            for (cause, count) in errors.counts() {
                counter.observe(count, &[KeyValue::new("cause", cause.text())]);
            }
        })
        .build();
}
