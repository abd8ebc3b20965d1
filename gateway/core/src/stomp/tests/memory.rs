use super::*;
use crate::protocol::stomp::MessageSubscription;

/// Memory of a connection that has this one subscription, in bytes. The channel's name is the session's too.
fn memory_of(id: &str, destination: &str, channel: &str) -> usize {
    let form = 2 * size_of::<usize>() + size_of::<MessageForm>() + size_of::<MessageSubscription>() + id.len() + destination.len();
    let name = 2 * size_of::<usize>() + channel.len();
    size_of::<Translator>() + form + name + state::subscriptions::Subscriptions::group_size()
}

#[test]
fn an_idle_connection_is_small() {
    let page = Page::alice().subscribed("sub-0", "/topic/rooms/12345", 2);
    assert_eq!(page.translator.spare_memory(), 0, "nothing in flight, no transaction, nothing unread");
    let bytes = memory_of("sub-0", "/topic/rooms/12345", "rooms/12345");
    assert!(bytes < 700, "{bytes}");
}
