//! Operations in flight. Each is a future with an outcome; dropping the future cancels the operation.

use super::{super::worker_context::WorkerContext, attach, requester::Requester};
use crate::{
    hub::{CatchUpStep, ConnKey, Outbox},
    telemetry::OpenTask,
};
use gateway_core::{
    model::{ChannelName, Refusal},
    session::{Op, OpId, Outcome},
};
use std::{future::Future, pin::Pin, rc::Rc};

/// An operation in flight.
pub(in super::super) struct RunningTask {
    pub(in super::super) task: TaskId,
    _open: OpenTask,
    pub(in super::super) future: Pin<Box<dyn Future<Output = TaskResult>>>,
}

/// Identifies a running operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum TaskId {
    /// An operation that the session started.
    Operation(OpId),
    /// The catch-up on this channel.
    CatchUp(ChannelName),
}

/// The result of a running operation.
pub(in super::super) enum TaskResult {
    Operation(Outcome),
    CatchUp(CatchUpStep),
}

impl RunningTask {
    pub(in super::super) fn operation(id: OpId, op: Op, requester: Requester) -> Self {
        let open = OpenTask::new(requester.worker.hub.metrics());
        Self { task: TaskId::Operation(id), _open: open, future: Box::pin(async move { TaskResult::Operation(run(op, requester).await) }) }
    }

    pub(in super::super) fn catch_up(
        worker: Rc<WorkerContext>,
        key: ConnKey,
        outbox: Rc<Outbox>,
        channel: ChannelName,
        after: u64,
    ) -> Self {
        let (task, open) = (TaskId::CatchUp(channel.clone()), OpenTask::new(worker.hub.metrics()));
        Self {
            task,
            _open: open,
            future: Box::pin(async move { TaskResult::CatchUp(attach::catch_up(worker, key, outbox, channel, after).await) }),
        }
    }
}

async fn run(op: Op, requester: Requester) -> Outcome {
    let result = match op {
        Op::Attach(attach) => return attach::attach(requester.worker, requester.key, attach).await,
        Op::Authenticate(question) => return requester.authenticate(question).await,
        Op::AskConnect(question) => return requester.ask_connect(question).await,
        Op::AskSubscribe { channel, data, within, occasion } => return requester.ask_subscribe(&channel, data, within, occasion).await,
        Op::Subscriptions(token) => return requester.subscriptions(&token).await,
        Op::Refresh { token } => return requester.refresh(token.expose()).await,
        Op::Authorize { channel, token } => return requester.authorize(&channel, token.expose()).await,
        Op::Call { method, data } => return requester.call(&method, data).await,
        Op::Event { service, data } => requester.event(&service, data).await,
        Op::Publish { channel, content, tags } => return requester.publish(channel, content, tags).await,
        Op::PublishReply { channel, content, tags } => return requester.publish_reply(channel, content, tags).await,
        Op::Presence { channel } => requester.presence(&channel).await,
        Op::PresenceStats { channel } => {
            requester.worker.hub.reads().presence().stats(&channel).await.map(Outcome::PresenceStats).map_err(Refusal::from)
        }
        Op::History { channel, since, limit, reverse } => requester.history(&channel, since, limit, reverse).await,
    };
    result.unwrap_or_else(Outcome::Failed)
}
