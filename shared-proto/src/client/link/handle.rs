//! The handle with which a service starts, watches and stops its link client.

use super::config::Config;
use super::context::{Activity, Context, Phase};
use super::counts::Counts;
use super::monitor::Monitor;
use super::nodes;
use super::publishing::{Publisher, Router, RouterChannels};
use super::service::Service;
use crate::client::rest::ConfigError;
use crate::client::transport::Connector;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The links of this instance. Dropping it closes them at once; [`Link::shutdown`] closes them in order.
#[derive(Debug)]
pub struct Link {
    phase: watch::Sender<Phase>,
    pub(super) activity: watch::Receiver<Activity>,
    idle: watch::Receiver<bool>,
    pub(super) counts: Arc<Counts>,
    publisher: Publisher,
    tasks: JoinHandle<()>,
}

impl Link {
    /// Starts to link `service`. Must be called within a tokio runtime. The nodes need not be reachable yet.
    pub fn start(mut config: Config, service: impl Service) -> Result<Self, ConfigError> {
        let urls = config.urls.iter().map(|url| nodes::link_url(url, &config.service)).collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() {
            return Err(ConfigError::NoUrl);
        }
        nodes::bearer(&config.api_key)?;
        config.urls = urls;
        let connector = Connector::new(&config.urls, &config.tls, config.connect_timeout)?;
        let (phase, current_phase) = watch::channel(Phase::Running);
        let (activity, current_activity) = watch::channel(Activity::default());
        let (idle_sender, idle) = watch::channel(true);
        let (channels, receivers) = RouterChannels::new();
        let counts = Arc::new(Counts::default());
        let router = Router::new(config.publish_queue, counts.clone(), idle_sender).run(receivers);
        let context = Arc::new(Context { config, connector, service, counts: counts.clone(), activity, phase: current_phase });
        let tasks = tokio::spawn(async move {
            tokio::join!(router, nodes::keep_linked(context, channels.updates));
        });
        let publisher = Publisher::new(channels.submissions);
        Ok(Self { phase, activity: current_activity, idle, counts, publisher, tasks })
    }

    /// Publishes through these links.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Whether at least one node is linked.
    pub fn is_ready(&self) -> bool {
        !self.activity.borrow().nodes.is_empty()
    }

    /// Waits until [`Link::is_ready`].
    pub async fn ready(&self) {
        let mut activity = self.activity.clone();
        // An error means that the tasks have ended. The client will never be ready, so this must not return.
        if activity.wait_for(|now| !now.nodes.is_empty()).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Readiness and numbers for health checks and metrics.
    pub fn monitor(&self) -> Monitor {
        Monitor { activity: self.activity.clone(), counts: self.counts.clone() }
    }

    /// Asks all nodes to send no more calls. Waits until the calls in flight are answered, at most `within`. Publishing continues.
    ///
    /// Returns whether all calls were answered in time.
    pub async fn drain(&self, within: Duration) -> bool {
        self.phase.send_if_modified(|phase| {
            let before = *phase;
            *phase = before.max(Phase::Draining);
            before != *phase
        });
        let mut activity = self.activity.clone();
        timeout(within, activity.wait_for(|now| now.undrained == 0 && now.running == 0)).await.is_ok()
    }

    /// Drains, waits until every publication has its outcome, and closes the links. All of this takes at most `within`, plus the close
    /// handshakes.
    ///
    /// Returns whether all calls were answered, all publications had their outcome, and all links closed in order.
    pub async fn shutdown(mut self, within: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + within;
        let answered = self.drain(within).await;
        let mut idle = self.idle.clone();
        let published = tokio::time::timeout_at(deadline, idle.wait_for(|idle| *idle)).await.is_ok();
        self.phase.send_replace(Phase::Closed);
        let closed = timeout(nodes::CLOSE_TIMEOUT * 2, &mut self.tasks).await.is_ok();
        answered && published && closed
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}
