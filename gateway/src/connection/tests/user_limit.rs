//! Limit of a user's open connections.

use super::*;
use crate::settings::OnExcess;

/// The one worker has the whole limit as its share.
#[test]
fn a_user_is_watched_while_a_worker_has_more_than_its_share() {
    let user_connections = UserConnections { limit: 2, on_excess: OnExcess::Refuse };
    run(Bounds { user_connections, ..default_bounds() }, |world| async move {
        let watch = |name: &str| world.worker.node.cluster.watched_users().get(&name.parse().expect("valid"));
        let (_alice, mallory) = (world.user("alice").await, [world.user("mallory").await, world.user("mallory").await]);
        assert_eq!((watch("alice"), watch("mallory")), (None, None));
        let third = world.open();
        let refused = third.request(&world.connect_command("mallory")).await;
        assert_eq!(refused, ["close 3504 connection limit"]);
        assert!(watch("mallory").is_some() && watch("alice").is_none());
        for peer in mallory.iter().chain([&third]) {
            peer.socket.feed(Incoming::Eof);
            assert!(peer.is_finished().await);
        }
        let _next = world.user("mallory").await;
        assert_eq!(watch("mallory"), None, "no worker has more than its share");
    });
}
