//! The routes of one service.

use super::{call_limits::CallLimits, route::Route};
use std::collections::HashMap;

/// A route and the calls on it.
pub(crate) struct ActiveRoute {
    pub(crate) route: Route,
    pub(crate) limits: CallLimits,
}

/// The routes of one service. A method with a route of its own counts its calls alone.
pub(crate) struct RouteTable {
    default: ActiveRoute,
    methods: HashMap<Box<str>, ActiveRoute>,
}

impl RouteTable {
    pub(crate) fn new(default: Route, methods: impl IntoIterator<Item = (Box<str>, Route)>) -> Self {
        let of_method = |route: Route| ActiveRoute { limits: CallLimits::new(&route, route.max_in_flight), route };
        // The instances or targets of the service have its limit of all calls.
        let default = ActiveRoute { limits: CallLimits::new(&default, usize::MAX), route: default };
        Self { default, methods: methods.into_iter().map(|(name, route)| (name, of_method(route))).collect() }
    }

    /// The route of the service's events, and of methods without one of their own.
    pub(crate) fn default(&self) -> &Route {
        &self.default.route
    }

    /// All routes.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Route> {
        std::iter::once(&self.default).chain(self.methods.values()).map(|active| &active.route)
    }

    /// The route of a method.
    pub(crate) fn of(&self, method: &str) -> &ActiveRoute {
        self.methods.get(method).unwrap_or(&self.default)
    }
}
