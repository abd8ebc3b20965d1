//! The check for revocation while the store does not answer.

use super::operations::{Requester, RunningTask, TaskResult};
use super::*;
use crate::testing::redis_outage::silent_broker;
use gateway_core::{
    model::ConnectionId,
    session::{Op, OpId, Outcome},
};
use tokio::time::{Instant, timeout};

/// The half second is short against the five seconds that a client waits for a reply.
#[test]
fn a_token_is_accepted_after_half_a_second_without_an_answer() {
    run(default_bounds(), |world| async move {
        let node = Node { broker: Arc::new(silent_broker()), ..node(&world.mailbox, &default_bounds()) };
        let worker = Rc::new(WorkerContext::new(world.worker.hub.clone(), Arc::new(node), limits()));
        let connection = ConnectionId::random();
        let registration = worker.hub.register(connection, crate::hub::Protocol::Centrifuge(Encoding::JsonMessages));
        let claims = ConnectionClaims::of("alice".parse().expect("valid"));
        let token = worker.node.tokens.sign_connection(&claims, 0).expect("a key");
        let (key, request) = (registration.key(), KeptRequest::default());
        let requester = Requester { worker: worker.clone(), key, connection, info: None, traceparent: None, request, meta: None };
        let began = Instant::now();
        let task = RunningTask::operation(OpId(1), Op::Refresh { token }, requester);
        let result = timeout(Duration::from_secs(5), task.future).await.expect("before the client gives up");
        assert!(matches!(result, TaskResult::Operation(Outcome::Refreshed { user, .. }) if user.as_str() == "alice"));
        assert_eq!(began.elapsed().as_millis() / 10, 50);
    });
}
