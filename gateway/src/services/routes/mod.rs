//! Routes: what holds for the calls of a service or of one of its methods.
//!
//! - [`route`]: one route; [`route_table`]: the routes of a service; [`call_limits`]: the calls of a route that wait or are in flight
//! - [`method`]: the service and the method that a frontend names; [`forwarded`]: headers and addresses of frontends that services get

pub(super) mod call_limits;
pub(super) mod forwarded;
pub(super) mod method;
pub(super) mod route;
pub(super) mod route_table;
