//! Publishes numbers, and checks that a worker receives each of them once and in order.

use super::support::KEEP;
use gateway::{
    broker::{Broker, Delivery, Mailbox, MailboxEntry, TopReason},
    testing::fixtures::{ALL, Inbox, channel, json, kept, offset, worker},
};
use gateway_core::model::{ChannelName, ReadRange};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::sleep;

/// The first name with this prefix for which `fits` is true.
pub(super) fn name_that(begins: &str, fits: impl Fn(&str) -> bool) -> String {
    (0..1_000_000).map(|number| format!("{begins}{number}")).find(|name| fits(name)).expect("some")
}

/// The numbers that a worker has received, by channel.
pub(super) struct Follower {
    inbox: Inbox,
    broker: Arc<Broker>,
    seen: BTreeMap<ChannelName, Vec<u64>>,
}

impl Follower {
    pub(super) async fn of(broker: &Arc<Broker>, mailbox: &Arc<Mailbox>, names: &[&str]) -> Self {
        for name in names {
            broker.subscribe(&channel(name), worker(0), Some(KEEP)).await.expect("subscribed");
        }
        let seen = names.iter().map(|name| (channel(name), Vec::new())).collect();
        Self { inbox: Inbox::new(mailbox), broker: broker.clone(), seen }
    }

    /// Receives until each channel has this many numbers.
    pub(super) async fn until(&mut self, many: u64) {
        while self.seen.values().any(|seen| (seen.len() as u64) < many) {
            match self.inbox.next().await {
                MailboxEntry::Delivery(name, Delivery::Publication(one)) => {
                    let seen = self.seen.get_mut(&name).expect("subscribed");
                    match offset(&one) {
                        next if next == seen.len() as u64 + 1 => seen.push(json(&one).parse().expect("a number")),
                        next if next > seen.len() as u64 => self.read(name).await,
                        _ => {}
                    }
                }
                MailboxEntry::Top(name, top, check) => {
                    assert_ne!(check, TopReason::Audit);
                    if top.offset > self.seen[&name].len() as u64 {
                        self.read(name).await;
                    }
                }
                MailboxEntry::Dirty(name) => self.read(name).await,
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn read(&mut self, name: ChannelName) {
        let seen = self.seen.get_mut(&name).expect("subscribed");
        loop {
            let page = self.broker.read(&name, KEEP, ReadRange::After(seen.len() as u64), ALL).await.expect("read");
            seen.extend(page.publications.iter().map(|one| json(one).parse::<u64>().expect("a number")));
            if seen.len() as u64 >= page.top {
                return;
            }
        }
    }

    /// Asserts that each channel has the numbers up to `many`, once and in order.
    pub(super) fn expect(&self, many: u64) {
        for (name, seen) in &self.seen {
            assert_eq!(*seen, (1..=many).collect::<Vec<_>>(), "{name}");
        }
    }
}

/// Publishes the numbers after `last` into each channel, a few at a time, until `happens` is complete and for a while afterwards. Returns
/// the last number.
pub(super) async fn publish_during(broker: &Broker, names: &[&str], mut last: u64, happens: impl Future<Output = ()>) -> u64 {
    let mut happens = std::pin::pin!(happens);
    let (mut is_over, mut left) = (false, 20);
    while left > 0 {
        let round = async {
            let mut answers = Vec::new();
            for number in last + 1..=last + 5 {
                for name in names {
                    answers.push(broker.hand_over(&channel(name), kept(number, KEEP)).await.expect("there is room"));
                }
            }
            for answer in answers {
                answer.await.expect("published");
            }
            sleep(Duration::from_millis(2)).await;
        };
        if is_over {
            (left, ()) = (left - 1, round.await);
        } else {
            // The round must end even if `happens` is complete before it.
            let mut round = std::pin::pin!(round);
            tokio::select! {
                () = &mut happens => {
                    is_over = true;
                    round.await;
                }
                () = &mut round => {}
            }
        }
        last += 5;
    }
    last
}
