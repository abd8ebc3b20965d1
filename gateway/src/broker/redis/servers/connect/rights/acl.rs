//! The rights that users of Redis need, as commands `ACL SETUSER`.

use crate::{
    broker::redis::servers::address::Address,
    settings::{Deliver, Problems, Settings},
};
use std::fmt;

/// What the gateway may do with its own keys and channels. The last ones are in `+@write`, and the gateway uses none of them.
pub(crate) const RIGHTS: &str = "+@read +@write +@scripting +@pubsub +@connection +info +time -flushall -flushdb -swapdb -migrate";
/// What the gateway needs besides in a Redis Cluster.
pub(crate) const CLUSTER_RIGHTS: &str = "+cluster|nodes";
/// What the gateway needs besides with `queues.replicas`.
const WAIT_RIGHTS: &str = "+wait";
/// What a program needs that writes entries of ingest.
const INGEST_RIGHTS: &str = "+xadd";
/// What a service needs that reads its queue itself.
const CONSUMER_RIGHTS: &str = "+xgroup|create +xreadgroup +xautoclaim +xpending +xack +xdel +multi +exec";

/// A user of Redis for the gateway, and one for each kind of program that reaches the streams of the gateway by itself. Printed, each is a
/// command with `PASSWORD` in place of the password.
///
/// Whoever may do what the user of the gateway may do is a gateway: it can publish into each channel and read all of them.
#[derive(Debug)]
pub struct RedisUsers(Vec<User>);

#[derive(Debug)]
struct User {
    comment: String,
    name: String,
    rules: String,
}

impl TryFrom<&Settings> for RedisUsers {
    type Error = Problems;

    /// The users for these settings, whatever `broker.kind` is.
    fn try_from(settings: &Settings) -> Result<Self, Problems> {
        let prefix = &settings.redis.prefix;
        let cluster = matches!(Address::try_from(&settings.redis)?, Address::Cluster(_));
        let more = [(true, RIGHTS), (cluster, CLUSTER_RIGHTS), (settings.queues.replicas > 0, WAIT_RIGHTS)];
        let rights: Vec<_> = more.into_iter().filter_map(|(needed, rights)| needed.then_some(rights)).collect();
        let mut users = vec![User {
            comment: "The gateway, in redis.url".to_owned(),
            name: prefix.clone(),
            rules: format!("~{prefix}:* &{prefix}:* -@all {}", rights.join(" ")),
        }];
        if !settings.ingest.channels.is_empty() {
            users.push(User {
                comment: "Programs that publish by ingest, into all channels of ingest.channels".to_owned(),
                name: format!("{prefix}-ingest"),
                rules: format!("~{prefix}:ingest:*:stream -@all {INGEST_RIGHTS}"),
            });
        }
        let consumers = settings.services.iter().filter(|(_, service)| service.service.deliver == Deliver::Stream);
        users.extend(consumers.map(|(service, _)| User {
            comment: format!("The service {service}, which reads its queue itself (deliver = \"stream\")"),
            name: format!("{prefix}-{service}"),
            rules: format!("~{prefix}:queue:{{{service}/*}}:entries -@all {CONSUMER_RIGHTS}"),
        }));
        Ok(Self(users))
    }
}

impl fmt::Display for RedisUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, User { comment, name, rules }) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n\n" };
            write!(f, "{gap}# {comment}:\nACL SETUSER {name} reset on >PASSWORD resetchannels {rules}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(toml: &str) -> String {
        RedisUsers::try_from(&Settings::from_toml(toml).expect("valid")).expect("valid").to_string()
    }

    #[test]
    fn the_user_of_the_gateway_has_what_its_settings_need() {
        let plain = users("");
        let begin =
            "# The gateway, in redis.url:\nACL SETUSER switchboard reset on >PASSWORD resetchannels ~switchboard:* &switchboard:* -@all";
        assert_eq!(plain, format!("{begin} {RIGHTS}"));
        let cluster = users("broker.kind = \"redis\"\nredis.url = \"redis+cluster://a:1,b:2\"\n[queues]\nreplicas = 1");
        assert_eq!(cluster, format!("{begin} {RIGHTS} +cluster|nodes +wait"));
    }

    #[test]
    fn programs_reach_their_streams_only() {
        let toml = "broker.kind = \"redis\"\nredis.prefix = \"p\"\n[ingest]\nchannels = [\"news:*\"]\n[services.log]\nreach = \"queue\"";
        let users = users(toml);
        assert!(users.contains("\nACL SETUSER p-ingest reset on >PASSWORD resetchannels ~p:ingest:*:stream -@all +xadd\n"), "{users}");
        let consumer = "ACL SETUSER p-log reset on >PASSWORD resetchannels ~p:queue:{log/*}:entries -@all +xgroup|create";
        assert!(users.contains(consumer), "{users}");
    }
}
