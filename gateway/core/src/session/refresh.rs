//! Tokens that are renewed.

use super::{
    Action, Op, Outcome,
    expiry::Expiry,
    open::{Open, refusal},
    subscribe::{of_token, parse},
    subscriptions::{Origin, Stage},
    turn::{Closing, Turn},
    work::Purpose,
};
use crate::{
    model::{ChannelName, Disconnect, ErrorCode, Refusal, Unsubscribe},
    protocol::{Push, Reply},
};

impl Open {
    /// The new token of the connection was checked.
    ///
    /// One that has expired closes with 3005, upon which the SDK connects anew and gets another; an error 109 would end it for good.
    pub(super) fn refreshed(&mut self, turn: &mut Turn<'_>, command: u32, outcome: Outcome) -> Result<(), Closing> {
        match outcome {
            Outcome::Refreshed { user, issued, expires_in } if user == self.info.user => {
                let expiry = Expiry::begin(turn, expires_in).map_err(|_| Closing::from(Disconnect::Expired))?;
                self.ends = expiry.map(|it| it.ends);
                self.issued = issued;
                turn.reply(command, Reply::Refresh { ttl: expiry.map(|it| it.ttl), client: turn.connection });
                Ok(())
            }
            Outcome::Refreshed { .. } => Err(Closing::new(Disconnect::InvalidToken.code(), "the token is another user's")),
            Outcome::InvalidToken(why) => Err(Closing::new(Disconnect::InvalidToken.code(), &why.detail)),
            Outcome::Failed(why) if why.code == ErrorCode::TokenExpired => Err(Disconnect::Expired.into()),
            other => {
                turn.refuse(command, refusal(other));
                Ok(())
            }
        }
    }

    pub(super) fn sub_refresh(&mut self, turn: &mut Turn<'_>, command: u32, channel: &str, token: String) -> Result<(), Refusal> {
        let channel = parse(channel)?;
        let subscription = self.subscriptions.get(&channel).filter(|it| it.stage == Stage::Live && it.origin == Origin::Token);
        if subscription.is_none() {
            return Err(not_by_token());
        }
        self.start(turn, command, Some(channel.clone()), Purpose::SubRefresh, Op::Authorize { channel, token });
        Ok(())
    }

    /// The new token of a subscription was checked.
    ///
    /// One that has expired ends the subscription with 2501, upon which the SDK subscribes anew with another; error 109 alone would end
    /// it for good.
    pub(super) fn sub_refreshed(&mut self, turn: &mut Turn<'_>, command: u32, channel: &ChannelName, outcome: Outcome) {
        let Some(subscription) = self.subscriptions.get_mut(channel) else {
            return turn.refuse(command, not_by_token());
        };
        let refused = match outcome {
            Outcome::Authorized { expires_in, .. } => match Expiry::begin(turn, expires_in) {
                Ok(expiry) => {
                    subscription.ends = expiry.map(|it| it.ends);
                    return turn.reply(command, Reply::SubRefresh { ttl: expiry.map(|it| it.ttl) });
                }
                Err(_) => ErrorCode::TokenExpired.into(),
            },
            other => of_token(other),
        };
        if refused.code == ErrorCode::TokenExpired {
            self.subscriptions.remove(channel);
            turn.act(Action::Leave(channel.clone()));
            turn.act(Action::Push(Push::Unsubscribe(channel.clone(), Unsubscribe::Expired)));
        }
        turn.refuse(command, refused);
    }
}

fn not_by_token() -> Refusal {
    Refusal::new(ErrorCode::PermissionDenied, "there is no subscription here that a token made")
}
