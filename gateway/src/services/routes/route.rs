//! What holds for the calls of a service or of one of its methods.

use super::forwarded::ForwardedParts;
use crate::{
    services::caller::Caller,
    settings::{self, Callers, OrderedBy, Problems},
};
use gateway_core::model::{ConnectionId, Data, ErrorCode, JsonPointer, Refusal, find_texts};
use std::{sync::Arc, time::Duration};

/// Largest key in a call's data, in bytes.
const KEY_BYTES: usize = 255;

/// What holds for the calls of a service or of one of its methods.
#[derive(Clone, Debug)]
pub struct Route {
    /// Time limit for an answer.
    pub call_timeout: Duration,
    /// Limit of calls of a method that wait or are in flight at this node, and of calls of a service that are in flight.
    pub max_in_flight: usize,
    /// Limit of calls of one connection that wait or are in flight.
    pub in_flight_per_connection: usize,
    /// Limit of calls of one user that wait or are in flight at this node. Anonymous users have none.
    pub in_flight_per_user: usize,
    /// Which calls run one after the other.
    pub order: OrderedBy,
    /// Who may call.
    pub callers: Callers,
    /// What the service gets of the frontend's request.
    pub forwarded: ForwardedParts,
    /// Where the data of a call has its idempotency key.
    pub idempotency: Option<JsonPointer>,
    /// What answers a call.
    pub answered: AnsweredBy,
    /// How long an event may wait in its queue. None: for ever.
    pub expires_after: Option<Duration>,
}

/// What answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The service, with its reply.
    Service,
    /// The gateway, once the call is stored in the queue of the service.
    Queue,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(10),
            max_in_flight: 10_000,
            in_flight_per_connection: 10_000,
            in_flight_per_user: 10_000,
            order: OrderedBy::Connection,
            callers: Callers::Anyone,
            forwarded: ForwardedParts::default(),
            idempotency: None,
            answered: AnsweredBy::Service,
            expires_after: None,
        }
    }
}

/// What the calls with equal keys have in common: they run one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OrderKey {
    /// The connection.
    Connection(ConnectionId),
    /// A member of the calls' data.
    Member(Arc<str>),
}

/// The keys of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallKeys {
    /// `None`: the call keeps no order.
    pub(crate) order: Option<OrderKey>,
    /// `None`: the route asks for no idempotency key.
    pub(crate) idempotency: Option<Box<str>>,
}

impl Route {
    /// Checks the settings of one route. `key` is the table.
    pub fn new(key: &str, route: &settings::Route) -> Result<Self, Problems> {
        Ok(Self {
            call_timeout: route.call_timeout,
            max_in_flight: route.max_in_flight,
            in_flight_per_connection: route.in_flight_per_connection,
            in_flight_per_user: route.in_flight_per_user,
            order: route.order.clone(),
            callers: route.callers,
            forwarded: ForwardedParts::new(key, route)?,
            idempotency: route.idempotency.0.clone(),
            answered: if route.reply { AnsweredBy::Service } else { AnsweredBy::Queue },
            expires_after: Some(route.expires_after).filter(|time| !time.is_zero()),
        })
    }

    /// Whether this frontend may call.
    pub(crate) fn check_caller(&self, caller: &Caller) -> Result<(), Refusal> {
        let detail = match self.callers {
            Callers::Anyone => return Ok(()),
            Callers::Authenticated if !caller.user.is_anonymous() => return Ok(()),
            Callers::Authenticated => "Anonymous frontends may not call this. Connect with the token of a user.",
            Callers::Nobody => "No frontend may call this. The setting `callers` of the service decides.",
        };
        Err(Refusal::new(ErrorCode::PermissionDenied, detail))
    }

    /// The keys of a call. The data is scanned only if the route names a member of it.
    pub(crate) fn keys(&self, data: &Data, caller: &Caller) -> Result<CallKeys, Refusal> {
        self.find_keys(data, caller, self.idempotency.as_ref())
    }

    /// The order key of an event.
    pub(crate) fn order_key(&self, data: &Data, caller: &Caller) -> Result<Option<OrderKey>, Refusal> {
        Ok(self.find_keys(data, caller, None)?.order)
    }

    fn find_keys(&self, data: &Data, caller: &Caller, idempotency: Option<&JsonPointer>) -> Result<CallKeys, Refusal> {
        let ordered_by = match &self.order {
            OrderedBy::Member(pointer) => Some(pointer),
            OrderedBy::Connection | OrderedBy::Nothing => None,
        };
        let [order_text, idempotency_text] = find_texts(data.get(), [ordered_by, idempotency]).map_err(|error| {
            let detail = format!("The data of this call cannot be searched for its keys: it has {error}.");
            Refusal::new(ErrorCode::BadRequest, detail)
        })?;
        let order_text = ordered_by.map(|pointer| key_text(pointer, order_text, "the order key")).transpose()?;
        let order = match (&self.order, order_text) {
            (OrderedBy::Connection, _) => Some(OrderKey::Connection(caller.connection)),
            (_, text) => text.map(|text| OrderKey::Member(text.into())),
        };
        let idempotency = idempotency.map(|pointer| key_text(pointer, idempotency_text, "the idempotency key")).transpose()?;
        Ok(CallKeys { order, idempotency })
    }
}

fn key_text(pointer: &JsonPointer, found: Option<Box<str>>, what: &str) -> Result<Box<str>, Refusal> {
    found.filter(|text| (1..=KEY_BYTES).contains(&text.len())).ok_or_else(|| {
        let detail = format!("The data of this call needs {what} at {pointer}: a string of 1 to {KEY_BYTES} bytes, or a number.");
        Refusal::new(ErrorCode::BadRequest, detail)
    })
}

impl OrderKey {
    /// The key as services see it.
    pub(crate) fn text(&self) -> Arc<str> {
        match self {
            Self::Connection(connection) => connection.to_string().into(),
            Self::Member(text) => Arc::clone(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn route(order: &str, idempotency: &str) -> Route {
        let order = match order {
            "connection" => OrderedBy::Connection,
            "none" => OrderedBy::Nothing,
            pointer => OrderedBy::Member(pointer.parse().expect("a pointer")),
        };
        Route { order, idempotency: idempotency.parse().ok(), ..Route::default() }
    }

    fn keys(route: &Route, json: &str) -> Result<CallKeys, Refusal> {
        let raw: &RawValue = serde_json::from_str(json).expect("JSON");
        route.keys(&Data::parse(raw).expect("shallow"), &Caller::of("alice"))
    }

    #[test]
    fn the_route_names_the_keys() {
        let member = |text: &str| Some(OrderKey::Member(text.into()));
        for (order, idempotency, json, expected) in [
            ("none", "", "1", CallKeys::default()),
            ("/room", "", r#"{"room":"a","id":"1"}"#, CallKeys { order: member("a"), idempotency: None }),
            ("none", "/id", r#"{"room":"a","id":17}"#, CallKeys { order: None, idempotency: Some("17".into()) }),
            ("/a/room", "/id", r#"{"id":"1","a":{"room":2}}"#, CallKeys { order: member("2"), idempotency: Some("1".into()) }),
        ] {
            assert_eq!(keys(&route(order, idempotency), json), Ok(expected), "{json}");
        }
        let ordered = keys(&route("connection", "/id"), r#"{"id":"1"}"#).expect("valid");
        assert!(matches!(ordered.order, Some(OrderKey::Connection(_))) && ordered.idempotency.as_deref() == Some("1"));
    }

    #[test]
    fn data_without_its_key_is_refused_with_the_place() {
        let long = format!(r#"{{"room":"{}"}}"#, "x".repeat(256));
        for json in ["1", "{}", r#"{"room":null}"#, r#"{"room":{}}"#, r#"{"room":""}"#, &long] {
            for (route, what) in [(route("/room", ""), "the order key at /room"), (route("none", "/room"), "the idempotency key at /room")]
            {
                let refusal = keys(&route, json).expect_err(json);
                assert_eq!(refusal.code, ErrorCode::BadRequest);
                assert!(refusal.detail.contains(what), "{}", refusal.detail);
            }
        }
    }

    #[test]
    fn data_that_readers_take_differently_has_no_keys() {
        let refusal = keys(&route("/room", ""), r#"{"room":"a","\ud800":0,"room":"b"}"#).expect_err("half of a pair");
        assert!(refusal.code == ErrorCode::BadRequest && refusal.detail.contains("half of a surrogate pair"), "{}", refusal.detail);
    }

    #[test]
    fn callers_are_checked() {
        let is_allowed = |callers, user| Route { callers, ..Route::default() }.check_caller(&Caller::of(user)).is_ok();
        let each = [Callers::Nobody, Callers::Authenticated, Callers::Anyone];
        assert_eq!(each.map(|callers| is_allowed(callers, "")), [false, false, true]);
        assert_eq!(each.map(|callers| is_allowed(callers, "alice")), [false, true, true]);
    }
}
