//! The line of a request in the audit log.

use crate::{auth::ApiKey, node::Node, telemetry::AuditEntry};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::StatusCode, web::Data};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::{Ready, ready},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
};

/// The line of a request. It is written when it is dropped: a request whose caller goes before the answer may have been carried out.
pub(super) struct AuditLine {
    node: Option<Data<Node>>,
    key: Option<Arc<ApiKey>>,
    action: Action,
    subject: Box<str>,
    from: Option<IpAddr>,
    request_id: Option<Box<str>>,
    status: Option<StatusCode>,
}

impl AuditLine {
    /// Begins the line. The handler may change the action with [`Action`].
    pub(super) fn begin(key: Option<Arc<ApiKey>>, action: &'static str, request: &HttpRequest) -> Self {
        let action = request.extensions().get::<Action>().cloned().unwrap_or_else(|| Action::new(action));
        request.extensions_mut().insert(action.clone());
        Self {
            node: request.app_data::<Data<Node>>().cloned(),
            key,
            action,
            subject: request.path().into(),
            from: request.peer_addr().map(|address| address.ip()),
            request_id: request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(Into::into),
            status: None,
        }
    }

    /// Writes the line, with the status of the answer.
    pub(super) fn end(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for AuditLine {
    fn drop(&mut self) {
        let Some(node) = &self.node else { return };
        let concerned = self.action.0.subject.take();
        let entry = AuditEntry {
            key: self.key.as_deref().map(ApiKey::name),
            action: self.action.0.name.get(),
            subject: concerned.as_deref().unwrap_or(&self.subject),
            status: self.status.map(|status| status.as_u16()),
            from: self.from,
            request_id: self.request_id.as_deref(),
        };
        if self.status.is_some_and(is_refusal) { node.audit.refused(&entry) } else { node.audit.done(&entry) }
    }
}

/// Whether an answer refuses a request because of its key.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Lets a handler name the action and its subject, if method and path alone do not say them.
#[derive(Clone)]
pub(super) struct Action(Rc<Description>);

struct Description {
    name: Cell<&'static str>,
    subject: RefCell<Option<Box<str>>>,
}

impl Action {
    fn new(name: &'static str) -> Self {
        Self(Rc::new(Description { name: Cell::new(name), subject: RefCell::default() }))
    }

    pub(super) fn is(&self, action: &'static str) {
        self.0.name.set(action);
    }

    /// What the request is about, in place of its path.
    pub(super) fn concerns(&self, subject: &impl ToString) {
        self.0.subject.replace(Some(subject.to_string().into()));
    }
}

impl FromRequest for Action {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self::new(""))))
    }
}
