//! One gateway process: what the REST interface and the connections share.

use crate::{
    auth::{ApiKeys, Tokens},
    broker::{Broker, Readiness},
    cluster::Cluster,
    publish::Publisher,
    services::Services,
    telemetry::Metrics,
};
use gateway_core::session::Rules;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// One gateway process, shared by all threads.
pub struct Node {
    /// Unique in the cluster.
    pub name: Arc<str>,
    /// Configuration of all sessions.
    pub rules: Arc<Rules>,
    /// Publications, histories and presence.
    pub broker: Arc<Broker>,
    /// Publishes into channels.
    pub publisher: Publisher,
    /// The services that frontends may call.
    pub services: Services,
    /// All nodes of the cluster, and their connections.
    pub cluster: Cluster,
    /// Verifies tokens of frontends.
    pub tokens: Tokens,
    /// Verifies API keys of services.
    pub api_keys: ApiKeys,
    /// Largest number of entries in one answer with presence.
    pub presence_limit: usize,
    /// How long a revocation of a user's tokens is remembered.
    pub revocation_ttl: Duration,
    /// Largest answer with history, in bytes.
    pub history_bytes: usize,
    /// Limits of the REST interface.
    pub api: ApiLimits,
    /// Whether the process is shutting down.
    pub health: Health,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

/// Limits of the REST interface.
#[derive(Clone, Copy, Debug)]
pub struct ApiLimits {
    /// Largest body of a request, in bytes.
    pub body: usize,
    /// Publications in one batch.
    pub batch: usize,
    /// Publications in one page of history.
    pub history: usize,
    /// Channels in one page.
    pub channels: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self { body: 1 << 20, batch: 1000, history: 1000, channels: 1000 }
    }
}

/// State of the process for its probes.
#[derive(Debug, Default)]
pub struct Health {
    draining: AtomicBool,
}

impl Health {
    /// From now on the node is not ready, because it will stop.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

/// Which channels a node can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeReadiness {
    /// All.
    Ready,
    /// Some; the reasons for the others.
    Partial(Vec<String>),
    /// None; the reasons.
    NotReady(Vec<String>),
}

impl NodeReadiness {
    fn of(broker: Readiness, mut others: Vec<String>) -> Self {
        match broker {
            Readiness::Ready if others.is_empty() => Self::Ready,
            Readiness::Partly(why) if others.is_empty() => Self::Partial(vec![why.into()]),
            Readiness::Ready => Self::NotReady(others),
            Readiness::Partly(why) | Readiness::NotReady(why) => {
                others.insert(0, why.into());
                Self::NotReady(others)
            }
        }
    }
}

#[cfg(feature = "testing")]
impl Node {
    /// A node for tests, alone in its cluster and without services.
    pub(crate) fn alone(broker: Arc<Broker>, mailboxes: Vec<Arc<crate::broker::Mailbox>>, rules: Rules) -> Self {
        use crate::{cluster::NodeDescription, publish::PublishLimits, services::LinkLimits, settings::Settings, telemetry::Telemetry};
        static METRICS: std::sync::LazyLock<(Settings, Arc<Metrics>)> = std::sync::LazyLock::new(|| {
            let settings = Settings::from_toml("[tokens]\nanonymous = true\nhmac_secret = \"secret\"").expect("valid");
            let metrics = Telemetry::without_logs(&settings).expect("no endpoint").metrics().clone();
            (settings, metrics)
        });
        let (settings, metrics) = &*METRICS;
        let about = NodeDescription { name: rules.node.clone(), link: "ws://n1".into(), public: "http://n1".into(), shared: [].into() };
        Self {
            name: rules.node.clone(),
            publisher: Publisher::new(broker.clone(), rules.namespaces.clone(), PublishLimits::default()),
            rules: Arc::new(rules),
            broker,
            services: Services::new([], LinkLimits::default()),
            cluster: Cluster::single(about, mailboxes),
            tokens: Tokens::from(&settings.tokens),
            api_keys: ApiKeys::from(&*settings.api_keys),
            presence_limit: 100,
            revocation_ttl: std::time::Duration::from_hours(24),
            history_bytes: 1 << 20,
            api: ApiLimits::default(),
            health: Health::default(),
            metrics: metrics.clone(),
        }
    }
}

impl Node {
    /// The node and its generation, as one word.
    pub fn holder(&self) -> Box<str> {
        // With the memory broker, connections end with the process, and their ids are unique.
        self.broker.nodes().map_or_else(|| Box::from(&*self.name), |nodes| nodes.holder().into())
    }

    /// Which channels the node can serve now.
    pub fn readiness(&self) -> NodeReadiness {
        let draining = self.health.is_draining().then(|| "This node is shutting down.".to_owned());
        NodeReadiness::of(self.broker.readiness(), draining.into_iter().chain(self.cluster.problem().map(String::from)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_combines_the_broker_with_other_reasons() {
        let one = || vec!["one".to_owned()];
        for (broker, others, readiness) in [
            (Readiness::Ready, vec![], NodeReadiness::Ready),
            (Readiness::Partly("one".into()), vec![], NodeReadiness::Partial(one())),
            (Readiness::NotReady("one".into()), vec![], NodeReadiness::NotReady(one())),
            (Readiness::Ready, one(), NodeReadiness::NotReady(one())),
            (Readiness::Partly("two".into()), one(), NodeReadiness::NotReady(vec!["two".into(), "one".into()])),
        ] {
            assert_eq!(NodeReadiness::of(broker, others), readiness);
        }
    }
}
