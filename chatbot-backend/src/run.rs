//! The life of the process: start, run until a signal, shut down.

use crate::abandoned_streams;
use crate::channel_io::ChannelIo;
use crate::responder::RuleResponder;
use crate::service::Chatbot;
use crate::settings::{PROGRAM, Settings};
use crate::timestamp::Clock;
use actix_web::App;
use opentelemetry::metrics::Meter;
use shared_proto::client::link::{Config, Link, Monitor};
use shared_proto::client::rest::ConfigError;
use shared_proto::process::health::Health;
use shared_proto::process::listener::Listener;
use shared_proto::process::settings::list;
use shared_proto::process::{signal, supervisor::Supervisor, telemetry::Telemetry};
use shared_proto::rest::ReadyBody;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// Time limit at shutdown for aborted streams to write their end, and then for the links to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why the process could not start or run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The gateway's address or API key is invalid.
    #[error("gateway: {0}")]
    Gateway(#[from] ConfigError),
    /// The listener or a signal handler could not be set up.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs until a signal, and then shuts down.
pub async fn run(settings: Settings, telemetry: &Telemetry) -> Result<(), RunError> {
    let bot = Chatbot::new(RuleResponder::new(&settings.bot.name), settings.bot.clone());
    let mut config = Config::new(&settings.bot.service, list(&settings.gateway.urls), &settings.gateway.api_key);
    config.credit = settings.bot.credit;
    config.tls = settings.gateway.tls();
    let gateway = settings.gateway.client()?;
    let link = Link::start(config, bot.clone())?;
    let channel_io = Arc::new(ChannelIo::new(link.publisher(), gateway, settings.bot.clone(), Clock::SYSTEM));
    bot.set_channel_io(channel_io.clone());
    let stream_checker = tokio::spawn(abandoned_streams::run(channel_io, bot.active_streams()));
    observe(&telemetry.meter(PROGRAM.name), &link.monitor(), &bot);
    let health = health(telemetry, link.monitor());
    let server = serve(&settings, telemetry, health.clone())?;
    tracing::info!(address = %settings.http.address, gateway = settings.gateway.urls, "chat bot started");

    let supervisor = Supervisor::start(move || health.readiness());
    signal::shutdown().await?;
    supervisor.stopping().await;
    tracing::info!("shutting down");
    shut_down(Duration::from_secs(settings.shutdown.drain_s), link, &bot).await;
    stream_checker.abort();
    server.stop(false).await;
    Ok(())
}

/// Accepts no new calls, lets answers finish within `drain`, aborts the remaining ones, and closes the links.
async fn shut_down(drain: Duration, link: Link, bot: &Chatbot<RuleResponder>) {
    let answered = timeout(drain, async {
        link.drain(drain).await;
        bot.answers_finished().await;
    });
    if answered.await.is_err() {
        bot.active_streams().abort_all();
        if timeout(CLOSE_TIMEOUT, bot.answers_finished()).await.is_err() {
            tracing::warn!("some streams have no end; other instances will end them");
        }
    }
    if !link.shutdown(CLOSE_TIMEOUT).await {
        tracing::warn!("the links did not close in time");
    }
}

fn health(telemetry: &Telemetry, monitor: Monitor) -> Health {
    Health::new(telemetry.registry(), move || {
        if monitor.is_ready() { ReadyBody::ready() } else { ReadyBody::not_ready("no gateway node has welcomed this instance") }
    })
}

fn serve(settings: &Settings, telemetry: &Telemetry, health: Health) -> io::Result<actix_web::dev::ServerHandle> {
    let http = &settings.http;
    let listener = Listener {
        address: http.address,
        connections: http.connections,
        request_timeout: Duration::from_millis(http.request_timeout_ms),
        keep_alive: Duration::from_secs(http.keep_alive_s),
    };
    let app = move || App::new().configure(|app| health.configure(app));
    listener.serve(&telemetry.meter(PROGRAM.name), app)
}

fn observe(meter: &Meter, monitor: &Monitor, bot: &Chatbot<RuleResponder>) {
    let (links, running) = (monitor.clone(), monitor.clone());
    let streams = bot.active_streams();
    meter
        .u64_observable_gauge("links")
        .with_description("Open links")
        .with_callback(move |gauge| gauge.observe(links.links() as u64, &[]))
        .build();
    meter
        .u64_observable_gauge("calls_running")
        .with_description("Calls in flight")
        .with_callback(move |gauge| gauge.observe(running.running() as u64, &[]))
        .build();
    meter
        .u64_observable_gauge("streams_running")
        .with_description("Answers that are being written")
        .with_callback(move |gauge| gauge.observe(streams.count() as u64, &[]))
        .build();
    observe_links(meter, monitor);
}

fn observe_links(meter: &Meter, monitor: &Monitor) {
    type Field = fn(&shared_proto::client::link::Counts) -> &AtomicU64;
    let counters: [(&'static str, Field); 12] = [
        ("links_welcomed", |c| &c.welcomed),
        ("link_failures", |c| &c.failed),
        ("calls_answered", |c| &c.answered),
        ("calls_abandoned", |c| &c.abandoned),
        ("calls_refused_no_credit", |c| &c.refused_no_credit),
        ("events_dropped", |c| &c.events_dropped),
        ("frames_malformed", |c| &c.malformed),
        ("frames_unknown", |c| &c.unknown),
        ("publications", |c| &c.published),
        ("publications_resent", |c| &c.resent),
        ("publications_refused", |c| &c.refused),
        ("publications_expired", |c| &c.expired),
    ];
    for (name, field) in counters {
        let monitor = monitor.clone();
        meter
            .u64_observable_counter(name)
            .with_callback(move |counter| counter.observe(field(monitor.counts()).load(Ordering::Relaxed), &[]))
            .build();
    }
}
