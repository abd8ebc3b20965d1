//! The paths of the interface, with their methods.

use super::{
    broadcasts, channels, cluster, connections, drains,
    guarded::Guarded,
    link, openapi, operations, publications,
    queues::{ingest, services},
    revocations,
    route::Path,
    users,
};
use crate::auth::Scope::{Admin, Connections, Link, Presence, Publish, Queues, Read, Revoke, Users};
use shared_proto::http::openapi::DOCUMENT;

/// Paths that require an API key, with the scope that each method needs. They are tried in order, so frequent ones come first.
pub(super) fn guarded() -> Vec<Guarded> {
    publishing().into_iter().chain(users()).chain(cluster()).chain(queues()).collect()
}

fn publishing() -> Vec<Guarded> {
    vec![
        Guarded::new("/v1/publications").post(Publish, publications::batch),
        Guarded::new("/v1/channels/{channel}/publications")
            .post(Publish, publications::publish)
            .get(Read, publications::history)
            .delete(Admin, publications::clear)
            .audited("history.delete"),
        Guarded::new("/v1/broadcasts").post(Publish, broadcasts::broadcast),
        Guarded::new("/v1/users/{user}/messages").post(Publish, users::message),
        Guarded::new("/v1/channels").get(Read, channels::list),
        Guarded::new("/v1/channels/{channel}").get(Read, channels::get),
        Guarded::new("/v1/channels/{channel}/presence").get(Presence, channels::presence),
    ]
}

fn users() -> Vec<Guarded> {
    vec![
        Guarded::new("/v1/users/{user}/connections")
            .get(Users, users::connections)
            .delete(Users, users::disconnect)
            .audited("user.disconnect"),
        Guarded::new("/v1/users/{user}/subscriptions/{channel}")
            .put(Users, users::subscribe)
            .audited("user.subscribe")
            .delete(Users, users::unsubscribe)
            .audited("user.unsubscribe"),
        Guarded::new("/v1/revocations").post(Revoke, revocations::revoke).audited("token.revoke"),
        Guarded::new("/v1/connections/{id}")
            .get(Connections, connections::get)
            .delete(Connections, connections::disconnect)
            .audited("connection.disconnect"),
        Guarded::new("/v1/connections/{id}/messages").post(Connections, connections::message),
    ]
}

fn cluster() -> Vec<Guarded> {
    vec![
        Guarded::new("/v1/nodes").get(Read, cluster::nodes),
        Guarded::new("/v1/services").get(Admin, cluster::services),
        Guarded::new("/v1/services/{service}/instances/{instance}").patch(Admin, drains::instance).audited("instance.drain"),
        Guarded::new("/v1/services/{service}/targets/{target}").patch(Admin, drains::target).audited("target.drain"),
        Guarded::new(link::PATH).get(Link, link::open),
    ]
}

fn queues() -> Vec<Guarded> {
    vec![
        Guarded::new("/v1/services/{service}/queue").patch(Queues, services::pause).audited("queue.pause").get(Queues, services::get),
        Guarded::new("/v1/services/{service}/queue/entries").delete(Queues, services::delete_entries).audited("queue.delete_entries"),
        Guarded::new("/v1/services/{service}/queue/dead").get(Queues, services::dead_letters),
        Guarded::new("/v1/services/{service}/queue/dead/{id}")
            .get(Queues, services::dead_letter)
            .delete(Queues, services::drop_dead_letter)
            .audited("queue.drop_dead_letter"),
        Guarded::new("/v1/services/{service}/queue/dead/{id}/replay").post(Queues, services::replay).audited("queue.replay"),
        Guarded::new("/v1/ingest").patch(Queues, ingest::pause).audited("ingest.pause").get(Queues, ingest::get),
        Guarded::new("/v1/ingest/entries").delete(Queues, ingest::delete_entries).audited("ingest.delete_entries"),
        Guarded::new("/v1/ingest/dead").get(Queues, ingest::dead_letters),
        Guarded::new("/v1/ingest/dead/{id}")
            .get(Queues, ingest::dead_letter)
            .delete(Queues, ingest::drop_dead_letter)
            .audited("ingest.drop_dead_letter"),
        Guarded::new("/v1/ingest/dead/{id}/replay").post(Queues, ingest::replay).audited("ingest.replay"),
    ]
}

/// Paths for operations. They require no key.
pub(super) fn open() -> Vec<Path> {
    vec![
        Path::new("/metrics").get(operations::metrics),
        Path::new("/livez").get(operations::livez),
        Path::new("/readyz").get(operations::readyz),
        Path::new(DOCUMENT).get(openapi::document),
    ]
}
