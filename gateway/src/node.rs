//! What the REST interface and the connections share: one gateway process.

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

/// One gateway process. Built once from its parts; shared by all threads.
pub struct Node {
    /// Unique in the cluster.
    pub name: Arc<str>,
    /// What is the same for all sessions.
    pub rules: Arc<Rules>,
    /// Publications, history, presence.
    pub broker: Arc<Broker>,
    /// The way into channels.
    pub publisher: Publisher,
    /// Backends that frontends may call.
    pub services: Services,
    /// All nodes, and the connections they hold.
    pub cluster: Cluster,
    /// Who frontends are.
    pub tokens: Tokens,
    /// Who services are.
    pub api_keys: ApiKeys,
    /// Entries of one presence answer at most.
    pub presence_limit: usize,
    /// How long it is remembered that a user's tokens were revoked.
    pub revocation_ttl: Duration,
    /// Bytes of one history answer at most.
    pub history_bytes: usize,
    /// Bounds of the REST interface.
    pub api: ApiLimits,
    /// Whether this process can serve.
    pub health: Health,
    /// What the process counts.
    pub metrics: Arc<Metrics>,
}

/// Bounds of the REST interface.
#[derive(Clone, Copy, Debug)]
pub struct ApiLimits {
    /// Bytes of a request's body at most.
    pub body: usize,
    /// Publications of a batch at most.
    pub batch: usize,
    /// Publications of a page of history at most.
    pub history: usize,
    /// Channels of a page at most.
    pub channels: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self { body: 1 << 20, batch: 1000, history: 1000, channels: 1000 }
    }
}

/// What the process says of itself.
#[derive(Debug, Default)]
pub struct Health {
    draining: AtomicBool,
}

impl Health {
    /// From now on the node is not ready: it is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

/// What a node can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Everything.
    All,
    /// Some channels; why not the others.
    Some(Vec<String>),
    /// Nothing as it should; why.
    Nothing(Vec<String>),
}

impl Serves {
    fn of(broker: Readiness, mut others: Vec<String>) -> Self {
        match broker {
            Readiness::Ready if others.is_empty() => Self::All,
            Readiness::Partly(why) if others.is_empty() => Self::Some(vec![why.into()]),
            Readiness::Ready => Self::Nothing(others),
            Readiness::Partly(why) | Readiness::NotReady(why) => {
                others.insert(0, why.into());
                Self::Nothing(others)
            }
        }
    }
}

#[cfg(feature = "testing")]
impl Node {
    /// One for tests: with nobody else in its cluster, and no services.
    pub(crate) fn alone(broker: Arc<Broker>, mailboxes: Vec<Arc<crate::broker::Mailbox>>, rules: Rules) -> Self {
        use crate::{cluster::About, publish::PublishLimits, services::link::LinkLimits, settings::Settings, telemetry::Telemetry};
        static METRICS: std::sync::LazyLock<(Settings, Arc<Metrics>)> = std::sync::LazyLock::new(|| {
            let settings = Settings::from_toml("[tokens]\nanonymous = true\nhmac_secret = \"secret\"").expect("valid");
            let metrics = Telemetry::without_logs(&settings).expect("no endpoint").metrics().clone();
            (settings, metrics)
        });
        let (settings, metrics) = &*METRICS;
        let about = About { name: rules.node.clone(), link: "ws://n1".into(), public: "http://n1".into(), shared: [].into() };
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
    /// This life of the node, as one word: none before or after it has the same.
    pub fn holder(&self) -> Box<str> {
        // In memory connections end with the process, and their ids are their own.
        self.broker.nodes().map_or_else(|| Box::from(&*self.name), |nodes| nodes.holder().into())
    }

    /// What the node can serve now.
    pub fn serves(&self) -> Serves {
        let draining = self.health.is_draining().then(|| "This node is shutting down.".to_owned());
        Serves::of(self.broker.readiness(), draining.into_iter().chain(self.cluster.trouble().map(String::from)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_serves_some_channels_unless_something_else_stops_it() {
        let one = || vec!["one".to_owned()];
        for (broker, others, serves) in [
            (Readiness::Ready, vec![], Serves::All),
            (Readiness::Partly("one".into()), vec![], Serves::Some(one())),
            (Readiness::NotReady("one".into()), vec![], Serves::Nothing(one())),
            (Readiness::Ready, one(), Serves::Nothing(one())),
            (Readiness::Partly("two".into()), one(), Serves::Nothing(vec!["two".into(), "one".into()])),
        ] {
            assert_eq!(Serves::of(broker, others), serves);
        }
    }
}
