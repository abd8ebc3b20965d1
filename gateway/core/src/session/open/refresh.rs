//! New tokens for the connection and for subscriptions.

use super::{open_session::OpenSession, subscribe::parse_channel};
use crate::{
    channel::may_stay,
    model::{ChannelName, Disconnect, ErrorCode, Refusal, Secret, Unsubscribe},
    protocol::{Push, Reply},
    session::{
        Action, Op, Outcome,
        close_reason::CloseReason,
        context::Context,
        state::{
            command_queue::Purpose,
            expiry::Expiry,
            subscriptions::{Source, Subscription, SubscriptionEvent},
        },
    },
};

impl OpenSession {
    /// The new token of the connection was checked.
    ///
    /// An expired token closes the connection with 3005. Then the SDK connects again with another token. After error 109 it would give up.
    pub(super) fn refreshed(
        &mut self,
        cx: &mut Context<'_>,
        command: u32,
        token: Option<Secret>,
        outcome: Outcome,
    ) -> Result<(), CloseReason> {
        match outcome {
            Outcome::Refreshed { user, issued, claims, meta, expires_in, capabilities } if user == self.info.user => {
                let expiry = Expiry::begin(cx, expires_in).map_err(|_| CloseReason::from(Disconnect::Expired))?;
                self.expires_at = expiry.map(|it| it.expires_at);
                self.issued = issued;
                // What a service has set stays, unless the token has something else.
                if self.has_token_meta || meta.is_some() {
                    self.has_token_meta = meta.is_some();
                    cx.emit(Action::SetMeta(meta));
                }
                cx.emit(Action::ReplaceToken(claims));
                if let (Some(renewal), Some(token)) = (&mut self.renewal, token) {
                    renewal.question.token = token;
                }
                cx.reply(command, Reply::Refresh { ttl: expiry.map(|it| it.ttl), client: cx.connection });
                self.capabilities = capabilities;
                self.end_disallowed(cx);
                Ok(())
            }
            Outcome::Refreshed { .. } => Err(CloseReason::invalid_token("the token is for another user")),
            Outcome::InvalidToken(why) => Err(CloseReason::invalid_token(&why.detail)),
            Outcome::Failed(why) if why.code == ErrorCode::TokenExpired => Err(Disconnect::Expired.into()),
            other => {
                cx.refuse(command, other.into_refusal());
                Ok(())
            }
        }
    }

    /// Ends the subscriptions that the new token no longer allows, also those that are under way. The personal channel, and what services gave, is no
    /// matter of the token.
    fn end_disallowed(&mut self, cx: &mut Context<'_>) {
        let capabilities = self.capabilities.as_deref();
        let is_given = |it: &Subscription| matches!(it.source, Source::Service | Source::Server);
        let ends = |it: &&Subscription| !is_given(it) && !may_stay(&it.channel, capabilities, it.source == Source::Capability);
        let ended: Vec<_> = self.subscriptions.iter().filter(ends).map(|it| (it.channel.clone(), it.is_live())).collect();
        for (channel, is_live) in ended {
            if is_live {
                self.end_live(cx, channel, SubscriptionEvent::Expired, Unsubscribe::NotAllowed);
            } else {
                let detail = "the new token of the connection does not allow this subscription";
                self.abort_subscribe(cx, &channel, Refusal::new(ErrorCode::PermissionDenied, detail));
            }
        }
    }

    pub(super) fn sub_refresh(&mut self, cx: &mut Context<'_>, command: u32, channel: &str, token: Secret) -> Result<(), Refusal> {
        let channel = parse_channel(channel)?;
        let subscription = self.subscriptions.get(&channel).filter(|it| it.is_live() && it.source == Source::Token);
        if subscription.is_none() {
            return Err(no_token_subscription());
        }
        self.start(cx, command, Some(channel.clone()), Purpose::SubRefresh, Op::Authorize { channel, token });
        Ok(())
    }

    /// The new token of a subscription was checked.
    ///
    /// An expired token ends the subscription with 2501. Then the SDK subscribes again with another token. After error 109 alone it would give
    /// up.
    pub(super) fn sub_refreshed(&mut self, cx: &mut Context<'_>, command: u32, channel: &ChannelName, outcome: Outcome) {
        let Some(subscription) = self.subscriptions.get_mut(channel) else {
            return cx.refuse(command, no_token_subscription());
        };
        let refusal = match outcome {
            Outcome::Authorized { expires_in, .. } => match Expiry::begin(cx, expires_in) {
                Ok(expiry) => {
                    subscription.expires_at = expiry.map(|it| it.expires_at);
                    return cx.reply(command, Reply::SubRefresh { ttl: expiry.map(|it| it.ttl) });
                }
                Err(_) => ErrorCode::TokenExpired.into(),
            },
            other => other.into_subscription_refusal(),
        };
        if refusal.code == ErrorCode::TokenExpired {
            self.subscriptions.end(channel, SubscriptionEvent::Expired);
            cx.emit(Action::Detach(channel.clone(), Some(Unsubscribe::Expired)));
            cx.emit(Action::Push(Push::Unsubscribe(channel.clone(), Unsubscribe::Expired)));
        }
        cx.refuse(command, refusal);
    }
}

fn no_token_subscription() -> Refusal {
    Refusal::new(ErrorCode::PermissionDenied, "this connection has no subscription to this channel that was made with a token")
}
