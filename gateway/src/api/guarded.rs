//! Paths that need an API key: the scope that each method needs, and the audit log.

use super::{
    audit_line::{AuditLine, is_refusal},
    extract::Key,
    problem::ApiError,
    route::Path,
};
use crate::{
    auth::{ApiKey, Scope},
    node::Node,
};
use actix_web::{
    Error, FromRequest, Handler, HttpMessage, Resource, Responder,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::{Next, from_fn},
    web::Data,
};
use gateway_core::{
    limits::Limit,
    model::{ErrorCode, Refusal},
};
use shared_proto::http::PeerCertificate;
use std::{borrow::Cow, rc::Rc, sync::Arc};

/// A path whose methods need an API key with a scope.
pub(super) struct Guarded {
    path: Path,
    rules: Vec<Rule>,
}

/// What a method needs, and what the audit log says about it.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    method: Method,
    pub(super) scope: Scope,
    /// The name of an administrative action.
    pub(super) action: Option<&'static str>,
}

macro_rules! methods {
    ($($name:ident = $method:ident,)*) => {$(
        pub(super) fn $name<F, A>(self, scope: Scope, handler: F) -> Self
        where
            F: Handler<A>,
            A: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            let Self { path, mut rules } = self;
            rules.push(Rule { method: Method::$method, scope, action: None });
            Self { path: path.$name(handler), rules }
        }
    )*};
}

impl Guarded {
    pub(super) fn new(pattern: impl Into<Cow<'static, str>>) -> Self {
        Self { path: Path::new(pattern), rules: Vec::new() }
    }

    methods! { get = GET, post = POST, put = PUT, patch = PATCH, delete = DELETE, }

    /// Makes the last method an administrative action, so that each request has a line in the audit log.
    pub(super) fn audited(mut self, action: &'static str) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.action = Some(action);
        }
        self
    }

    /// The path, without its guard.
    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What a method needs. `None`: the path does not support it.
    #[cfg(test)]
    pub(super) fn rule(&self, method: &Method) -> Option<&Rule> {
        find(&self.rules, method)
    }

    pub(super) fn into_resource(
        self,
    ) -> Resource<impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>>
    {
        let rules: Rc<[Rule]> = self.rules.into();
        let guard = move |request: ServiceRequest, next: Next<BoxBody>| guard(Rc::clone(&rules), request, next);
        self.path.into_resource().wrap(from_fn(guard))
    }
}

fn find<'a>(rules: &'a [Rule], method: &Method) -> Option<&'a Rule> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    rules.iter().find(|rule| rule.method == *method)
}

/// Admits only requests with an API key that has the scope of the method, and stores the key for the handler. Handlers check the channels, users and
/// services. Then the audit log gets its line.
async fn guard(rules: Rc<[Rule]>, request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let rule = find(&rules, request.method());
    let (scope, action) = (rule.map(|rule| rule.scope), rule.and_then(|rule| rule.action));
    let found = find_key(&request);
    let admitted = found.clone().and_then(|key| scope.map_or(Ok(()), |scope| key.check(scope)).map(|()| key));
    let refused_as = action.or(scope.map(Scope::name)).unwrap_or("unsupported");
    let key = match admitted {
        Ok(key) => key,
        Err(refusal) => {
            let response = request.error_response(ApiError(refusal));
            AuditLine::begin(found.ok(), refused_as, response.request()).end(response.status());
            return Ok(response);
        }
    };
    if let Err(refusal) = admit(&request, &key) {
        return Ok(request.error_response(ApiError(refusal)));
    }
    let line = action.map(|action| AuditLine::begin(Some(Arc::clone(&key)), action, request.request()));
    request.extensions_mut().insert(Key(Arc::clone(&key)));
    let response = next.call(request).await?;
    match line {
        Some(line) => line.end(response.status()),
        None if is_refusal(response.status()) => AuditLine::begin(Some(key), refused_as, response.request()).end(response.status()),
        None => {}
    }
    Ok(response)
}

/// Refuses a request if there are too many with the key.
fn admit(request: &ServiceRequest, key: &ApiKey) -> Result<(), Refusal> {
    let node = request.app_data::<Data<Node>>().ok_or(ErrorCode::Internal)?;
    let admitted = node.key_rates.admit(key.name());
    if admitted.is_err() {
        node.metrics.limited(Limit::KeyRequests);
    }
    admitted
}

fn find_key(request: &ServiceRequest) -> Result<Arc<ApiKey>, Refusal> {
    let node = request.app_data::<Data<Node>>().ok_or(ErrorCode::Internal)?;
    let shown = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let certificate = request.conn_data::<PeerCertificate>().map(|PeerCertificate(der)| &**der);
    node.api_keys.authorize(shown, certificate)
}
