//! The contract of a broker: one list of tests for every broker, see [`contract`].

mod all_or_none;
mod calls;
mod concurrency;
mod delivery;
mod history;
mod ingest;
mod producers;
mod publishing;
pub mod queues;
mod state;

use super::fixtures::{ALL, HOUR, Inbox, kept, offset, worker};
use crate::broker::{Broker, ChannelSummary, Mailbox, NewPublication, Published};
pub use all_or_none::*;
pub use calls::*;
pub use concurrency::*;
pub use delivery::*;
use gateway_core::model::{ChannelName, Page, PageLimit, ReadRange, Retention};
pub use history::*;
pub use ingest::*;
pub use producers::*;
pub use publishing::*;
pub use state::*;
use std::{pin::Pin, sync::Arc, time::Duration};

/// A broker under test.
pub struct BrokerFixture {
    /// The broker, which is running.
    pub broker: Arc<Broker>,
    /// The mailboxes of its workers: at least two, of 1,024 entries each.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// How long the broker remembers idempotency keys.
    pub idempotency_ttl: Duration,
    /// Waits for this time, real or simulated.
    pub pass: fn(Duration) -> Pin<Box<dyn Future<Output = ()>>>,
    /// Keeps what the broker needs, such as its server, until the fixture is dropped.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Makes every test of the contract a test of the calling module: `contract!([attribute] [attribute with threads] fixture)`.
#[macro_export]
macro_rules! contract {
    ($single:tt $threaded:tt $fixture:expr) => {
        $crate::contract! { @each $single $fixture,
            a_publication_arrives_and_is_kept_as_it_was_sent
            text_and_bytes_arrive_and_are_kept_as_they_were_sent
            offsets_grow_by_one_and_are_the_order_in_every_mailbox
            what_is_handed_over_keeps_its_order
            without_retention_there_is_delivery_and_nothing_else
            the_oldest_go_when_a_history_is_full_and_a_reader_can_tell
            a_history_ends_after_its_last_publication_and_the_position_stays
            spans_choose_what_is_read
            pages_are_bounded_by_entries_and_bytes
            the_first_read_makes_the_epoch_that_publishes_go_on_in
            clearing_keeps_epoch_and_offsets
            a_repeated_publish_is_answered_and_not_delivered
            an_idempotency_key_belongs_to_scope_channel_and_body
            an_idempotency_key_is_forgotten_in_time
            a_producers_numbers_are_carried_out_once_and_in_order
            producers_and_channels_count_for_themselves
            a_channel_remembers_its_last_producers
            a_producer_is_remembered_after_its_publications_expired
            an_entry_does_not_overtake_the_one_before_it
            an_entry_is_published_once_even_after_its_key_is_forgotten
            an_owner_with_an_older_epoch_is_refused
            an_entry_that_repeats_another_moves_the_channel_on
            the_number_of_an_entrys_producer_is_judged_after_its_place
            without_retention_only_the_key_of_an_entry_counts
            a_channel_remembers_an_entry_after_its_publications_expired
            publications_that_are_stored_together_have_consecutive_offsets
            publications_that_are_stored_together_have_one_identity
            publications_that_are_stored_together_may_fill_the_history
            a_call_is_first_then_running_then_done
            a_call_with_other_data_is_another_call
            a_call_that_was_released_begins_again
            a_call_with_an_unknown_end_begins_again_after_a_grace
            a_call_begins_again_when_its_lease_has_ended
            an_answer_is_forgotten_in_time
            subscribed_means_that_everything_from_now_on_arrives
            what_a_mailbox_left_out_can_be_read
            announcements_reach_subscribers_and_are_not_kept
            presence_knows_connections_and_users
            active_channels_are_listed_by_name_and_page
            subscriptions_of_users_are_kept_until_they_end
            revocations_are_remembered_for_their_time
            what_ended_with_a_dead_node_is_found_until_struck_out
            an_occupation_lasts_until_nobody_holds_the_channel
            a_channel_lingers_from_its_last_release
            names_of_users_are_kept_apart_whatever_they_hold
        }
        $crate::contract! { @each $threaded $fixture,
            concurrent_publishers_make_one_order
            a_read_is_of_one_moment
            a_key_published_many_times_at_once_is_published_once
            a_number_published_many_times_at_once_is_published_once
            a_call_begun_many_times_at_once_has_one_first_attempt
            nothing_comes_between_publications_that_are_stored_together
        }
    };
    (@each $test:tt $fixture:expr, $($name:ident)*) => { $($crate::contract! { @one $test $fixture, $name })* };
    (@one [$test:meta] $fixture:expr, $name:ident) => {
        #[$test]
        async fn $name() {
            $crate::testing::contract::$name(&$fixture).await;
        }
    };
}
impl BrokerFixture {
    async fn publish(&self, channel: &ChannelName, publication: NewPublication) -> Published {
        self.broker.publish(channel, publication).await.expect("published")
    }

    /// Publishes these numbers. Returns the offset of the last one.
    async fn publish_all(&self, channel: &ChannelName, numbers: impl IntoIterator<Item = u64>, retention: Retention) -> u64 {
        let mut last = 0;
        for number in numbers {
            let published = self.publish(channel, kept(number, retention)).await;
            last = published.position.expect("kept").offset;
        }
        last
    }

    async fn read(&self, channel: &ChannelName, range: ReadRange, limit: PageLimit) -> Page {
        self.broker.read(channel, KEEP, range, limit).await.expect("read")
    }

    async fn offsets(&self, channel: &ChannelName, range: ReadRange) -> Vec<u64> {
        offsets(&self.read(channel, range, ALL).await)
    }

    /// Subscribes a worker. Returns the consumer of its mailbox.
    async fn join(&self, channel: &ChannelName, index: usize) -> Inbox {
        self.broker.subscribe(channel, worker(index), Some(KEEP)).await.expect("subscribed");
        Inbox::new(&self.mailboxes[index])
    }

    async fn list(&self, pattern: &str, after: Option<&str>, limit: usize) -> Vec<ChannelSummary> {
        self.broker.channels(pattern, after, limit).await.expect("listed")
    }
}

/// The retention of tests that do not depend on it.
const KEEP: Retention = Retention { size: 1000, ttl: HOUR };

fn offsets(page: &Page) -> Vec<u64> {
    page.publications.iter().map(|publication| offset(publication)).collect()
}

fn names(channels: &[ChannelSummary]) -> Vec<&str> {
    channels.iter().map(|channel| channel.name.as_str()).collect()
}
