//! Everything that the bot writes into channels and reads from them.

mod conversation_history;
mod lookups;
mod presence;
mod publishing;
mod stream_history;

pub use presence::Person;
pub use publishing::LineFailure;
pub use stream_history::{contains_end, conversation_of};

use crate::conversation::Entry;
use crate::settings::Bot;
use crate::timestamp::Clock;
use shared_proto::client::link::Publisher;
use shared_proto::client::rest::Gateway;
use shared_proto::rest::HistoryBody;
use std::time::Duration;

/// Writes channels through links and reads them through REST. It has no state.
#[derive(Debug)]
pub struct ChannelIo {
    publisher: Publisher,
    gateway: Gateway,
    bot: Bot,
    clock: Clock,
}

impl ChannelIo {
    /// Publishes with `publisher`, reads with `gateway`; `bot` has the bot's name and pauses, `clock` the times of the entries.
    pub fn new(publisher: Publisher, gateway: Gateway, bot: Bot, clock: Clock) -> Self {
        Self { publisher, gateway, bot, clock }
    }

    /// Shortest time between two parts.
    pub fn part_pause(&self) -> Duration {
        self.bot.part_pause()
    }

    /// Pause between two words.
    pub fn word_pause(&self) -> Duration {
        self.bot.word_pause()
    }
}

/// The entries of a page, in the order of the page.
pub fn entries(page: &HistoryBody) -> Vec<Entry> {
    page.publications.iter().filter_map(Entry::parse).collect()
}
