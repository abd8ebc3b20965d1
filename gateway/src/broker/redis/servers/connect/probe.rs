//! Whether the user of `redis.url` may do what a gateway does: it does it, on names of its own.
//!
//! A right that is missing would else be noticed by the first user who needs it. It costs one round trip for each new connection, touches the same
//! few keys each time, and what it writes ends by itself.

use crate::broker::redis::schema::{
    pubsub::PubSub,
    scripts::{SCRIPTS, call},
};
use redis::{
    Cmd, Pipeline, RedisError, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
    cmd,
};

/// How long what was written stays, in milliseconds.
const LIFE: u64 = 10_000;
/// No time on a server's clock is later.
const NEVER: u64 = 1 << 52;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// Ahead of the names on which it tries: all of one slot, and nobody else's.
    names: Box<str>,
}

/// What may not be done, and what Redis says to it.
#[derive(Debug)]
pub(crate) struct Denied(pub(crate) String);

/// Something that is tried, and how it is called.
pub(crate) type Trial = (&'static str, Cmd);

impl Probe {
    /// Tries on names that begin with this one and a colon.
    pub(crate) fn new(names: String) -> Self {
        Self { names: names.into() }
    }

    fn name(&self, part: &str) -> String {
        format!("{}:{part}", self.names)
    }

    // NL-7.12
    /// Tries what goes over connections for commands.
    pub(crate) async fn commands(&self, pubsub: PubSub, connection: &mut MultiplexedConnection) -> Result<Option<Denied>, RedisError> {
        let trials = self.trials(pubsub.publish());
        let mut pipeline = Pipeline::with_capacity(trials.len());
        for (_, cmd) in &trials {
            pipeline.add_command(cmd.clone());
        }
        let answers = connection.req_packed_commands(&pipeline, 0, trials.len()).await?;
        Ok(trials.iter().zip(answers).find_map(|((what, _), answer)| self.denied(what, &answer)))
    }

    /// Tries what goes over connections that subscribe.
    pub(crate) async fn subscriptions(&self, pubsub: PubSub, connection: &mut MultiplexedConnection) -> Result<Option<Denied>, RedisError> {
        let (lane, word) = (self.name("lane"), pubsub.subscribe_word());
        match connection.req_packed_command(cmd(word).arg(&lane)).await?.extract_error() {
            // In a cluster the channel may be another master's: that is no denial.
            Err(error) if error.code() == Some("NOPERM") => Ok(Some(Denied(format!("{word} on {lane}: {error}")))),
            Err(_) => Ok(None),
            Ok(_) => connection.req_packed_command(cmd(pubsub.unsubscribe_word()).arg(&lane)).await.map(|_| None),
        }
    }

    /// What goes over connections for commands; `say` is the word for what is announced.
    pub(crate) fn trials(&self, say: &'static str) -> Vec<Trial> {
        let key = |part: &str| self.name(part);
        let lane = key("lane");
        let mut publish = call(&SCRIPTS.publish, &[key("meta"), key("stream"), key("once")]);
        publish.arg(&lane).arg("").arg(1).arg(LIFE).arg(LIFE).arg("").arg(LIFE).arg("probe000").arg(say).arg(NEVER);
        let mut read = call(&SCRIPTS.read, &[key("meta"), key("stream")]);
        read.arg("after").arg(0).arg(1).arg(1).arg(LIFE).arg("probe000");
        let mut announce = call(&SCRIPTS.announce, &[key("announced")]);
        announce.arg(&lane).arg("").arg("").arg(LIFE).arg(say).arg(NEVER);
        let present = [key("who"), key("users"), key("held")];
        let mut arrive = call(&SCRIPTS.arrive, &present);
        arrive.arg("probe").arg("probe").arg("probe").arg("");
        let mut depart = call(&SCRIPTS.depart, &present);
        depart.arg("probe").arg("probe");
        // Of a try a moment ago, whose publication would be answered and not made.
        let mut forget = cmd("DEL");
        forget.arg(["meta", "stream", "once", "announced"].map(key).as_slice());
        let mut announce_all = cmd(say);
        announce_all.arg(&lane).arg("");
        // Of what nothing else ends, should the next command not come.
        let expire = |part: &str| {
            let mut expire = cmd("PEXPIRE");
            expire.arg(key(part)).arg(LIFE);
            expire
        };
        vec![
            ("DEL", forget),
            // Ahead of the script, which stores all the same if it may not: it cannot undo what it wrote.
            (say, announce_all),
            ("the script that publishes", publish),
            ("the script that reads", read),
            ("the script that announces", announce),
            ("the script of joins", arrive),
            ("PEXPIRE", expire("who")),
            ("PEXPIRE", expire("users")),
            ("PEXPIRE", expire("held")),
            ("the script of leaves", depart),
        ]
    }

    /// Whether this answer tells of a missing right. Whatever else may be wrong is none, and passes or is told where it matters.
    fn denied(&self, what: &str, answer: &Value) -> Option<Denied> {
        match answer {
            Value::ServerError(error) if is_denial(error.code(), error.details().unwrap_or_default()) => {
                Some(Denied(format!("{what} on {}: {error}", self.name("*"))))
            }
            _ => None,
        }
    }
}

/// In a script a denial has no code of its own before Redis 7.2.
fn is_denial(code: &str, details: &str) -> bool {
    code == "NOPERM" || details.contains("user executing the script can't") || details.contains("ACL failure in script")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_are_told_from_what_passes() {
        for (code, details, denial) in [
            ("NOPERM", "this user has no permissions to run the 'evalsha' command", true),
            ("ERR", "The user executing the script can't run this command or subcommand script: 1, on @user_script:1.", true),
            ("ERR", "The user executing the script can't publish to the channel mentioned in the command", true),
            ("ERR", "ACL failure in script: User alice has no permissions to run the 'xadd' command", true),
            ("LOADING", "Redis is loading the dataset in memory", false),
            ("MOVED", "12 10.0.0.1:6379", false),
            ("OOM", "command not allowed when used memory > 'maxmemory'.", false),
            ("LATE", "it came after its deadline", false),
        ] {
            assert_eq!(is_denial(code, details), denial, "{code} {details}");
        }
    }
}
