//! The life of the process: start, run until a signal, shut down.

use crate::api::Api;
use crate::delivery::{Counts, Dispatcher, HistoryWatch};
use crate::outbox::{self, Outbox, StoreError};
use crate::settings::{PROGRAM, Settings};
use actix_web::App;
use opentelemetry::metrics::Meter;
use shared_proto::client::rest::{Config, ConfigError, Gateway};
use shared_proto::process::health::Health;
use shared_proto::process::listener::Listener;
use shared_proto::process::settings::list;
use shared_proto::process::{signal, supervisor::Supervisor, telemetry::Telemetry};
use shared_proto::rest::ReadyBody;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Time between two runs of the maintenance.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(5);

/// Why the process could not start or run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The gateway's address or API key is invalid.
    #[error("gateway: {0}")]
    Gateway(#[from] ConfigError),
    /// The outbox could not be opened.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The listener or a signal handler could not be set up.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The state of the process, for `/readyz` and metrics.
#[derive(Debug, Default)]
struct State {
    /// Number of pending deliveries.
    pending: AtomicU64,
    /// Whether the last read of the outbox failed.
    is_outbox_broken: AtomicBool,
    is_shutting_down: AtomicBool,
}

/// Copies the outbox into a new file. Returns the line to print.
pub fn back_up(settings: &Settings, to: &Path) -> Result<String, RunError> {
    outbox::back_up(&settings.outbox.path, to)?;
    Ok(format!("the outbox {} is copied to {}", settings.outbox.path.display(), to.display()))
}

/// Runs until a signal, and then shuts down.
pub async fn run(settings: Settings, telemetry: &Telemetry) -> Result<(), RunError> {
    let request_timeout = Duration::from_millis(settings.gateway.timeout_ms);
    let (urls, api_key) = (list(&settings.gateway.urls), settings.gateway.api_key.clone());
    let gateway = Arc::new(Gateway::new(&Config {
        urls,
        api_key,
        connect_timeout: request_timeout.min(Duration::from_secs(2)),
        timeout: request_timeout,
    })?);
    let outbox = Outbox::open(&settings.outbox)?;
    let (counts, state) = (Arc::<Counts>::default(), Arc::<State>::default());
    observe(&telemetry.meter(PROGRAM.name), &counts, &state);
    let idempotency = Duration::from_secs(settings.gateway.idempotency_s);
    let history_watch = HistoryWatch::new(outbox.clone(), gateway.clone(), Duration::from_secs(settings.gateway.history_s));
    let dispatcher = Dispatcher::new(outbox.clone(), gateway, settings.delivery, idempotency, counts);
    let (stop, stopped) = watch::channel(false);
    let deliveries = tokio::spawn(dispatcher.run(stopped));
    let history_checks = tokio::spawn(history_watch.run());
    let maintenance = tokio::spawn(maintain(outbox.clone(), state.clone()));
    let health = health(telemetry, state.clone());
    let server = serve(&settings, telemetry, outbox, health.clone())?;
    tracing::info!(address = %settings.http.address, gateway = settings.gateway.urls, outbox = %settings.outbox.path.display(), "notifier started");

    let supervisor = Supervisor::start(move || health.readiness());
    signal::shutdown().await?;
    supervisor.stopping().await;
    tracing::info!("shutting down");
    state.is_shutting_down.store(true, Ordering::Relaxed);
    let drain = Duration::from_secs(settings.shutdown.drain_s);
    let is_server_stopped = timeout(drain, server.stop(true)).await.is_ok();
    stop.send_replace(true);
    let is_delivered = timeout(drain, deliveries).await.is_ok();
    if !(is_server_stopped && is_delivered) {
        tracing::warn!("some requests or deliveries did not finish in time; pending deliveries are repeated after the next start");
    }
    history_checks.abort();
    maintenance.abort();
    Ok(())
}

fn health(telemetry: &Telemetry, state: Arc<State>) -> Health {
    Health::new(telemetry.registry(), move || {
        if state.is_shutting_down.load(Ordering::Relaxed) {
            ReadyBody::not_ready("the process is shutting down")
        } else if state.is_outbox_broken.load(Ordering::Relaxed) {
            ReadyBody::not_ready("the outbox cannot be read; the log contains the error")
        } else {
            ReadyBody::ready()
        }
    })
}

fn serve(settings: &Settings, telemetry: &Telemetry, outbox: Outbox, health: Health) -> io::Result<actix_web::dev::ServerHandle> {
    let api = Api::new(outbox, &settings.http);
    let http = &settings.http;
    let listener = Listener {
        address: http.address,
        connections: http.connections,
        request_timeout: Duration::from_millis(http.request_timeout_ms),
        keep_alive: Duration::from_secs(http.keep_alive_s),
    };
    let app = move || App::new().configure(|app| health.configure(app)).configure(|app| api.configure(app));
    listener.serve(&telemetry.meter(PROGRAM.name), app)
}

/// Counts the pending deliveries and deletes old notifications, at intervals.
async fn maintain(outbox: Outbox, state: Arc<State>) {
    let mut ticks = interval(MAINTENANCE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let pending = outbox.pending().await;
        state.is_outbox_broken.store(pending.is_err(), Ordering::Relaxed);
        if let Ok(pending) = pending {
            state.pending.store(pending, Ordering::Relaxed);
        }
        match outbox.prune().await {
            Ok(0) => {}
            Ok(deleted) => tracing::debug!(deleted, "finished notifications were deleted"),
            Err(error) => tracing::error!(%error, "cannot delete finished notifications"),
        }
    }
}

fn observe(meter: &Meter, counts: &Arc<Counts>, state: &Arc<State>) {
    type Value = fn(&Counts) -> u64;
    let counters: [(&'static str, Value); 3] = [
        ("deliveries_delivered", |c| c.delivered.load(Ordering::Relaxed)),
        ("deliveries_failed", |c| c.failed.load(Ordering::Relaxed)),
        ("deliveries_retried", |c| c.retried.load(Ordering::Relaxed)),
    ];
    for (name, value) in counters {
        let counts = counts.clone();
        meter.u64_observable_counter(name).with_callback(move |counter| counter.observe(value(&counts), &[])).build();
    }
    let gauges: [(&'static str, Value); 2] = [
        ("deliveries_in_flight", |c| c.in_flight.load(Ordering::Relaxed)),
        ("gateway_breaker_open", |c| u64::from(c.breaker_open.load(Ordering::Relaxed))),
    ];
    for (name, value) in gauges {
        let counts = counts.clone();
        meter.u64_observable_gauge(name).with_callback(move |gauge| gauge.observe(value(&counts), &[])).build();
    }
    let state = state.clone();
    let pending = move || state.pending.load(Ordering::Relaxed);
    meter.u64_observable_gauge("deliveries_pending").with_callback(move |gauge| gauge.observe(pending(), &[])).build();
}
