//! One instance of the bot in this process.

use crate::fake_gateway::FakeGateway;
use chatbot_backend::abandoned_streams;
use chatbot_backend::channel_io::ChannelIo;
use chatbot_backend::responder::RuleResponder;
use chatbot_backend::service::Chatbot;
use chatbot_backend::settings::{PROGRAM, Settings};
use chatbot_backend::timestamp::Clock;
use shared_proto::client::TlsFiles;
use shared_proto::client::link::{Config, Link};
use shared_proto::client::rest::{self, Gateway};
use shared_proto::process::command::{Invocation, load};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::task::JoinHandle;

/// What the clock of [`Instance::start`] shows.
pub(crate) const NOW: &str = "2026-11-28T10:00:00.123Z";
/// What the clock of [`Instance::start_later`] shows.
pub(crate) const LATER: &str = "2026-11-28T10:00:07.000Z";

fn now() -> OffsetDateTime {
    datetime!(2026-11-28 10:00:00.123 UTC)
}

fn later() -> OffsetDateTime {
    datetime!(2026-11-28 10:00:07 UTC)
}

/// One instance of the bot. Dropping it is like killing the process.
pub(crate) struct Instance {
    bot: Chatbot<RuleResponder>,
    _link: Link,
    stream_checker: JoinHandle<()>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stream_checker.abort();
    }
}

impl Instance {
    pub(crate) fn start(gateway: &FakeGateway, name: &str) -> Self {
        Self::with(gateway, name, Clock(now), &[])
    }

    /// An instance with another time, so that its publications differ from those of the first one.
    pub(crate) fn start_later(gateway: &FakeGateway, name: &str) -> Self {
        Self::with(gateway, name, Clock(later), &[])
    }

    pub(crate) fn with_settings(gateway: &FakeGateway, name: &str, settings: &[&str]) -> Self {
        Self::with(gateway, name, Clock(now), settings)
    }

    fn with(gateway: &FakeGateway, name: &str, clock: Clock, settings: &[&str]) -> Self {
        let flags = ["bot.word_ms=1", "bot.part_ms=20"].iter().chain(settings).flat_map(|setting| ["--set", *setting]);
        let args = std::iter::once("chatbot-backend").chain(flags);
        let Ok(Invocation::Run(settings)) = load::<Settings>(&PROGRAM, args.map(Into::into)) else { panic!("the settings are right") };
        let bot = Chatbot::new(RuleResponder::new(&settings.bot.name), settings.bot.clone());
        let mut config = Config::new("chatbot", vec![gateway.link.clone()], "dev");
        config.instance = name.into();
        let link = Link::start(config, bot.clone()).expect("the settings are right");
        let timeout = Duration::from_secs(5);
        let rest = rest::Config {
            urls: vec![gateway.rest.clone()],
            api_key: "dev".into(),
            connect_timeout: timeout,
            timeout,
            tls: TlsFiles::default(),
        };
        let rest = Gateway::new(&rest).expect("the settings are right");
        let channel_io = Arc::new(ChannelIo::new(link.publisher(), rest, settings.bot, clock));
        bot.set_channel_io(channel_io.clone());
        let stream_checker = tokio::spawn(abandoned_streams::run(channel_io, bot.active_streams()));
        Self { bot, _link: link, stream_checker }
    }

    /// Waits until the bot has reacted to all calls so far and writes no answer.
    pub(crate) async fn has_reacted(&self) {
        self.bot.answers_finished().await;
    }

    /// The number of answers that this instance is writing.
    pub(crate) fn active(&self) -> usize {
        self.bot.active_streams().count()
    }
}
