//! The limit of new connections per second.

use crate::{
    node::Node,
    transport::websocket::{Denial, append_refusal},
};
use gateway_core::{
    limits::{Limit, Meter, Rate},
    model::{ErrorCode, Refusal, Tick, lock},
};
use shared_proto::http::AcceptRate;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// The limit of new connections per second, for all workers together. `None`: there is none.
pub(super) fn accept_rate(rate: Option<Rate>, node: &Arc<Node>, retry_after: Duration) -> Option<AcceptRate> {
    let (rate, node, start, meter) = (rate?, node.clone(), Instant::now(), Mutex::new(Meter::default()));
    Some(AcceptRate {
        admit: Arc::new(move || lock(&meter).admit(rate, Tick(start.elapsed().as_millis() as u64), 1)),
        refusal: Arc::new(move || {
            node.metrics.limited(Limit::Accepts);
            // All who are refused now would otherwise come back at the same moment.
            refusal(retry_after.mul_f32(1.0 + rand::random::<f32>()))
        }),
    })
}

fn refusal(pause: Duration) -> Vec<u8> {
    let refusal =
        Refusal::new(ErrorCode::ConnectionLimit, "Too many clients connect to this node at this moment. Try another node, or try later.");
    let mut response = Vec::new();
    append_refusal(&Denial::retry_after(refusal, pause), &mut response);
    response
}
