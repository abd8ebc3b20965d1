//! The story of the process's life.

use crate::api::Api;
use crate::delivery::{Counts, Dispatcher, HistoryWatch};
use crate::outbox::{Outbox, StoreError};
use crate::settings::{PROGRAM, Settings};
use actix_web::App;
use opentelemetry::metrics::Meter;
use shared_proto::client::rest::{Config, ConfigError, Gateway};
use shared_proto::process::health::{Health, Readiness};
use shared_proto::process::listener::Listener;
use shared_proto::process::settings::list;
use shared_proto::process::{signal, telemetry::Telemetry};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Between two prunings, and between two looks at how much is pending.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// Why the process could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The gateway's address or key cannot be used.
    #[error("gateway: {0}")]
    Gateway(#[from] ConfigError),
    /// The outbox could not be opened.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The listener could not be opened, or no signal handler set.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Whether the outbox can be read, and how much is in it.
#[derive(Debug, Default)]
struct State {
    pending: AtomicU64,
    broken: AtomicBool,
    leaving: AtomicBool,
}

/// Runs until a signal, then leaves in order.
pub async fn run(settings: Settings, telemetry: &Telemetry) -> Result<(), RunError> {
    let wait = Duration::from_millis(settings.gateway.timeout_ms);
    let (urls, api_key) = (list(&settings.gateway.urls), settings.gateway.api_key.clone());
    let gateway = Arc::new(Gateway::new(&Config { urls, api_key, connect_timeout: wait.min(Duration::from_secs(2)), timeout: wait })?);
    let outbox = Outbox::open(&settings.outbox)?;
    let (counts, state) = (Arc::<Counts>::default(), Arc::<State>::default());
    observe(&telemetry.meter(PROGRAM.name), &counts, &state);
    let idempotency = Duration::from_secs(settings.gateway.idempotency_s);
    let history_watch = HistoryWatch::new(outbox.clone(), gateway.clone(), Duration::from_secs(settings.gateway.history_s));
    let dispatcher = Dispatcher::new(outbox.clone(), gateway, settings.delivery, idempotency, counts);
    let (leave, leaving) = watch::channel(false);
    let delivering = tokio::spawn(dispatcher.run(leaving));
    let looking = tokio::spawn(history_watch.run());
    let housekeeping = tokio::spawn(keep_house(outbox.clone(), state.clone()));
    let server = serve(&settings, telemetry, outbox, state.clone())?;
    tracing::info!(address = %settings.http.address, gateway = settings.gateway.urls, outbox = %settings.outbox.path.display(), "notifier started");

    signal::shutdown().await?;
    tracing::info!("leaving");
    state.leaving.store(true, Ordering::Relaxed);
    let within = Duration::from_secs(settings.shutdown.drain_s);
    let stopped = timeout(within, server.stop(true)).await.is_ok();
    leave.send_replace(true);
    let delivered = timeout(within, delivering).await.is_ok();
    if !(stopped && delivered) {
        tracing::warn!("not all finished in time; what is pending is delivered after the next start");
    }
    looking.abort();
    housekeeping.abort();
    Ok(())
}

fn serve(settings: &Settings, telemetry: &Telemetry, outbox: Outbox, state: Arc<State>) -> io::Result<actix_web::dev::ServerHandle> {
    let health = Health::new(telemetry.registry(), move || {
        if state.leaving.load(Ordering::Relaxed) {
            Readiness::NotReady("shutting down")
        } else if state.broken.load(Ordering::Relaxed) {
            Readiness::NotReady("the outbox cannot be read")
        } else {
            Readiness::Ready
        }
    });
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

async fn keep_house(outbox: Outbox, state: Arc<State>) {
    let mut ticks = interval(HOUSEKEEPING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let pending = outbox.pending().await;
        state.broken.store(pending.is_err(), Ordering::Relaxed);
        if let Ok(pending) = pending {
            state.pending.store(pending, Ordering::Relaxed);
        }
        match outbox.prune().await {
            Ok(0) => {}
            Ok(gone) => tracing::debug!(gone, "finished notifications were deleted"),
            Err(error) => tracing::error!(%error, "nothing was pruned"),
        }
    }
}

fn observe(meter: &Meter, counts: &Arc<Counts>, state: &Arc<State>) {
    type Pick = fn(&Counts) -> u64;
    let counters: [(&'static str, Pick); 3] = [
        ("deliveries_delivered", |c| c.delivered.load(Ordering::Relaxed)),
        ("deliveries_failed", |c| c.failed.load(Ordering::Relaxed)),
        ("deliveries_retried", |c| c.retried.load(Ordering::Relaxed)),
    ];
    for (name, pick) in counters {
        let counts = counts.clone();
        meter.u64_observable_counter(name).with_callback(move |seen| seen.observe(pick(&counts), &[])).build();
    }
    let gauges: [(&'static str, Pick); 2] = [
        ("deliveries_under_way", |c| c.under_way.load(Ordering::Relaxed)),
        ("gateway_breaker_open", |c| u64::from(c.breaker_open.load(Ordering::Relaxed))),
    ];
    for (name, pick) in gauges {
        let counts = counts.clone();
        meter.u64_observable_gauge(name).with_callback(move |seen| seen.observe(pick(&counts), &[])).build();
    }
    let state = state.clone();
    let pending = move || state.pending.load(Ordering::Relaxed);
    meter.u64_observable_gauge("deliveries_pending").with_callback(move |seen| seen.observe(pending(), &[])).build();
}
