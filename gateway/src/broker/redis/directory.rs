//! What is kept beside the streams: stored subscriptions and revocations of users, and the list of all channels.

use super::{
    keys::Keys,
    lane::{Again, Command, Lane, To},
    masters::Masters,
    scan::Scan,
    scripts::{SCRIPTS, call},
    streams::{garbled, text},
};
use crate::{
    broker::{BrokerError, ChannelSummary, Revocation, UserSubscription, glob::Glob},
    model::{ChannelName, Epoch, Position, UserId},
};
use redis::{Cmd, Value, cmd};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// See the module.
pub(super) struct Directory {
    pub(super) keys: Keys,
    pub(super) lane: Arc<Lane>,
    pub(super) masters: Arc<Masters>,
    /// Stored subscriptions of one user.
    pub(super) subscriptions_per_user: usize,
}

/// Keys that are looked at in one step of a listing.
const SCAN: usize = 1000;

impl Directory {
    pub(super) async fn remember(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        let mut cmd = call(&SCRIPTS.remember, &[self.keys.user(user)]);
        cmd.arg(subscription.channel.as_str())
            .arg(subscription.expires_at.unwrap_or(0))
            .arg(unix_seconds())
            .arg(self.subscriptions_per_user);
        match self.run(cmd).await? {
            Value::Int(0) => {
                Err(BrokerError::LimitExceeded("this user has as many stored subscriptions as a user may have: delete one first"))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn forget(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        let is_live = self.remembered(user).await?.iter().any(|subscription| subscription.channel == *channel);
        let mut cmd = cmd("HDEL");
        cmd.arg(self.keys.user(user)).arg(channel.as_str());
        Ok(matches!(self.run(cmd).await?, Value::Int(1)) && is_live)
    }

    pub(super) async fn remembered(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        let mut cmd = cmd("HGETALL");
        cmd.arg(self.keys.user(user));
        let Value::Array(fields) = self.run(cmd).await? else { return Err(garbled()) };
        let (now, mut fields, mut found) = (unix_seconds(), fields.into_iter().map(text), Vec::new());
        while let (Some(Some(channel)), Some(Some(ends))) = (fields.next(), fields.next()) {
            let channel = channel.parse().map_err(|_| garbled())?;
            let expires_at = Some(ends.parse().map_err(|_| garbled())?).filter(|ends| *ends != 0);
            if expires_at.is_none_or(|ends: u64| ends > now) {
                found.push(UserSubscription { channel, expires_at });
            }
        }
        Ok(found)
    }

    /// Revocations of one user come in the order of their times, or say almost the same.
    pub(super) async fn revoke(&self, user: &UserId, revocation: &Revocation, remember: Duration) -> Result<(), BrokerError> {
        let Revocation { until, code, reason } = revocation;
        let mut set = cmd("SET");
        set.arg(self.keys.revoked(user)).arg(format!("{until} {code} {reason}")).arg("PX").arg(remember.as_millis() as u64);
        self.run(set).await.map(drop)
    }

    pub(super) async fn revoked(&self, user: &UserId) -> Result<Option<Revocation>, BrokerError> {
        let mut get = cmd("GET");
        get.arg(self.keys.revoked(user));
        text(self.run(get).await?).map(|held| revocation(&held).ok_or_else(garbled)).transpose()
    }

    /// Active channels that match, in name order. Goes through all keys: for operators, not for hot paths.
    pub(super) async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        let pattern = Glob::new(pattern);
        let mut first = BTreeSet::new();
        let mut offer = |name: &str| {
            if let Ok(name) = name.parse::<ChannelName>()
                && after.is_none_or(|after| name.as_str() > after)
                && pattern.matches(&name)
            {
                first.insert(name);
                if first.len() > limit {
                    first.pop_last();
                }
            }
        };
        let (map, mut scan, streams) = (self.masters.now(), Scan::default(), self.keys.all_streams());
        while !scan.is_over() {
            let keys = scan.next(&self.masters, &self.lane, (&streams, "stream"), SCAN).await?;
            keys.iter().filter_map(|key| self.keys.channel_of_stream(key)).for_each(&mut offer);
        }
        for master in map.serving().keys() {
            let announced = self.masters.pubsub().announced(&self.keys.all_lanes());
            let Value::Array(lanes) = self.run_at(To::Master(*master), announced).await? else { return Err(garbled()) };
            for lane in lanes.into_iter().filter_map(text) {
                self.keys.channel(&lane).into_iter().for_each(&mut offer);
            }
        }
        if *map != *self.masters.now() {
            return Err(BrokerError::Unavailable("slots of the Redis Cluster have moved meanwhile: list again".into()));
        }
        let each = first.into_iter().map(|name| self.summary(name));
        futures_util::future::try_join_all(each).await
    }

    async fn summary(&self, name: ChannelName) -> Result<ChannelSummary, BrokerError> {
        let mut meta = cmd("HMGET");
        meta.arg(self.keys.meta(&name)).arg("epoch").arg("top");
        let (meta, held) = futures_util::future::join(self.run(meta), self.size("XLEN", self.keys.stream(&name))).await;
        let position = match meta? {
            Value::Array(fields) => {
                let mut fields = fields.into_iter().map(text);
                fields
                    .next()
                    .flatten()
                    .zip(fields.next().flatten())
                    .and_then(|(epoch, top)| Some(Position { epoch: Epoch::parse(&epoch)?, offset: top.parse().ok()? }))
            }
            _ => return Err(garbled()),
        };
        Ok(ChannelSummary { name, position, held: held? })
    }

    async fn size(&self, command: &str, key: String) -> Result<usize, BrokerError> {
        let mut cmd = cmd(command);
        cmd.arg(key);
        match self.run(cmd).await? {
            Value::Int(size) => usize::try_from(size).map_err(|_| garbled()),
            _ => Err(garbled()),
        }
    }

    /// Everything here may be done twice.
    async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.run_at(To::Key, cmd).await
    }

    async fn run_at(&self, to: To, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to, order: None, again: Again::Safe }).await
    }
}

fn revocation(held: &str) -> Option<Revocation> {
    let mut parts = held.splitn(3, ' ');
    Some(Revocation { until: parts.next()?.parse().ok()?, code: parts.next()?.parse().ok()?, reason: parts.next()?.into() })
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
