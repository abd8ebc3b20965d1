//! Runs one link from its hello to its close.

use super::{
    super::{counters::Count, services::Services},
    ending::Ending,
    frames::{link_error, text},
    hello,
    messages::{Peer, Received, Sent},
    open_link::Link,
    phases::{CurrentPhase, LinkEvent},
    publish_queues::PublishQueues,
};
use crate::publish::Publisher;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use shared_proto::link::ToService;
use std::pin::pin;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// Serves one link until it ends. [`Services::accepts_links`] says whether the service has links.
pub async fn serve<R, W>(services: &Services, publisher: &Publisher, peer: Peer, mut reader: R, mut writer: W) -> Ending
where
    R: Stream<Item = Received> + Unpin,
    W: Sink<Sent> + Unpin,
{
    let (_open, phase) = (services.open.token(), CurrentPhase::new());
    let ending = match run(services, publisher, &peer, &phase, &mut reader, &mut writer).await {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    phase.apply(LinkEvent::Ended);
    services.counters.add(ending.count());
    tracing::info!(service = %peer.service, %ending, "link ended");
    let closing = async {
        if let Some(refusal) = ending.refusal() {
            let _ = writer.send(Sent::Text(text(&ToService::Error(link_error(&refusal))))).await;
        }
        let _ = writer.send(Sent::Close(ending.close_frame())).await;
        if ending == Ending::Stopped {
            // The process ends next. The close frame of the peer confirms that it has received everything.
            while !matches!(reader.next().await, None | Some(Received::Close | Received::Invalid(_))) {}
        }
    };
    let _ = timeout(services.links.close_timeout, closing).await;
    phase.apply(LinkEvent::CloseSent);
    ending
}

/// An uninhabited type: a link always ends with a reason, never with a value.
enum Never {}

async fn run<R, W>(
    services: &Services,
    publisher: &Publisher,
    peer: &Peer,
    phase: &CurrentPhase,
    reader: &mut R,
    writer: &mut W,
) -> Result<Never, Ending>
where
    R: Stream<Item = Received> + Unpin,
    W: Sink<Sent> + Unpin,
{
    let links = services.links_of(&peer.service).map_err(Ending::Refused)?;
    let service = services.service(&peer.service).map_err(Ending::Refused)?;
    let mut key_lost = pin!(peer.key.lost(&peer.service));
    let hello = tokio::select! {
        biased;
        refusal = &mut key_lost => return Err(Ending::KeyRemoved(refusal)),
        hello = hello::receive(services, peer, reader, writer) => hello?,
    };
    let (queue, mut queued) = mpsc::channel(services.links.queue);
    let link = Link::open(services, (service, links), hello, queue.clone(), phase).map_err(Ending::Refused)?;
    tracing::info!(service = %peer.service, instance = %link.instance, "link opened");
    services.counters.add(Count::LinkOpened);
    let mut nodes = peer.nodes.clone();
    let welcome = link.welcome(peer, &nodes.borrow_and_update());
    let (publish_queues, intake) = PublishQueues::new(publisher, peer, services, &queue);
    let outcome = tokio::select! {
        biased;
        () = stop_deadline(services) => Ending::Stopped,
        refusal = &mut key_lost => Ending::KeyRemoved(refusal),
        () = link.replaced.cancelled() => Ending::Replaced,
        ending = link.read(reader, &intake) => ending,
        ending = link.write(welcome, &mut queued, writer) => ending,
        ending = publish_queues.run() => ending,
        ending = link.watch_heartbeat() => ending,
        ending = link.send_node_changes(peer, nodes) => ending,
    };
    link.close(&mut queued);
    Err(outcome)
}

/// Waits until the node stops, and then for the time limit of writing the queued frames.
async fn stop_deadline(services: &Services) {
    services.closing.cancelled().await;
    sleep(services.links.close_timeout).await;
}
