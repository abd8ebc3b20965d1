//! What the generator writes into the streams of queues, and reads there.

use crate::{redis::Redis, result::Result};
use redis_testing::{Connection, Reply};
use std::fmt::Write as _;

/// The prefix of all keys in the settings of the gateway.
const PREFIX: &str = "switchboard";

/// The stream with the entries of a partition of a service's queue.
pub(super) fn entries(service: &str, partition: u16) -> String {
    format!("{PREFIX}:queue:{{{service}/{partition}}}:entries")
}

/// The stream of a partition of ingest.
pub(super) fn ingest(partition: u16) -> String {
    format!("{PREFIX}:ingest:{{{partition}}}:stream")
}

/// The stream with the dead letters of a partition of ingest.
pub(super) fn ingest_dead(partition: u16) -> String {
    format!("{PREFIX}:ingest:{{{partition}}}:dead")
}

/// The hash that has the top of a channel.
pub(super) fn meta(channel: &str) -> String {
    format!("{PREFIX}:{{{channel}}}:meta")
}

/// Sends commands in pipelines over a Unix socket.
pub(super) struct Pipeline {
    connection: Connection,
    encoded: String,
    commands: usize,
}

impl Pipeline {
    pub(super) async fn open(redis: &Redis) -> Self {
        Self { connection: redis.connection().await, encoded: String::new(), commands: 0 }
    }

    /// Adds a command.
    pub(super) fn add(&mut self, words: &[&str]) {
        let mut write = || -> std::fmt::Result {
            write!(self.encoded, "*{}\r\n", words.len())?;
            words.iter().try_for_each(|word| write!(self.encoded, "${}\r\n{word}\r\n", word.len()))
        };
        write().expect("a string takes all that fits into memory");
        self.commands += 1;
    }

    /// Sends all commands, and returns their answers. Fails if one is an error.
    pub(super) async fn run(&mut self) -> Result<Vec<Reply>> {
        self.connection.send(self.encoded.as_bytes()).await?;
        self.encoded.clear();
        let mut answers = Vec::with_capacity(self.commands);
        for _ in 0..std::mem::take(&mut self.commands) {
            answers.push(self.connection.reply().await?);
        }
        Ok(answers)
    }

    /// The number of entries in all these streams.
    pub(super) async fn length(&mut self, streams: &[String]) -> Result<usize> {
        for stream in streams {
            self.add(&["XLEN", stream]);
        }
        Ok(self.run().await?.into_iter().map(Reply::number).sum::<i64>().try_into()?)
    }
}
