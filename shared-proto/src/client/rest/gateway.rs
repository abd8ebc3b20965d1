//! The client: requests go to one of several nodes.

use crate::{
    client::Failure,
    errors::ErrorCode,
    rest::{ChannelDetailBody, ChannelsBody, HistoryBody, NodesBody, PositionBody, PresenceBody, PublishRequest},
};
use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    answer,
    config::{Config, ConfigError},
    request::{HistoryQuery, Publishing, Request},
};

/// A client of the gateway's REST interface. One per process is enough: it keeps a pool of connections.
///
/// Requests go to one node as long as it can be reached and answers, else to the next.
#[derive(Debug)]
pub struct Gateway {
    client: Client,
    bases: Vec<Url>,
    pub(super) preferred: AtomicUsize,
}

impl Gateway {
    /// Checks the settings; connects to nothing yet.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let bases = config.urls.iter().map(|url| parse_base(url)).collect::<Result<Vec<_>, _>>()?;
        if bases.is_empty() {
            return Err(ConfigError::NoUrl);
        }
        let mut bearer = reqwest::header::HeaderValue::from_str(&format!("Bearer {}", config.api_key)).map_err(|_| ConfigError::BadKey)?;
        bearer.set_sensitive(true);
        let headers = [(reqwest::header::AUTHORIZATION, bearer)].into_iter().collect();
        let client = Client::builder()
            .default_headers(headers)
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .pool_max_idle_per_host(8)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { client, bases, preferred: AtomicUsize::new(0) })
    }

    /// Publishes into a channel; answers where the publication stands.
    pub async fn publish(&self, channel: &str, body: &PublishRequest, how: &Publishing<'_>) -> Result<PositionBody, Failure> {
        self.call(Request::post(&["v1", "channels", channel, "publications"], body, how)?).await
    }

    /// Publishes into the user's personal channel, which all of the user's devices receive.
    pub async fn message(&self, user: &str, body: &PublishRequest, how: &Publishing<'_>) -> Result<PositionBody, Failure> {
        self.call(Request::post(&["v1", "users", user, "messages"], body, how)?).await
    }

    /// Reads a page of a channel's history.
    pub async fn history(&self, channel: &str, query: &HistoryQuery) -> Result<HistoryBody, Failure> {
        self.call(Request::get(&["v1", "channels", channel, "publications"], query.pairs())?).await
    }

    /// Who is subscribed to a channel now.
    pub async fn presence(&self, channel: &str) -> Result<PresenceBody, Failure> {
        self.call(Request::get(&["v1", "channels", channel, "presence"], Vec::new())?).await
    }

    /// How many are subscribed to a channel, and its position.
    pub async fn channel(&self, channel: &str) -> Result<ChannelDetailBody, Failure> {
        self.call(Request::get(&["v1", "channels", channel], Vec::new())?).await
    }

    /// The nodes, and since when each is there.
    pub async fn nodes(&self) -> Result<NodesBody, Failure> {
        self.call(Request::get(&["v1", "nodes"], Vec::new())?).await
    }

    /// A page of the active channels whose name matches `pattern`, in which `*` stands for anything.
    pub async fn channels(&self, pattern: &str, after: Option<&str>) -> Result<ChannelsBody, Failure> {
        let mut query = vec![("pattern", pattern.to_owned())];
        query.extend(after.map(|last| ("after", last.to_owned())));
        self.call(Request::get(&["v1", "channels"], query)?).await
    }

    /// Sends to the preferred node, and on to the next ones while it is certain that nothing was done.
    async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failure = Failure::unreachable("no node was tried");
        for turn in 0..self.bases.len() {
            let node = (first + turn) % self.bases.len();
            match self.send(&self.bases[node], &request).await {
                Err(error) if elsewhere(&error) => failure = error,
                // This request may have been carried out and is its caller's to repeat; the next ones need not wait for that node too.
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
        match request.on(&self.client, base).send().await {
            Ok(response) => answer::read(response, read_only).await,
            Err(error) => Err(answer::judge(&error, read_only)),
        }
    }
}

/// Whether another node may succeed where this one did not, without any risk of doing the work twice.
fn elsewhere(failure: &Failure) -> bool {
    matches!(failure, Failure::NotDone { code, .. } if code == "unreachable") || failure.is(ErrorCode::Draining)
}

fn parse_base(text: &str) -> Result<Url, ConfigError> {
    let bad = || ConfigError::BadUrl(text.to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    if url.scheme() == "http" && url.has_host() && url.query().is_none() { Ok(url) } else { Err(bad()) }
}
