//! Operations about which services decide: who connects, who subscribes, who publishes.

use super::requester::{Requester, token_refused};
use crate::{
    auth::{ConnectionClaims, TokenError, VerifiedToken, token_digest},
    publish::Draft,
    services::{Caller, ConnectFacts, ConnectGuard, ConnectTerms, Decision, TokenCheck},
};
use gateway_core::{
    model::{CONTENT_TYPE, ChannelName, ClientInfo, Content, Data, ErrorCode, Refusal, Tags, UserId},
    session::{ConnectPermit, ConnectQuestion, Identity, NamedBy, Occasion, Outcome},
};
use std::time::Duration;

impl Requester {
    /// Finds out who the connection is.
    pub(super) async fn authenticate(&self, question: ConnectQuestion) -> Outcome {
        let node = &self.worker.node;
        let Some(guard) = node.services.connect_guard() else { return self.authenticate_by_token(question.token.expose()).await };
        let verified = match guard.tokens {
            TokenCheck::First if !question.token.is_empty() => match self.verify_connection(question.token.expose()).await {
                Ok(verified) => Some(verified),
                Err(error) => return token_refused(error),
            },
            TokenCheck::First | TokenCheck::Never => None,
        };
        let facts = ConnectFacts {
            digest: digest(question.token.expose()),
            user: user_of(verified.as_ref()),
            occasion: Occasion::Begin,
            claims: verified.as_ref().and_then(|_| node.tokens.claims_json(question.token.expose())),
            token: question.token.clone(),
            data: question.data.clone(),
        };
        self.ask_who(guard, facts, verified, question).await
    }

    /// Asks the service that let the connection in whether it may stay.
    pub(super) async fn ask_connect(&self, question: ConnectQuestion) -> Outcome {
        let node = &self.worker.node;
        let (Some(guard), Some(info)) = (node.services.connect_guard(), &self.info) else {
            return Outcome::Failed(ErrorCode::Internal.into());
        };
        let by_token = guard.tokens == TokenCheck::First && !question.token.is_empty();
        // The token may have expired meanwhile. Its expiry ends the connection by itself.
        let is_valid = by_token
            && match self.verify_connection(question.token.expose()).await {
                Err(error @ TokenError::KeysAway) => return token_refused(error),
                verified => verified.is_ok(),
            };
        let verified = by_token.then(|| VerifiedToken { claims: ConnectionClaims::of(info.user.clone()), expires_in: None });
        let facts = ConnectFacts {
            digest: digest(question.token.expose()),
            user: user_of(verified.as_ref()),
            occasion: Occasion::Renewal,
            claims: if is_valid { node.tokens.claims_json(question.token.expose()) } else { None },
            token: question.token.clone(),
            data: question.data.clone(),
        };
        self.ask_who(guard, facts, verified, question).await
    }

    async fn ask_who(
        &self,
        guard: &ConnectGuard,
        facts: ConnectFacts,
        verified: Option<VerifiedToken<ConnectionClaims>>,
        question: ConnectQuestion,
    ) -> Outcome {
        let node = &self.worker.node;
        let user = match (&self.info, &verified) {
            (Some(info), _) => info.user.clone(),
            (None, Some(verified)) => verified.claims.user.clone(),
            (None, None) => UserId::anonymous(),
        };
        let caller = Caller {
            user,
            connection: self.connection,
            traceparent: self.traceparent.clone(),
            request: self.request.clone(),
            meta: self.meta.clone(),
        };
        let (decision, asked) = match node.services.ask_connect(guard, facts, &caller).await {
            Ok(answer) => answer,
            Err(refusal) => return Outcome::Failed(refusal),
        };
        outcome_of(decision, |terms| {
            let identity = identity(verified, terms, asked, question);
            if identity.user.is_anonymous() && !node.tokens.accepts_anonymous() {
                let detail = "the service named no user, and anonymous connections are not allowed";
                return Outcome::Failed(Refusal::new(ErrorCode::Unauthorized, detail));
            }
            Outcome::Authenticated(Box::new(identity))
        })
    }

    /// Asks the guard of a channel whether the connection may subscribe.
    pub(super) async fn ask_subscribe(&self, channel: &ChannelName, data: Option<Data>, within: Duration, occasion: Occasion) -> Outcome {
        let node = &self.worker.node;
        let options = node.session_config.namespaces.options(channel);
        let Some(guard) = options.and_then(|options| options.subscribe_via.as_ref()) else { return Outcome::Allowed(Box::default()) };
        let caller = match self.caller() {
            Ok(caller) => caller,
            Err(refusal) => return Outcome::Failed(refusal),
        };
        match node.services.ask_subscribe(guard, channel, data, &caller, (within, occasion)).await {
            Ok(decision) => outcome_of(decision, |permit| Outcome::Allowed(Box::new(permit))),
            Err(refusal) => Outcome::Failed(refusal),
        }
    }

    /// Publishes, if the guard of the channel allows it.
    pub(super) async fn publish(&self, channel: ChannelName, content: Content, mut tags: Tags) -> Outcome {
        let content = match self.ask_publish(&channel, content, &mut tags).await {
            Ok(Decision::Allowed(content)) => content,
            Ok(other) => return outcome_of(other, |_| Outcome::Published),
            Err(refusal) => return Outcome::Failed(refusal),
        };
        let info = self.info.as_deref().cloned().map(Box::new);
        self.publish_draft(channel, content, tags, info).await
    }

    /// Publishes the reply of a service, which is its author.
    pub(super) async fn publish_reply(&self, channel: ChannelName, content: Content, tags: Tags) -> Outcome {
        self.publish_draft(channel, content, tags, None).await
    }

    async fn publish_draft(&self, channel: ChannelName, content: Content, tags: Tags, info: Option<Box<ClientInfo>>) -> Outcome {
        let draft = Draft { channel, content, tags, ephemeral: false, info, traceparent: self.traceparent.clone(), identity: None };
        self.worker.node.publisher.publish(draft).await.map_or_else(Outcome::Failed, |_| Outcome::Published)
    }

    /// What to publish, as the guard of the channel decides. It is not asked about content that would be refused anyway.
    async fn ask_publish(&self, channel: &ChannelName, content: Content, tags: &mut Tags) -> Result<Decision<Content>, Refusal> {
        let node = &self.worker.node;
        let Some(guard) = &node.publisher.options(channel)?.publish_via else { return Ok(Decision::Allowed(content)) };
        node.publisher.check_content(channel, &content, tags)?;
        Ok(match node.services.ask_publish(guard, channel, &content, &self.caller()?).await? {
            Decision::Allowed(Some(replaced)) => {
                if replaced.kind() != content.kind() {
                    tags.remove(CONTENT_TYPE);
                }
                Decision::Allowed(replaced)
            }
            Decision::Allowed(None) => Decision::Allowed(content),
            Decision::Refused { code, message, temporary } => Decision::Refused { code, message, temporary },
            Decision::Disconnect { code, reason } => Decision::Disconnect { code, reason },
        })
    }
}

fn user_of(verified: Option<&VerifiedToken<ConnectionClaims>>) -> UserId {
    verified.map_or_else(UserId::anonymous, |verified| verified.claims.user.clone())
}

/// Under what the answer about a connection with this token is remembered.
fn digest(token: &str) -> Option<[u8; 32]> {
    (!token.is_empty()).then(|| token_digest(token))
}

fn outcome_of<T>(decision: Decision<T>, allowed: impl FnOnce(T) -> Outcome) -> Outcome {
    match decision {
        Decision::Allowed(terms) => allowed(terms),
        Decision::Refused { code, message, temporary } => Outcome::CallFailed { code, message, temporary },
        Decision::Disconnect { code, reason } => Outcome::Disconnect { code, reason },
    }
}

/// Who a connection is, by its token, if the gateway verified one, and the terms of the service, which fit the token.
fn identity(verified: Option<VerifiedToken<ConnectionClaims>>, terms: ConnectTerms, asked: u64, question: ConnectQuestion) -> Identity {
    let VerifiedToken { claims, expires_in } =
        verified.unwrap_or_else(|| VerifiedToken { claims: ConnectionClaims::of(UserId::anonymous()), expires_in: None });
    let user = terms.user(&claims.user).clone();
    let (issued, named_by) = if claims.user.is_anonymous() { (Some(asked), NamedBy::Service) } else { (claims.issued, NamedBy::Token) };
    let ConnectTerms { user: _, info, meta, data, channels, expires_in: valid } = terms;
    let permit = ConnectPermit { named_by, meta, data, channels, renewal: valid.map(|valid| (valid, question)) };
    Identity {
        user,
        issued,
        claims: claims.revocable,
        expires_in,
        info: info.or(claims.info),
        meta: claims.meta,
        channels: claims.channels,
        capabilities: claims.capabilities,
        permit: Some(permit),
    }
}
