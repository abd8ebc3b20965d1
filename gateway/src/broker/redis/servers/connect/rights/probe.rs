//! Checks the rights of the user of `redis.url`: each new connection runs every kind of command that the gateway needs, on keys that only
//! the check uses.
//!
//! Without this check, a missing right would only show when a client needs it. The check costs one round trip for each new connection. It
//! uses the same few keys each time, and they expire.

use crate::broker::redis::schema::{
    pubsub::PubSub,
    scripts::{SCRIPTS, call},
};
use redis::{
    Cmd, Pipeline, RedisError, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
    cmd,
};

/// Lifetime of the keys, in milliseconds.
pub(super) const LIFETIME_MS: u64 = 10_000;
/// A deadline that no server's clock reaches.
pub(super) const NO_DEADLINE: u64 = 1 << 52;

/// The check of rights.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// The prefix of all names that the check uses. All of them are in one slot, and no other part of the gateway uses them.
    names: Box<str>,
    /// Whether the gateway waits for replicas.
    waits: bool,
}

/// A missing right, with the error of Redis.
#[derive(Debug)]
pub(crate) struct Denied(pub(crate) String);

/// A command that the check runs, and its name in messages.
pub(crate) type Trial = (&'static str, Cmd);

impl Probe {
    /// A check whose names begin with `names` and a colon.
    pub(crate) fn new(names: String) -> Self {
        Self { names: names.into(), waits: false }
    }

    /// The same check for a gateway that waits for replicas if `waits` is true.
    pub(crate) fn waiting_if(self, waits: bool) -> Self {
        Self { waits, ..self }
    }

    pub(super) fn name(&self, part: &str) -> String {
        format!("{}:{part}", self.names)
    }

    // NL-7.12
    /// Checks the rights that a connection for commands needs. Returns the first missing right.
    pub(crate) async fn commands(&self, pubsub: PubSub, connection: &mut MultiplexedConnection) -> Result<Option<Denied>, RedisError> {
        let trials = self.trials(pubsub.publish());
        let mut pipeline = Pipeline::with_capacity(trials.len());
        for (_, cmd) in &trials {
            pipeline.add_command(cmd.clone());
        }
        let answers = connection.req_packed_commands(&pipeline, 0, trials.len()).await?;
        Ok(trials.iter().zip(answers).find_map(|((what, _), answer)| self.denied(what, &answer)))
    }

    /// Checks the rights that a subscriber connection needs. Returns the missing right, if there is one.
    pub(crate) async fn subscriptions(&self, pubsub: PubSub, connection: &mut MultiplexedConnection) -> Result<Option<Denied>, RedisError> {
        let (channel, command) = (self.name("channel"), pubsub.subscribe_command());
        match connection.req_packed_command(cmd(command).arg(&channel)).await?.extract_error() {
            // In a Redis Cluster another master may serve the slot. Its error is not a missing right.
            Err(error) if error.code() == Some("NOPERM") => Ok(Some(Denied(format!("{command} on {channel}: {error}")))),
            Err(_) => Ok(None),
            Ok(_) => connection.req_packed_command(cmd(pubsub.unsubscribe_command()).arg(&channel)).await.map(|_| None),
        }
    }

    /// All commands that the check runs on a connection for commands. `publish_command` is `PUBLISH` or `SPUBLISH`.
    pub(crate) fn trials(&self, publish_command: &'static str) -> Vec<Trial> {
        let key = |part: &str| self.name(part);
        let channel = key("channel");
        let mut publish = call(&SCRIPTS.publish_with_producer, &[key("meta"), key("stream"), key("producers"), key("idempotency")]);
        publish.arg(&channel).arg(1).arg(LIFETIME_MS).arg(LIFETIME_MS).arg("").arg(LIFETIME_MS);
        publish.arg("probe000").arg(publish_command).arg("|0 0 probe").arg("").arg(NO_DEADLINE);
        let mut read = call(&SCRIPTS.read, &[key("meta"), key("stream")]);
        read.arg("after").arg(0).arg(1).arg(1).arg(LIFETIME_MS).arg("probe000");
        let mut publish_ephemeral = call(&SCRIPTS.publish_ephemeral, &[key("ephemeral")]);
        publish_ephemeral.arg(&channel).arg("").arg("").arg(LIFETIME_MS).arg(publish_command).arg(NO_DEADLINE);
        let presence = [key("presence"), key("users"), key("nodes")];
        let mut presence_add = call(&SCRIPTS.presence_add, &presence);
        presence_add.arg("probe").arg("probe").arg("probe").arg("");
        let mut presence_remove = call(&SCRIPTS.presence_remove, &presence);
        presence_remove.arg("probe").arg("probe");
        let mut call_begin = call(&SCRIPTS.call_begin, &[key("call")]);
        call_begin.arg("probe").arg("probe").arg(LIFETIME_MS);
        let mut call_end = call(&SCRIPTS.call_end, &[key("call")]);
        call_end.arg("probe").arg("probe").arg("answer").arg(LIFETIME_MS).arg("probe");
        // The scripts publish only if the keys of an earlier check do not exist.
        let mut delete = cmd("DEL");
        delete.arg(["meta", "stream", "producers", "idempotency", "ephemeral", "call"].map(key).as_slice());
        let mut unlink = cmd("UNLINK");
        unlink.arg(key("ephemeral"));
        let mut inspect = cmd("XINFO");
        inspect.arg("STREAM").arg(key("stream"));
        let mut scan = cmd("SCAN");
        scan.arg(0).arg("COUNT").arg(1);
        let mut publish_only = cmd(publish_command);
        publish_only.arg(&channel).arg("");
        // The script presence_add sets no expiry of these keys. These commands set one, so that the keys disappear even if presence_remove
        // never runs.
        let expire = |part: &str| {
            let mut expire = cmd("PEXPIRE");
            expire.arg(key(part)).arg(LIFETIME_MS);
            expire
        };
        let mut trials = vec![
            ("DEL", delete),
            ("UNLINK", unlink),
            ("SCAN", scan),
            // The script publish succeeds even if its PUBLISH fails, so this command checks the right to publish.
            (publish_command, publish_only),
            ("the script publish", publish),
            ("the script read", read),
            ("XINFO", inspect),
            ("the script publish_ephemeral", publish_ephemeral),
            ("the script presence_add", presence_add),
            ("PEXPIRE", expire("presence")),
            ("PEXPIRE", expire("users")),
            ("PEXPIRE", expire("nodes")),
            ("the script presence_remove", presence_remove),
            ("the script call_begin", call_begin),
            ("the script call_end", call_end),
        ];
        trials.extend(self.queue_trials());
        if self.waits {
            let mut wait = cmd("WAIT");
            wait.arg(0).arg(1);
            trials.push(("WAIT", wait));
        }
        trials
    }

    /// The missing right that this answer reports. None if it reports none: for any other error, the part of the gateway that needs the
    /// command reports it.
    fn denied(&self, what: &str, answer: &Value) -> Option<Denied> {
        match answer {
            Value::ServerError(error) if is_denial(error.code(), error.details().unwrap_or_default()) => {
                Some(Denied(format!("{what} on {}: {error}", self.name("*"))))
            }
            _ => None,
        }
    }
}

/// Whether an error means a missing right. Before Redis 7.2, a missing right within a script has no error code of its own.
fn is_denial(code: &str, details: &str) -> bool {
    code == "NOPERM" || details.contains("user executing the script can't") || details.contains("ACL failure in script")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_rights_count_as_denials() {
        for (code, details, denial) in [
            ("NOPERM", "this user has no permissions to run the 'evalsha' command", true),
            ("ERR", "The user executing the script can't run this command or subcommand script: 1, on @user_script:1.", true),
            ("ERR", "The user executing the script can't publish to the channel mentioned in the command", true),
            ("ERR", "ACL failure in script: User alice has no permissions to run the 'xadd' command", true),
            ("LOADING", "Redis is loading the dataset in memory", false),
            ("MOVED", "12 10.0.0.1:6379", false),
            ("OOM", "command not allowed when used memory > 'maxmemory'.", false),
            ("LATE", "the command arrived after its deadline", false),
        ] {
            assert_eq!(is_denial(code, details), denial, "{code} {details}");
        }
    }
}
