//! A request, independent of the node to which it is sent.

use crate::client::Failure;
use crate::errors::ErrorCode;
use crate::rest::PositionBody;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Method, Request as HttpRequest};
use serde::Serialize;
use url::Url;

/// The headers of a request to publish.
#[derive(Debug, Clone, Copy, Default)]
pub struct Publishing<'a> {
    /// Publications with the same key are stored once.
    pub idempotency_key: Option<&'a str>,
    /// W3C trace context.
    pub traceparent: Option<&'a str>,
}

impl<'a> Publishing<'a> {
    /// With an idempotency key and without a trace context.
    pub fn keyed(key: &'a str) -> Self {
        Self { idempotency_key: Some(key), traceparent: None }
    }
}

/// The order of publications in a page of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// Selects a page of a channel's history.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// Publications after this position (ascending) or before it (descending).
    pub since: Option<PositionBody>,
    /// Maximum number of publications. The gateway has its own limit.
    pub limit: Option<u32>,
    /// The order of the publications.
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

/// Path, query, headers and body. They are the same for every node.
pub(super) struct Request {
    pub(super) method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

impl Request {
    /// Fails if a URL cannot contain the path.
    pub(super) fn get(path: &[&str], query: Vec<(&'static str, String)>) -> Result<Self, Failure> {
        Ok(Self { method: Method::GET, path: segments(path)?, query, headers: Vec::new(), body: None })
    }

    /// Fails if a URL cannot contain the path, or if the body cannot be serialised as JSON.
    pub(super) fn post(path: &[&str], body: &impl Serialize, how: &Publishing<'_>) -> Result<Self, Failure> {
        let body = serde_json::to_string(body).map_err(|error| refused(error.to_string()))?;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(how.idempotency_key.map(|key| ("idempotency-key", key.to_owned())));
        headers.extend(how.traceparent.map(|parent| ("traceparent", parent.to_owned())));
        Ok(Self { method: Method::POST, path: segments(path)?, query: Vec::new(), headers, body: Some(body) })
    }

    /// Builds the request to the node at `base`. Fails if HTTP does not allow a header.
    pub(super) fn build(&self, base: &Url, bearer: &HeaderValue) -> Result<HttpRequest<Full<Bytes>>, Failure> {
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut builder = HttpRequest::builder().method(self.method.clone()).uri(url.as_str()).header(AUTHORIZATION, bearer);
        for (name, value) in &self.headers {
            builder = builder.header(*name, value);
        }
        let body = self.body.clone().map_or_else(Full::default, |body| Full::new(body.into()));
        builder.body(body).map_err(|error| refused(error.to_string()))
    }
}

/// Checks the segments of a path. A URL drops some texts (`.`, `..`, line breaks); they are refused, because the request would go to another path.
fn segments(path: &[&str]) -> Result<Vec<String>, Failure> {
    let is_valid = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\t', '\n', '\r']);
    let segment = |part: &&str| if is_valid(part) { Ok((*part).to_owned()) } else { Err(refused(format!("{part:?} is not a valid name"))) };
    path.iter().map(segment).collect()
}

fn refused(detail: String) -> Failure {
    Failure::refused(ErrorCode::BadRequest, detail)
}
