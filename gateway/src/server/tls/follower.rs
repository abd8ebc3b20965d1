//! Swaps the configuration of a listener when its files change.

use super::{config::Loaded, files::Files};
use crate::{
    server::follow::{Followed, Occasion, Seen},
    settings::{self, Problems},
    telemetry::{Metrics, Series},
};
use rustls::ServerConfig;
use shared_proto::http::{HandshakeCounts, Tls};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::{Semaphore, watch};

/// Receives the values of a metric's labels, and its number.
type Report<'a> = &'a mut dyn FnMut(&[&str], u64);

/// A listener whose files are followed.
pub(in crate::server) struct FollowedTls {
    status: Arc<Status>,
    settings: settings::Tls,
    configs: watch::Sender<Arc<ServerConfig>>,
    /// Digests of the files.
    seen: Seen<[u8; 32]>,
}

/// TLS of one listener at the start.
pub(in crate::server) struct ListenerTls {
    pub(in crate::server) tls: Tls,
    pub(in crate::server) followed: FollowedTls,
}

/// What metrics tell about a listener.
struct Status {
    listener: &'static str,
    handshakes: Arc<HandshakeCounts>,
    /// When the first certificate expires, in seconds of Unix time.
    not_after: AtomicU64,
    loaded: AtomicU64,
    refused: AtomicU64,
}

impl ListenerTls {
    /// Reads the files. `None`: the settings have no pair, so the listener has no TLS.
    pub(in crate::server) fn load(listener: &'static str, settings: &settings::Tls) -> Result<Option<Self>, Problems> {
        if settings.pairs.is_empty() {
            return Ok(None);
        }
        let files = Files::read(settings);
        let loaded = files.config(listener)?;
        let counts = Arc::<HandshakeCounts>::default();
        let (loads, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        let status = Status { listener, handshakes: counts.clone(), not_after: AtomicU64::new(0), loaded: loads, refused };
        status.take(&loaded);
        let (sender, configs) = watch::channel(loaded.config);
        let handshakes = Arc::new(Semaphore::new(settings.handshakes));
        let tls = Tls { configs, handshake_timeout: settings.handshake_timeout, handshakes, counts };
        let seen = Seen::new(files.digest());
        let followed = FollowedTls { status: Arc::new(status), settings: settings.clone(), configs: sender, seen };
        Ok(Some(Self { tls, followed }))
    }
}

impl Status {
    fn take(&self, loaded: &Loaded) {
        self.not_after.store(unix_seconds(loaded.not_after), Relaxed);
        loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }
}

impl Followed for FollowedTls {
    /// Keeps the configuration if the files cannot be used.
    fn look(&mut self, occasion: Occasion) {
        let files = Files::read(&self.settings);
        if !self.seen.is_due(files.digest(), occasion) {
            return;
        }
        let listener = self.status.listener;
        match files.config(listener) {
            Ok(loaded) => {
                self.status.take(&loaded);
                self.status.loaded.fetch_add(1, Relaxed);
                self.configs.send_replace(loaded.config);
                let expires_in_days = loaded.not_after.duration_since(SystemTime::now()).unwrap_or_default().as_secs() / 86_400;
                tracing::info!(listener, expires_in_days, "new TLS connections use the certificates that were read now");
            }
            Err(problems) => {
                self.status.refused.fetch_add(1, Relaxed);
                let why = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                tracing::warn!(listener, "new files for TLS are refused, and the earlier certificates are still used: {why}");
            }
        }
    }
}

/// Exposes what happens to certificates and handshakes.
pub(in crate::server) fn observe(metrics: &Metrics, all: &[FollowedTls]) {
    let status: Vec<_> = all.iter().map(|followed| followed.status.clone()).collect();
    let each = |series, read: fn(&Status, Report<'_>)| {
        let status = status.clone();
        metrics.observe(series, move |report| status.iter().for_each(|status| read(status, report)));
    };
    each(Series::TlsHandshakes, |status, report| {
        status.handshakes.counts().iter().for_each(|(kind, count)| report(&[status.listener, kind], *count));
    });
    each(Series::TlsCertificateExpiry, |status, report| report(&[status.listener], status.not_after.load(Relaxed)));
    each(Series::TlsReloads, |status, report| {
        report(&[status.listener, "loaded"], status.loaded.load(Relaxed));
        report(&[status.listener, "refused"], status.refused.load(Relaxed));
    });
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
