//! What each operation does. `guarded` has those about which services decide.

use super::super::worker_context::WorkerContext;
use crate::{
    auth::{ConnectionClaims, TokenError, VerifiedToken},
    broker::UserSubscription,
    hub::ConnKey,
    services::{CallError, Caller, KeptRequest, Reply, TokenCheck},
};
use gateway_core::{
    channel::recovery::is_known,
    model::{
        ChannelName, ClientInfo, ConnectionId, Data, ErrorCode, Meta, Page, PageLimit, Position, ReadRange, RecoverFrom, Refusal, UserId,
    },
    session::{Identity, Outcome, ServerSubscription},
};
use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::timeout;

/// The connection sets no limit of its own for a call. The shorter of this and the service's `call_timeout` applies, and `call_timeout` is
/// at most 10 minutes.
const NO_TIMEOUT: Duration = Duration::from_hours(24);

/// Longest time to read a user's revocation for an open connection. A working Redis answers much sooner, and the client should not wait for one that
/// does not work.
const REVOCATION_TIMEOUT: Duration = Duration::from_millis(500);

/// The connection that requests an operation.
pub(in super::super) struct Requester {
    pub(in super::super) worker: Rc<WorkerContext>,
    pub(in super::super) key: ConnKey,
    pub(in super::super) connection: ConnectionId,
    pub(in super::super) info: Option<Arc<ClientInfo>>,
    pub(in super::super) traceparent: Option<Box<str>>,
    pub(in super::super) request: KeptRequest,
    pub(in super::super) meta: Option<Meta>,
}

impl Requester {
    /// Checks a connection token.
    pub(super) fn authenticate_by_token(&self, token: &str) -> Outcome {
        let node = &self.worker.node;
        let VerifiedToken { claims, expires_in } = match node.tokens.verify_connection(token, unix_time()) {
            Ok(accepted) => accepted,
            Err(_) if token.is_empty() => {
                return Outcome::Failed(Refusal::new(ErrorCode::Unauthorized, "anonymous connections are not allowed; send a token"));
            }
            Err(error) => return token_refused(&error),
        };
        let ConnectionClaims { user, issued, info, channels, .. } = claims;
        Outcome::Authenticated(Box::new(Identity { user, issued, expires_in, info, channels, permit: None }))
    }

    pub(super) async fn subscriptions(&self, user: &UserId, issued: Option<u64>) -> Outcome {
        let broker = &self.worker.node.broker;
        let (stored, revoked) = futures_util::future::join(broker.user_subscriptions(user), broker.revoked(user)).await;
        match revoked.and_then(|revoked| Ok((stored?, revoked))) {
            Ok((stored, revoked)) => {
                if let Some(revoked) = revoked {
                    self.worker.node.services.forget_answers(user, revoked.until);
                    if revoked.applies_to(issued) {
                        return Outcome::Failed(revoked_refusal());
                    }
                }
                let now = unix_time();
                let subscription = |it: UserSubscription| ServerSubscription { expires_in: it.expires_in(now), channel: it.channel };
                Outcome::Subscriptions(stored.into_iter().map(subscription).collect())
            }
            Err(error) => Outcome::Failed(error.try_again()),
        }
    }

    pub(super) async fn refresh(&self, token: &str) -> Outcome {
        if self.worker.node.services.connect_guard().is_some_and(|guard| guard.tokens == TokenCheck::Never) {
            let detail = "the gateway does not check tokens here; the service that let the connection in is asked by itself";
            return Outcome::Failed(Refusal::new(ErrorCode::NotAvailable, detail));
        }
        match self.worker.node.tokens.verify_connection(token, unix_time()) {
            Ok(VerifiedToken { claims, .. }) if self.is_revoked(&claims.user, claims.issued).await => Outcome::Failed(revoked_refusal()),
            Ok(VerifiedToken { claims, expires_in }) => Outcome::Refreshed { issued: claims.issued, expires_in, user: claims.user },
            Err(error) => token_refused(&error),
        }
    }

    /// Whether a service has disconnected the user for good since the token was issued.
    ///
    /// Returns false if the revocation cannot be read: an outage of the store must not close open connections. After the outage the node checks the
    /// revocations of all its users.
    async fn is_revoked(&self, user: &UserId, issued: Option<u64>) -> bool {
        if user.is_anonymous() {
            return false;
        }
        let error = match timeout(REVOCATION_TIMEOUT, self.worker.node.broker.revoked(user)).await {
            Ok(Ok(revoked)) => return revoked.is_some_and(|revoked| revoked.applies_to(issued)),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::warn!(%user, error, "accepted a token without a check for revocation, because the revocation cannot be read");
        false
    }

    pub(super) async fn authorize(&self, channel: &ChannelName, token: &str) -> Outcome {
        let user = self.info.as_ref().map_or_else(UserId::anonymous, |info| info.user.clone());
        match self.worker.node.tokens.verify_subscription(token, unix_time()) {
            Ok(VerifiedToken { claims, .. }) if claims.channel != *channel || claims.user != user => {
                let detail = "the subscription token is for another channel or user; get one for this channel and user";
                Outcome::Failed(Refusal::new(ErrorCode::PermissionDenied, detail))
            }
            Ok(VerifiedToken { claims, .. }) if self.is_revoked(&user, claims.issued).await => Outcome::Failed(revoked_refusal()),
            Ok(VerifiedToken { claims, expires_in }) => Outcome::Authorized { expires_in, info: claims.info },
            Err(TokenError::Expired) => Outcome::Failed(ErrorCode::TokenExpired.into()),
            Err(error) => Outcome::Failed(Refusal::new(ErrorCode::PermissionDenied, error.to_string())),
        }
    }

    /// Returns all present connections, or an error. The protocol cannot mark a list as incomplete.
    pub(super) async fn presence(&self, channel: &ChannelName) -> Result<Outcome, Refusal> {
        let (broker, limit) = (&self.worker.node.broker, self.worker.node.presence_limit);
        let present = broker.presence(channel, limit.saturating_add(1)).await?;
        let bytes = present.iter().map(|info| info.size()).sum::<usize>();
        if present.len() > limit || bytes > self.worker.hub.answer_bytes() {
            let detail = "the presence list is too large for one reply; request presence_stats instead";
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        Ok(Outcome::Presence(present))
    }

    /// Returns up to `limit` publications, as far as they fit into one reply.
    pub(super) async fn history(
        &self,
        channel: &ChannelName,
        since: Option<RecoverFrom>,
        limit: usize,
        reverse: bool,
    ) -> Result<Outcome, Refusal> {
        let node = &self.worker.node;
        let retention =
            node.session_config.namespaces.options(channel).and_then(|options| options.retention).ok_or(ErrorCode::NotAvailable)?;
        let offset = since.as_ref().map(|since| since.offset);
        let range = match (limit, reverse) {
            (0, _) => ReadRange::Top,
            (_, true) => ReadRange::Before(offset),
            (_, false) => ReadRange::After(offset.unwrap_or(0)),
        };
        let page = PageLimit { entries: limit, bytes: self.worker.hub.answer_bytes() };
        let Page { epoch, top, forks, publications } = node.broker.read(channel, retention, range, page).await?;
        if since.is_some_and(|since| !is_known(&since, epoch, &forks)) {
            return Err(ErrorCode::UnrecoverablePosition.into());
        }
        Ok(Outcome::History { position: Position { epoch, offset: top }, publications })
    }

    /// The caller that a service sees. An error if the connection has no user yet; the session starts calls and events only after it is
    /// open.
    pub(super) fn caller(&self) -> Result<Caller, Refusal> {
        let info = self.info.as_ref().ok_or(ErrorCode::Internal)?;
        let (traceparent, request) = (self.traceparent.clone(), self.request.clone());
        Ok(Caller { user: info.user.clone(), connection: info.client, traceparent, request, meta: self.meta.clone() })
    }

    pub(super) async fn call(&self, method: &str, data: Data) -> Outcome {
        let caller = match self.caller() {
            Ok(caller) => caller,
            Err(refusal) => return Outcome::Failed(refusal),
        };
        match self.worker.node.services.call(method, data, &caller, NO_TIMEOUT).await {
            Ok(Reply { data, meta }) => Outcome::Called { data, meta },
            Err(CallError::Refused(refusal)) => Outcome::Failed(refusal),
            Err(CallError::BadReply(bad)) => Outcome::Failed(bad.into()),
            Err(CallError::Service { code, message, temporary }) => Outcome::CallFailed { code, message, temporary },
        }
    }

    pub(super) fn event(&self, service: &str, data: Data) -> Result<Outcome, Refusal> {
        self.worker.node.services.event(service, data, &self.caller()?).map(|()| Outcome::Sent)
    }
}

pub(super) fn token_refused(error: &TokenError) -> Outcome {
    match error {
        TokenError::Expired => Outcome::Failed(ErrorCode::TokenExpired.into()),
        invalid @ TokenError::Invalid(_) => Outcome::InvalidToken(Refusal::new(ErrorCode::Unauthorized, invalid.to_string())),
    }
}

fn revoked_refusal() -> Refusal {
    let detail = "a service has disconnected this user; get a token that was issued since";
    Refusal::new(ErrorCode::TokenExpired, detail)
}

pub(super) fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
