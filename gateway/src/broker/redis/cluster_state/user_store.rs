//! The user store: stored subscriptions of users, and revocations.

use crate::broker::{
    BrokerError, UserSubscription,
    redis::{
        commands::{
            job::{Command, Resend, Target},
            lane::Lane,
        },
        schema::{
            answers::{text, unexpected_answer},
            keys::Keys,
            scripts::{SCRIPTS, call},
        },
    },
};
use gateway_core::model::{ChannelName, Disconnect, Revocation, RevocationTarget, UserId};
use redis::{Cmd, Value, cmd};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The user store.
pub(crate) struct UserStore {
    pub(crate) keys: Keys,
    pub(crate) lane: Arc<Lane>,
    /// Largest number of stored subscriptions of a user.
    pub(crate) subscriptions_per_user: usize,
}

impl UserStore {
    pub(crate) async fn put_subscription(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        let mut cmd = call(&SCRIPTS.subscription_put, &[self.keys.user(user)]);
        cmd.arg(subscription.channel.as_str())
            .arg(subscription.expires_at.unwrap_or(0))
            .arg(unix_seconds())
            .arg(self.subscriptions_per_user);
        match self.run(cmd).await? {
            Value::Int(0) => Err(BrokerError::LimitExceeded("this user has the maximum number of stored subscriptions: delete one first")),
            _ => Ok(()),
        }
    }

    pub(crate) async fn delete_subscription(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        let is_live = self.subscriptions(user).await?.iter().any(|subscription| subscription.channel == *channel);
        let mut cmd = cmd("HDEL");
        cmd.arg(self.keys.user(user)).arg(channel.as_str());
        Ok(matches!(self.run(cmd).await?, Value::Int(1)) && is_live)
    }

    pub(crate) async fn subscriptions(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        let mut cmd = cmd("HGETALL");
        cmd.arg(self.keys.user(user));
        let Value::Array(fields) = self.run(cmd).await? else { return Err(unexpected_answer()) };
        let (now, mut fields, mut found) = (unix_seconds(), fields.into_iter().map(text), Vec::new());
        while let (Some(Some(channel)), Some(Some(ends))) = (fields.next(), fields.next()) {
            let channel = channel.parse().map_err(|_| unexpected_answer())?;
            let expires_at = Some(ends.parse().map_err(|_| unexpected_answer())?).filter(|ends| *ends != 0);
            if expires_at.is_none_or(|ends: u64| ends > now) {
                found.push(UserSubscription { channel, expires_at });
            }
        }
        Ok(found)
    }

    /// Stores a revocation for the time `ttl`. It never shortens an earlier revocation, which may come from a node with a faster clock.
    pub(crate) async fn revoke(&self, target: &RevocationTarget, revocation: &Revocation, ttl: Duration) -> Result<(), BrokerError> {
        let Revocation { until, code, reason } = revocation;
        let mut cmd = call(&SCRIPTS.revoke, &[self.keys.revoked(target)]);
        cmd.arg(until).arg(format!("{code} {reason}")).arg(ttl.as_millis() as u64);
        self.run(cmd).await.map(drop)
    }

    pub(crate) async fn revoked(&self, target: &RevocationTarget) -> Result<Option<Revocation>, BrokerError> {
        let mut get = cmd("GET");
        get.arg(self.keys.revoked(target));
        text(self.run(get).await?).map(|stored| revocation(&stored).ok_or_else(unexpected_answer)).transpose()
    }

    /// It does no harm to run any of these commands twice.
    async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Safe }).await
    }
}

/// Reads a stored revocation. Code and reason are optional.
fn revocation(stored: &str) -> Option<Revocation> {
    let mut parts = stored.splitn(3, ' ');
    let until = parts.next()?.parse().ok()?;
    let (code, reason) = (parts.next().and_then(|code| code.parse().ok()), parts.next());
    let default = Disconnect::ForceDisconnect;
    Some(Revocation { until, code: code.unwrap_or(default.code()), reason: reason.unwrap_or(default.reason()).into() })
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_without_code_and_reason_gets_the_defaults() {
        let usual = Disconnect::ForceDisconnect;
        for (stored, expected) in [
            ("10 4500 enough is enough", Some((10, 4500, "enough is enough"))),
            ("10 4500 ", Some((10, 4500, ""))),
            ("10 4500", Some((10, 4500, usual.reason()))),
            ("10", Some((10, usual.code(), usual.reason()))),
            ("10 x", Some((10, usual.code(), usual.reason()))),
            ("", None),
        ] {
            let expected = expected.map(|(until, code, reason)| Revocation { until, code, reason: reason.into() });
            assert_eq!(revocation(stored), expected, "{stored}");
        }
    }
}
