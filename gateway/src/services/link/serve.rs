//! Serves one link from its hello to its close.

use super::{
    super::{counters::Count, services::Services},
    ending::Ending,
    frames::{link_error, text},
    hello,
    messages::{Peer, Received, Sent},
    open_link::Link,
    publishing::Publishing,
};
use crate::publish::Publisher;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use shared_proto::link::ToService;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// Serves one link to its end. The service must be one that [`Services::knows`].
pub async fn serve<R, W>(services: &Services, publisher: &Publisher, peer: Peer, mut reader: R, mut writer: W) -> Ending
where
    R: Stream<Item = Received> + Unpin,
    W: Sink<Sent> + Unpin,
{
    let _open = services.open.token();
    let ending = match run(services, publisher, &peer, &mut reader, &mut writer).await {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    services.counters.add(ending.count());
    tracing::info!(service = %peer.service, %ending, "link ended");
    let goodbye = async {
        if let Some(refusal) = ending.refusal() {
            let _ = writer.send(Sent::Text(text(&ToService::Error(link_error(&refusal))))).await;
        }
        let _ = writer.send(Sent::Close(ending.close_frame())).await;
        if ending == Ending::Stopped {
            // The process ends with its links. The peer's close says that everything has reached it.
            while !matches!(reader.next().await, None | Some(Received::Close | Received::Invalid(_))) {}
        }
    };
    let _ = timeout(services.links.close_timeout, goodbye).await;
    ending
}

/// No link ends well: all of them end for a reason.
enum Never {}

async fn run<R, W>(services: &Services, publisher: &Publisher, peer: &Peer, reader: &mut R, writer: &mut W) -> Result<Never, Ending>
where
    R: Stream<Item = Received> + Unpin,
    W: Sink<Sent> + Unpin,
{
    let service = services.service(&peer.service).map_err(Ending::Refused)?;
    let hello = hello::receive(services, peer, reader, writer).await?;
    let (queue, mut queued) = mpsc::channel(services.links.queue);
    let link = Link::open(services, service, hello, queue.clone()).map_err(Ending::Refused)?;
    tracing::info!(service = %peer.service, instance = %link.instance, "link opened");
    services.counters.add(Count::LinkOpened);
    let mut nodes = peer.nodes.clone();
    let welcome = link.welcome(peer, &nodes.borrow_and_update());
    let (publishing, accept) = Publishing::new(publisher, &peer.scope, services, &queue);
    let outcome = tokio::select! {
        biased;
        () = cut_off(services) => Ending::Stopped,
        () = link.replaced.cancelled() => Ending::Replaced,
        ending = link.read(reader, &accept) => ending,
        ending = link.write(welcome, &mut queued, writer) => ending,
        ending = publishing.run() => ending,
        ending = link.listen() => ending,
        ending = link.tell(peer, nodes) => ending,
    };
    link.close(&mut queued);
    Err(outcome)
}

/// Resolves when the node stops, and what waits has had its time to be written.
async fn cut_off(services: &Services) {
    services.closing.cancelled().await;
    sleep(services.links.close_timeout).await;
}
