//! A path and its methods.

use super::problem;
use actix_web::{FromRequest, Handler, Resource, Responder, Route, guard, http::Method, web};
use std::borrow::Cow;

/// A path of the interface and its methods. Other methods get 405 with `Allow`.
pub(crate) struct Path {
    pub(super) pattern: Cow<'static, str>,
    methods: Vec<(Method, Route)>,
}

impl Path {
    pub(crate) fn new(pattern: impl Into<Cow<'static, str>>) -> Self {
        Self { pattern: pattern.into(), methods: Vec::new() }
    }

    pub(crate) fn get<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::GET, handler)
    }

    pub(crate) fn post<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, handler)
    }

    pub(super) fn put<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PUT, handler)
    }

    pub(super) fn patch<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PATCH, handler)
    }

    pub(super) fn delete<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::DELETE, handler)
    }

    pub(crate) fn options<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::OPTIONS, handler)
    }

    fn on<F, A>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let wanted = method.clone();
        let guard = guard::fn_guard(move |context| {
            let method = &context.head().method;
            *method == wanted || (wanted == Method::GET && *method == Method::HEAD)
        });
        self.methods.push((method, web::route().guard(guard).to(handler)));
        self
    }

    /// The value of `Allow`.
    pub(super) fn allowed(&self) -> String {
        let names = self.methods.iter().map(|(method, _)| if method == Method::GET { "GET, HEAD" } else { method.as_str() });
        names.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn into_resource(self) -> Resource {
        let allowed = self.allowed();
        let refuse = move || {
            let allowed = allowed.clone();
            async move { problem::method_not_allowed(&allowed) }
        };
        let resource = self.methods.into_iter().fold(web::resource(&*self.pattern), |resource, (_, route)| resource.route(route));
        resource.default_service(web::to(refuse))
    }
}
