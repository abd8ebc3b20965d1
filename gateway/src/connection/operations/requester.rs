//! What each operation does. `guarded` has those about which services decide.

use super::super::worker_context::WorkerContext;
use crate::{
    auth::{ConnectionClaims, TokenError, VerifiedToken},
    broker::{BrokerError, UserSubscription},
    hub::ConnKey,
    services::{CallError, Caller, KeptRequest, Reply, TokenCheck},
    telemetry::UncheckedToken,
};
use gateway_core::{
    channel::{WhenAway, recovery::is_known},
    model::{
        ChannelName, ClientInfo, ConnectionId, Data, ErrorCode, Meta, Page, PageLimit, Position, ReadRange, RecoverFrom, Refusal,
        RevocableToken, RevocationTarget, UserId,
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

/// Longest time to read the revocations of a token for an open connection. A working Redis answers much sooner, and the client should not wait for one that
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
    /// Verifies a connection token. Waits for the keys of its issuer, if they have to be fetched.
    pub(super) async fn verify_connection(&self, token: &str) -> Result<VerifiedToken<ConnectionClaims>, TokenError> {
        let tokens = &self.worker.node.tokens;
        tokens.prepare(token).await?;
        tokens.verify_connection(token, unix_time())
    }

    /// Checks a connection token.
    pub(super) async fn authenticate_by_token(&self, token: &str) -> Outcome {
        let VerifiedToken { claims, expires_in } = match self.verify_connection(token).await {
            Ok(accepted) => accepted,
            Err(_) if token.is_empty() => {
                return Outcome::Failed(Refusal::new(ErrorCode::Unauthorized, "anonymous connections are not allowed; send a token"));
            }
            Err(error) => return token_refused(error),
        };
        let ConnectionClaims { user, issued, revocable, info, meta, channels, capabilities, .. } = claims;
        let identity = Identity { user, issued, claims: revocable, expires_in, info, meta, channels, capabilities, permit: None };
        Outcome::Authenticated(Box::new(identity))
    }

    pub(super) async fn subscriptions(&self, token: &RevocableToken) -> Outcome {
        let stored = async {
            if token.user.is_anonymous() { Ok(Vec::new()) } else { self.worker.node.broker.user_subscriptions(&token.user).await }
        };
        // At the same time, so that a connect waits for the store once.
        let reads = futures_util::future::try_join(stored, self.look_up(token));
        let (read, excess) = futures_util::future::join(reads, self.keep_user_limit(&token.user)).await;
        match read {
            Ok((_, true)) => Outcome::Failed(revoked_refusal()),
            Ok((stored, false)) => {
                if let Some(excess) = excess {
                    return excess;
                }
                let now = unix_time();
                let subscription = |it: UserSubscription| ServerSubscription { expires_in: it.expires_in(now), channel: it.channel };
                Outcome::Subscriptions(stored.into_iter().map(subscription).collect())
            }
            Err(error) => Outcome::Failed(error.try_again()),
        }
    }

    /// Whether a token is revoked: its user, or one of its claims.
    async fn look_up(&self, token: &RevocableToken) -> Result<bool, BrokerError> {
        let broker = &self.worker.node.broker;
        let reads = token.targets().map(|target| async move {
            let revoked = broker.revoked(&target).await?;
            if let (RevocationTarget::User(user), Some(revoked)) = (&target, &revoked) {
                self.worker.node.services.forget_answers(user, revoked.until);
            }
            Ok::<_, BrokerError>(revoked.is_some_and(|revoked| revoked.applies_to(token.issued)))
        });
        Ok(futures_util::future::try_join_all(reads).await?.contains(&true))
    }

    pub(super) async fn refresh(&self, token: &str) -> Outcome {
        if self.worker.node.services.connect_guard().is_some_and(|guard| guard.tokens == TokenCheck::Never) {
            let detail = "the gateway does not check tokens here; the service that let the connection in is asked by itself";
            return Outcome::Failed(Refusal::new(ErrorCode::NotAvailable, detail));
        }
        let VerifiedToken { claims, expires_in } = match self.verify_connection(token).await {
            Ok(verified) => verified,
            Err(error) => return token_refused(error),
        };
        let ConnectionClaims { user, issued, revocable, meta, capabilities, .. } = claims;
        let token = RevocableToken { user, issued, claims: revocable };
        match self.check_revoked(&token).await {
            Ok(()) => Outcome::Refreshed { user: token.user, issued, claims: token.claims, meta, expires_in, capabilities },
            Err(refusal) => Outcome::Failed(refusal),
        }
    }

    /// Refuses a token of an open connection that is revoked.
    ///
    /// If revocations cannot be read, `tokens.when_away` decides. An outage of the store need not close open connections: they are checked after it.
    async fn check_revoked(&self, token: &RevocableToken) -> Result<(), Refusal> {
        let error = match timeout(REVOCATION_TIMEOUT, self.look_up(token)).await {
            Ok(Ok(true)) => return Err(revoked_refusal()),
            Ok(Ok(false)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        let (user, metrics) = (&token.user, self.worker.hub.metrics());
        match self.worker.node.when_away {
            WhenAway::Allow => {
                self.worker.hub.check_again(self.key);
                metrics.unchecked_token(UncheckedToken::Accepted);
                tracing::warn!(%user, error, "accepted a token without a check for revocation, because revocations cannot be read");
                Ok(())
            }
            WhenAway::Refuse => {
                metrics.unchecked_token(UncheckedToken::Refused);
                tracing::warn!(%user, error, "refused a token, because revocations cannot be read");
                Err(Refusal::new(ErrorCode::Internal, "revocations cannot be read at present; try again shortly"))
            }
        }
    }

    pub(super) async fn authorize(&self, channel: &ChannelName, token: &str) -> Outcome {
        let user = self.info.as_ref().map_or_else(UserId::anonymous, |info| info.user.clone());
        let tokens = &self.worker.node.tokens;
        let verified = match tokens.prepare(token).await {
            Ok(()) => tokens.verify_subscription(token, unix_time()),
            Err(error) => Err(error),
        };
        let VerifiedToken { claims, expires_in } = match verified {
            Ok(verified) => verified,
            Err(error @ TokenError::Invalid(_)) => {
                return Outcome::Failed(Refusal::new(ErrorCode::PermissionDenied, error.to_string()));
            }
            Err(error) => return Outcome::Failed(error.into()),
        };
        if claims.channel != *channel || claims.user != user {
            let detail = "the subscription token is for another channel or user; get one for this channel and user";
            return Outcome::Failed(Refusal::new(ErrorCode::PermissionDenied, detail));
        }
        match self.check_revoked(&RevocableToken { user, issued: claims.issued, claims: claims.revocable }).await {
            Ok(()) => Outcome::Authorized { expires_in, info: claims.info },
            Err(refusal) => Outcome::Failed(refusal),
        }
    }

    /// Returns all present connections, or an error. The protocol cannot mark a list as incomplete.
    pub(super) async fn presence(&self, channel: &ChannelName) -> Result<Outcome, Refusal> {
        let (reads, limit) = (self.worker.hub.reads(), self.worker.node.presence_limit);
        let present = reads.presence().list(channel).await?;
        let bytes = present.iter().map(|info| info.size()).sum::<usize>();
        if present.len() > limit || bytes > self.worker.hub.answer_bytes() {
            let detail = "the presence list is too large for one reply; request presence_stats instead";
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        Ok(Outcome::Presence(present.to_vec()))
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

    pub(super) async fn event(&self, service: &str, data: Data) -> Result<Outcome, Refusal> {
        self.worker.node.services.event(service, data, &self.caller()?).await.map(|()| Outcome::Sent)
    }
}

pub(super) fn token_refused(error: TokenError) -> Outcome {
    match error {
        TokenError::Invalid(_) => Outcome::InvalidToken(error.into()),
        TokenError::Expired | TokenError::KeysAway => Outcome::Failed(error.into()),
    }
}

fn revoked_refusal() -> Refusal {
    let detail = "the token is revoked: its user was disconnected, or its session has ended; get a new one";
    Refusal::new(ErrorCode::TokenExpired, detail)
}

pub(super) fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
