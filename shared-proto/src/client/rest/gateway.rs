//! The REST client, which sends each request to one of several nodes.

use crate::client::transport::Connector;
use crate::{
    client::Failure,
    errors::ErrorCode,
    producer::Producer,
    rest::{
        BatchBody, BroadcastRequest, ChannelDetailBody, ChannelsBody, HistoryBody, NodesBody, PositionBody, PresenceBody,
        PresenceStatsBody, PublishItem, PublishRequest, SpanBody,
    },
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::header::HeaderValue;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

use super::{
    answer,
    config::{Config, ConfigError},
    request::{HistoryQuery, Publishing, Request},
};

/// How long a connection waits for the next request.
const IDLE: Duration = Duration::from_secs(90);

/// A client of the gateway's REST interface. A process needs only one, because it has a connection pool.
///
/// The client sends its requests to one node as long as that node answers, and then to the next one.
#[derive(Debug)]
pub struct Gateway {
    client: Client<Connector, Full<Bytes>>,
    bearer: HeaderValue,
    timeout: Duration,
    bases: Vec<Url>,
    pub(super) preferred: AtomicUsize,
}

impl Gateway {
    /// Checks the settings. Opens no connection yet.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let bases = config.urls.iter().map(|url| parse_base(url)).collect::<Result<Vec<_>, _>>()?;
        if bases.is_empty() {
            return Err(ConfigError::NoUrl);
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", config.api_key)).map_err(|_| ConfigError::BadKey)?;
        bearer.set_sensitive(true);
        let connector = Connector::new(&config.urls, &config.tls, config.connect_timeout)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(8)
            .build(connector);
        Ok(Self { client, bearer, timeout: config.timeout, bases, preferred: AtomicUsize::new(0) })
    }

    /// Publishes into a channel. Returns the position of the publication. Several publications need [`Gateway::publish_together`].
    pub async fn publish(&self, channel: &str, body: &PublishRequest, how: &Publishing<'_>) -> Result<PositionBody, Failure> {
        refuse_several(body)?;
        self.call(Request::post(&["v1", "channels", channel, "publications"], body, how)?).await
    }

    /// Stores 2 to 256 publications in a channel, all or none, with consecutive offsets. An idempotency key or a producer's number counts for
    /// all of them.
    pub async fn publish_together(
        &self,
        channel: &str,
        publications: Vec<PublishItem>,
        producer: Option<Producer>,
        how: &Publishing<'_>,
    ) -> Result<SpanBody, Failure> {
        let body = PublishRequest { publications: Some(publications), producer, ..PublishRequest::default() };
        self.call(Request::post(&["v1", "channels", channel, "publications"], &body, how)?).await
    }

    /// Publishes the same into many channels or users. Returns a result for each, in their order. An idempotency key counts for each channel, so
    /// a repeat with the same key publishes only what is missing.
    pub async fn broadcast(&self, body: &BroadcastRequest, how: &Publishing<'_>) -> Result<BatchBody, Failure> {
        self.call(Request::post(&["v1", "broadcasts"], body, how)?).await
    }

    /// Publishes into the user's personal channel, which all of the user's devices receive.
    pub async fn message(&self, user: &str, body: &PublishRequest, how: &Publishing<'_>) -> Result<PositionBody, Failure> {
        refuse_several(body)?;
        self.call(Request::post(&["v1", "users", user, "messages"], body, how)?).await
    }

    /// Reads a page of a channel's history.
    pub async fn history(&self, channel: &str, query: &HistoryQuery) -> Result<HistoryBody, Failure> {
        self.call(Request::get(&["v1", "channels", channel, "publications"], query.pairs())?).await
    }

    /// The current subscribers of a channel.
    pub async fn presence(&self, channel: &str) -> Result<PresenceBody, Failure> {
        self.call(Request::get(&["v1", "channels", channel, "presence"], Vec::new())?).await
    }

    /// The number of a channel's subscribers, and of different users among them.
    pub async fn presence_stats(&self, channel: &str) -> Result<PresenceStatsBody, Failure> {
        self.call(Request::get(&["v1", "channels", channel, "presence"], vec![("stats", "true".to_owned())])?).await
    }

    /// The number of a channel's subscribers, and its position.
    pub async fn channel(&self, channel: &str) -> Result<ChannelDetailBody, Failure> {
        self.call(Request::get(&["v1", "channels", channel], Vec::new())?).await
    }

    /// The nodes of the cluster.
    pub async fn nodes(&self) -> Result<NodesBody, Failure> {
        self.call(Request::get(&["v1", "nodes"], Vec::new())?).await
    }

    /// A page of the active channels whose name matches `pattern`. `*` in the pattern matches any text.
    pub async fn channels(&self, pattern: &str, after: Option<&str>) -> Result<ChannelsBody, Failure> {
        let mut query = vec![("pattern", pattern.to_owned())];
        query.extend(after.map(|last| ("after", last.to_owned())));
        self.call(Request::get(&["v1", "channels"], query)?).await
    }

    /// Sends a request to the preferred node. If that node did not carry it out, sends it to the next ones.
    async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failure = Failure::unreachable("no node was tried");
        for turn in 0..self.bases.len() {
            let node = (first + turn) % self.bases.len();
            match self.send(&self.bases[node], &request).await {
                Err(error) if may_succeed_elsewhere(&error) => failure = error,
                // The node may have carried out this request, so the caller decides about a repeat. Later requests go to the next node.
                Err(error @ Failure::Unknown { .. }) => {
                    self.preferred.store((node + 1) % self.bases.len(), Ordering::Relaxed);
                    return Err(error);
                }
                answer => {
                    self.preferred.store(node, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(failure)
    }

    async fn send<T: DeserializeOwned>(&self, base: &Url, request: &Request) -> Result<T, Failure> {
        let read_only = request.method == Method::GET;
        let request = request.build(base, &self.bearer)?;
        let answered = timeout(self.timeout, async {
            match self.client.request(request).await {
                Ok(response) => answer::read(response, read_only).await,
                Err(error) => Err(answer::classify(&error, read_only)),
            }
        });
        answered.await.unwrap_or_else(|_| Err(answer::unanswered(format!("no whole answer within {:?}", self.timeout), read_only)))
    }
}

/// Whether another node may carry out a request that this node certainly did not carry out.
fn may_succeed_elsewhere(failure: &Failure) -> bool {
    matches!(failure, Failure::NotDone { code, .. } if code == "unreachable") || failure.is(ErrorCode::Draining)
}

/// Refuses a body whose answer is a span of positions and not one position.
fn refuse_several(body: &PublishRequest) -> Result<(), Failure> {
    match body.publications {
        Some(_) => Err(Failure::refused(ErrorCode::BadRequest, "`publications` need `Gateway::publish_together`")),
        None => Ok(()),
    }
}

fn parse_base(text: &str) -> Result<Url, ConfigError> {
    let bad = || ConfigError::BadUrl(text.to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() { Ok(url) } else { Err(bad()) }
}
