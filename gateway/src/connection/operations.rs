//! What a session cannot do by itself: futures that end in an outcome, and are dropped when it is no longer wanted.

use super::{attach, worker::Worker};
use crate::{
    auth::{Accepted, ConnectionClaims, TokenError},
    broker::UserSubscription,
    hub::{Advance, ConnKey, Outbox},
    publish::Draft,
    services::{CallError, Caller},
    telemetry::OpenTask,
};
use gateway_core::{
    channel::recovery::is_known,
    model::{ChannelName, ClientInfo, Data, ErrorCode, Page, PageLimit, Position, RecoverFrom, Refusal, Span, Tags, UserId},
    session::{Identity, Op, OpId, Outcome, ServerSubscription},
};
use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::timeout;

/// The service's own timeout counts.
const FOREVER: Duration = Duration::from_hours(24);

/// For a look at whether a token was revoked, of a connection that is open: long for a Redis that works. While it is away its answer does not matter, and
/// the client is not to wait for it.
const LOOK: Duration = Duration::from_millis(500);

/// An operation in flight.
pub(super) struct Running {
    pub(super) task: Task,
    _open: OpenTask,
    pub(super) future: Pin<Box<dyn Future<Output = End>>>,
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The session waits for it.
    Operation(OpId),
    /// The connection catches up on this channel.
    CatchUp(ChannelName),
}

/// How it ended.
pub(super) enum End {
    Operation(Outcome),
    CatchUp(Advance),
}

/// Who wants it done.
pub(super) struct Requester {
    pub(super) worker: Rc<Worker>,
    pub(super) key: ConnKey,
    pub(super) info: Option<Arc<ClientInfo>>,
    pub(super) traceparent: Option<Box<str>>,
}

impl Running {
    pub(super) fn operation(id: OpId, op: Op, by: Requester) -> Self {
        let open = OpenTask::new(by.worker.hub.metrics());
        Self { task: Task::Operation(id), _open: open, future: Box::pin(async move { End::Operation(run(op, by).await) }) }
    }

    pub(super) fn catch_up(worker: Rc<Worker>, key: ConnKey, outbox: Rc<Outbox>, channel: ChannelName, after: u64) -> Self {
        let (task, open) = (Task::CatchUp(channel.clone()), OpenTask::new(worker.hub.metrics()));
        Self {
            task,
            _open: open,
            future: Box::pin(async move { End::CatchUp(attach::catch_up(worker, key, outbox, channel, after).await) }),
        }
    }
}

async fn run(op: Op, by: Requester) -> Outcome {
    let result = match op {
        Op::Attach(attach) => return attach::attach(by.worker, by.key, attach).await,
        Op::Authenticate { token } => return by.authenticate(&token),
        Op::Subscriptions { user, issued } => return by.subscriptions(&user, issued).await,
        Op::Refresh { token } => return by.refresh(&token).await,
        Op::Authorize { channel, token } => return by.authorize(&channel, &token).await,
        Op::Call { method, data } => return by.call(&method, data).await,
        Op::Event { service, data } => by.event(&service, data),
        Op::Publish { channel, data } => by.publish(channel, data).await,
        Op::Presence { channel } => by.presence(&channel).await,
        Op::PresenceStats { channel } => {
            by.worker.node.broker.presence_stats(&channel).await.map(Outcome::PresenceStats).map_err(Refusal::from)
        }
        Op::History { channel, since, limit, reverse } => by.history(&channel, since, limit, reverse).await,
    };
    result.unwrap_or_else(Outcome::Failed)
}

impl Requester {
    fn authenticate(&self, token: &str) -> Outcome {
        let node = &self.worker.node;
        let Accepted { claims, expires_in } = match node.tokens.verify_connection(token, unix_time()) {
            Ok(accepted) => accepted,
            Err(_) if token.is_empty() => {
                return Outcome::Failed(Refusal::new(ErrorCode::Unauthorized, "anonymous connections are not allowed; send a token"));
            }
            Err(error) => return refused(&error),
        };
        let ConnectionClaims { user, issued, info, channels, .. } = claims;
        Outcome::Authenticated(Box::new(Identity { user, issued, expires_in, info, channels }))
    }

    async fn subscriptions(&self, user: &UserId, issued: Option<u64>) -> Outcome {
        let broker = &self.worker.node.broker;
        let (stored, revoked) = futures_util::future::join(broker.user_subscriptions(user), broker.revoked(user)).await;
        match revoked.and_then(|revoked| Ok((stored?, revoked))) {
            Ok((_, Some(revoked))) if revoked.concerns(issued) => Outcome::Failed(revoked_since()),
            Ok((stored, _)) => {
                let now = unix_time();
                let left = |it: UserSubscription| ServerSubscription { expires_in: it.expires_in(now), channel: it.channel };
                Outcome::Subscriptions(stored.into_iter().map(left).collect())
            }
            Err(error) => Outcome::Failed(error.try_again()),
        }
    }

    async fn refresh(&self, token: &str) -> Outcome {
        match self.worker.node.tokens.verify_connection(token, unix_time()) {
            Ok(Accepted { claims, .. }) if self.is_revoked(&claims.user, claims.issued).await => Outcome::Failed(revoked_since()),
            Ok(Accepted { claims, expires_in }) => Outcome::Refreshed { issued: claims.issued, expires_in, user: claims.user },
            Err(error) => refused(&error),
        }
    }

    /// Whether a service has disconnected the user for good since a token was issued. Of a connection that is open, it is not while that cannot be read: else
    /// connections would end with an outage of the store, after which the node looks by itself whom it may have kept.
    async fn is_revoked(&self, user: &UserId, issued: Option<u64>) -> bool {
        if user.is_anonymous() {
            return false;
        }
        let why = match timeout(LOOK, self.worker.node.broker.revoked(user)).await {
            Ok(Ok(revoked)) => return revoked.is_some_and(|revoked| revoked.concerns(issued)),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::warn!(%user, why, "a token was taken without a look at whether it was revoked");
        false
    }

    async fn authorize(&self, channel: &ChannelName, token: &str) -> Outcome {
        let user = self.info.as_ref().map_or_else(UserId::anonymous, |info| info.user.clone());
        match self.worker.node.tokens.verify_subscription(token, unix_time()) {
            Ok(Accepted { claims, .. }) if claims.channel != *channel || claims.user != user => {
                let detail = "the subscription token is for another channel or user; get one for this channel and user";
                Outcome::Failed(Refusal::new(ErrorCode::PermissionDenied, detail))
            }
            Ok(Accepted { claims, .. }) if self.is_revoked(&user, claims.issued).await => Outcome::Failed(revoked_since()),
            Ok(Accepted { claims, expires_in }) => Outcome::Authorized { expires_in, info: claims.info },
            Err(TokenError::Expired) => Outcome::Failed(ErrorCode::TokenExpired.into()),
            Err(error) => Outcome::Failed(Refusal::new(ErrorCode::PermissionDenied, error.to_string())),
        }
    }

    async fn publish(&self, channel: ChannelName, data: Data) -> Result<Outcome, Refusal> {
        let info = self.info.as_deref().cloned().map(Box::new);
        let traceparent = self.traceparent.clone();
        let draft = Draft { channel, data, tags: Tags::new(), ephemeral: false, info, traceparent, key: None };
        self.worker.node.publisher.publish(draft).await.map(|_| Outcome::Published)
    }

    /// Everybody, or an error: the protocol has no way to say that some are left out.
    async fn presence(&self, channel: &ChannelName) -> Result<Outcome, Refusal> {
        let (broker, limit) = (&self.worker.node.broker, self.worker.node.presence_limit);
        let who = broker.presence(channel, limit.saturating_add(1)).await?;
        let bytes = who.iter().map(|info| info.size()).sum::<usize>();
        if who.len() > limit || bytes > self.worker.hub.answer_bytes() {
            let detail = "more are there than one answer holds: ask for presence_stats";
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        Ok(Outcome::Presence(who))
    }

    /// As many publications as are wanted and fit.
    async fn history(&self, channel: &ChannelName, since: Option<RecoverFrom>, limit: usize, reverse: bool) -> Result<Outcome, Refusal> {
        let node = &self.worker.node;
        let retention = node.rules.namespaces.options(channel).and_then(|options| options.retention).ok_or(ErrorCode::NotAvailable)?;
        let offset = since.as_ref().map(|since| since.offset);
        let span = match (limit, reverse) {
            (0, _) => Span::Top,
            (_, true) => Span::Before(offset),
            (_, false) => Span::After(offset.unwrap_or(0)),
        };
        let page = PageLimit { entries: limit, bytes: self.worker.hub.answer_bytes() };
        let Page { epoch, top, forks, publications } = node.broker.read(channel, retention, span, page).await?;
        if since.is_some_and(|since| !is_known(&since, epoch, &forks)) {
            return Err(ErrorCode::UnrecoverablePosition.into());
        }
        Ok(Outcome::History { position: Position { epoch, offset: top }, publications })
    }

    /// None before the connection has connected; then there are no calls.
    fn caller(&self) -> Result<Caller, Refusal> {
        let info = self.info.as_ref().ok_or(ErrorCode::Internal)?;
        let (user, connection, traceparent) = (info.user.clone(), info.client, self.traceparent.clone());
        Ok(Caller { user, connection, traceparent })
    }

    async fn call(&self, method: &str, data: Data) -> Outcome {
        let caller = match self.caller() {
            Ok(caller) => caller,
            Err(refusal) => return Outcome::Failed(refusal),
        };
        match self.worker.node.services.call(method, data, &caller, FOREVER).await {
            Ok(reply) => Outcome::Called(reply),
            Err(CallError::Refused(refusal)) => Outcome::Failed(refusal),
            Err(CallError::Service { code, message, temporary }) => Outcome::CallFailed { code, message, temporary },
        }
    }

    fn event(&self, service: &str, data: Data) -> Result<Outcome, Refusal> {
        self.worker.node.services.event(service, data, &self.caller()?).map(|()| Outcome::Sent)
    }
}

fn refused(error: &TokenError) -> Outcome {
    match error {
        TokenError::Expired => Outcome::Failed(ErrorCode::TokenExpired.into()),
        invalid @ TokenError::Invalid(_) => Outcome::InvalidToken(Refusal::new(ErrorCode::Unauthorized, invalid.to_string())),
    }
}

fn revoked_since() -> Refusal {
    let detail = "a service has disconnected this user; get a token that was issued since";
    Refusal::new(ErrorCode::TokenExpired, detail)
}

fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
