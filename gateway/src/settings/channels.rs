//! Converts settings to the options of channels.

use crate::settings::{self, Settings};
use gateway_core::{
    channel::{AllowedData, ChannelOptions, DeltaOption, Grant, Guard, Namespaces, SlowConsumer, Unrecoverable, WhenAway},
    model::Retention,
};
use std::sync::Arc;

impl From<settings::Grant> for Grant {
    fn from(grant: settings::Grant) -> Self {
        match grant {
            settings::Grant::Nobody => Self::Nobody,
            settings::Grant::Token => Self::Token,
            settings::Grant::Subscriber => Self::Subscriber,
            settings::Grant::Named => Self::Named,
            settings::Grant::Authenticated => Self::Authenticated,
            settings::Grant::Anyone => Self::Anyone,
        }
    }
}

impl From<settings::AllowedData> for AllowedData {
    fn from(data: settings::AllowedData) -> Self {
        match data {
            settings::AllowedData::Json => Self::Json,
            settings::AllowedData::Any => Self::Any,
        }
    }
}

impl From<settings::SlowConsumer> for SlowConsumer {
    fn from(policy: settings::SlowConsumer) -> Self {
        match policy {
            settings::SlowConsumer::Disconnect => Self::Disconnect,
            settings::SlowConsumer::Latest => Self::Latest,
        }
    }
}

impl From<settings::Delta> for DeltaOption {
    fn from(delta: settings::Delta) -> Self {
        match delta {
            settings::Delta::None => Self::None,
            settings::Delta::Fossil => Self::Fossil,
        }
    }
}

impl From<settings::Unrecoverable> for Unrecoverable {
    fn from(choice: settings::Unrecoverable) -> Self {
        match choice {
            settings::Unrecoverable::Live => Self::Live,
            settings::Unrecoverable::Replay => Self::Replay,
        }
    }
}

impl From<settings::WhenAway> for WhenAway {
    fn from(choice: settings::WhenAway) -> Self {
        match choice {
            settings::WhenAway::Refuse => Self::Refuse,
            settings::WhenAway::Allow => Self::Allow,
        }
    }
}

fn guard(service: &settings::ServiceRef, when_away: settings::WhenAway) -> Option<Guard> {
    service.0.clone().map(|service| Guard { service, when_away: when_away.into() })
}

impl From<&settings::Channel> for ChannelOptions {
    fn from(channel: &settings::Channel) -> Self {
        let retention = Retention { size: channel.history_size, ttl: channel.history_ttl };
        Self {
            retention: (channel.history_size > 0).then_some(retention),
            presence: channel.presence,
            join_leave: channel.join_leave,
            subscribe: channel.subscribe.into(),
            publish: channel.publish.into(),
            see_presence: channel.see_presence.into(),
            see_history: channel.see_history.into(),
            data: channel.data.into(),
            slow_consumer: channel.slow_consumer.into(),
            delta: channel.delta.into(),
            tags_filter: channel.tags_filter,
            unrecoverable: channel.unrecoverable.into(),
            lifecycle: channel.lifecycle,
            subscribe_via: guard(&channel.subscribe_via, channel.when_away),
            publish_via: guard(&channel.publish_via, channel.when_away),
        }
    }
}

impl From<&settings::Personal> for ChannelOptions {
    fn from(personal: &settings::Personal) -> Self {
        let retention = Retention { size: personal.history_size, ttl: personal.history_ttl };
        Self {
            retention: (personal.history_size > 0).then_some(retention),
            presence: personal.presence,
            join_leave: personal.join_leave,
            subscribe: Grant::Nobody,
            publish: personal.publish.into(),
            see_presence: personal.see_presence.into(),
            see_history: personal.see_history.into(),
            data: personal.data.into(),
            slow_consumer: personal.slow_consumer.into(),
            // Frontends do not subscribe to personal channels, so they cannot ask for these.
            delta: DeltaOption::None,
            tags_filter: false,
            unrecoverable: personal.unrecoverable.into(),
            lifecycle: personal.lifecycle,
            subscribe_via: None,
            publish_via: None,
        }
    }
}

impl From<&Settings> for Namespaces {
    fn from(settings: &Settings) -> Self {
        Self {
            defaults: Arc::new((&settings.channel_defaults).into()),
            personal: Arc::new((&settings.personal).into()),
            named: settings.namespaces.iter().map(|(name, channel)| (name.as_str().into(), Arc::new(channel.into()))).collect(),
        }
    }
}
