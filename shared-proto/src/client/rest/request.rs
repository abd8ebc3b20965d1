//! One request, independent of the node that it goes to.

use crate::client::Failure;
use crate::errors::ErrorCode;
use crate::rest::PositionBody;
use reqwest::{Client, Method, RequestBuilder, Url};
use serde::Serialize;

/// What goes with a publication beside its body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Publishing<'a> {
    /// Sent again under the same key, the publication is stored once.
    pub idempotency_key: Option<&'a str>,
    /// W3C trace context.
    pub traceparent: Option<&'a str>,
}

impl<'a> Publishing<'a> {
    /// With this idempotency key and nothing else.
    pub fn keyed(key: &'a str) -> Self {
        Self { idempotency_key: Some(key), traceparent: None }
    }
}

/// In which order history comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// Which page of a channel's history is wanted.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// Publications after this position (ascending) or before it (descending).
    pub since: Option<PositionBody>,
    /// How many at most; the gateway has a bound of its own.
    pub limit: Option<u32>,
    /// In which order.
    pub order: Order,
}

impl HistoryQuery {
    /// The newest `limit` publications, newest first.
    pub fn newest(limit: u32) -> Self {
        Self { since: None, limit: Some(limit), order: Order::Descending }
    }

    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        pairs.extend(self.since.as_ref().map(|at| ("since", format!("{}:{}", at.epoch, at.offset))));
        pairs.extend(self.limit.map(|limit| ("limit", limit.to_string())));
        if self.order == Order::Descending {
            pairs.push(("order", "desc".to_owned()));
        }
        pairs
    }
}

/// Path, query, headers and body; the same for every node.
pub(super) struct Request {
    pub(super) method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

impl Request {
    /// Refused where no URL has such a path.
    pub(super) fn get(path: &[&str], query: Vec<(&'static str, String)>) -> Result<Self, Failure> {
        Ok(Self { method: Method::GET, path: segments(path)?, query, headers: Vec::new(), body: None })
    }

    /// Refused where no URL has such a path, or the body cannot be written as JSON.
    pub(super) fn post(path: &[&str], body: &impl Serialize, how: &Publishing<'_>) -> Result<Self, Failure> {
        let body = serde_json::to_string(body).map_err(|error| refused(error.to_string()))?;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(how.idempotency_key.map(|key| ("idempotency-key", key.to_owned())));
        headers.extend(how.traceparent.map(|parent| ("traceparent", parent.to_owned())));
        Ok(Self { method: Method::POST, path: segments(path)?, query: Vec::new(), headers, body: Some(body) })
    }

    pub(super) fn on(&self, client: &Client, base: &Url) -> RequestBuilder {
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut builder = client.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            builder = builder.header(*name, value);
        }
        match &self.body {
            Some(body) => builder.body(body.clone()),
            None => builder,
        }
    }
}

/// Segments of a path. What a URL would drop (`.`, `..`, line breaks) is refused, since the request would go to another path.
fn segments(path: &[&str]) -> Result<Vec<String>, Failure> {
    let is_kept = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\t', '\n', '\r']);
    let segment = |part: &&str| if is_kept(part) { Ok((*part).to_owned()) } else { Err(refused(format!("{part:?} is no name"))) };
    path.iter().map(segment).collect()
}

fn refused(detail: String) -> Failure {
    Failure::Refused { code: ErrorCode::BadRequest.row().name.into(), detail }
}
