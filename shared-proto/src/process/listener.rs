//! Where a service's HTTP interface is served.

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

/// Files that a service opens beside its listener's connections: its own connections, its files, its runtimes.
const OWN_FILES: u64 = 96;

/// The settings of a service's listener.
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// Connections at most: `http.connections`.
    pub connections: usize,
    /// How long a request's head may take to come.
    pub request_timeout: Duration,
    /// How long a connection is kept for its next request.
    pub keep_alive: Duration,
}

impl Listener {
    /// Serves an application in a task of its own.
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
        OpenFiles::new(raise_open_files(), OWN_FILES).grant("http.connections", &mut self.connections, 1);
        let errors = Arc::new(ConnectionErrors::new("http"));
        observe(meter, errors.clone());
        let options = HttpOptions {
            request_timeout: self.request_timeout,
            keep_alive: self.keep_alive,
            places: Arc::new(Semaphore::new(self.connections)),
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
        .with_description("HTTP connections that did not end in good order, by cause")
        .with_callback(move |seen| errors.counts().for_each(|(cause, count)| seen.observe(count, &[KeyValue::new("cause", cause.text())])))
        .build();
}
