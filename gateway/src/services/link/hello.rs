//! Receives and checks the first frame of a link.

use super::{
    super::{
        instances::instance::CREDIT_MAX,
        lifecycle::kinds::{Interests, LifecycleKind},
        services::Services,
    },
    ending::Ending,
    frames::malformed,
    messages::{Invalid, Peer, Received, Sent},
};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use shared_proto::{
    json,
    link::{Hello, ToGateway},
};
use std::sync::Arc;
use tokio::time::timeout;

/// The checked content of a hello.
pub(super) struct AcceptedHello {
    pub(super) instance: Arc<str>,
    pub(super) credit: u32,
    pub(super) interests: Interests,
}

/// Waits for `hello`, and answers pings meanwhile.
pub(super) async fn receive<R, W>(services: &Services, peer: &Peer, reader: &mut R, writer: &mut W) -> Result<AcceptedHello, Ending>
where
    R: Stream<Item = Received> + Unpin,
    W: Sink<Sent> + Unpin,
{
    let frame = async {
        loop {
            match reader.next().await {
                None => return Err(Ending::Lost),
                Some(Received::Close) => return Err(Ending::ClosedByInstance),
                Some(Received::Pong) => {}
                Some(Received::Ping(bytes)) => writer.send(Sent::Pong(bytes)).await.map_err(|_| Ending::Lost)?,
                Some(Received::Invalid(invalid)) => return Err(invalid_message(invalid, services.links.message_size)),
                Some(Received::Text(text)) => return parse(&text),
            }
        }
    };
    let frame = tokio::select! {
        () = services.closing.cancelled() => return Err(Ending::Stopped),
        frame = timeout(services.links.hello_timeout, frame) => frame.map_err(|_| Ending::NoHello)??,
    };
    match frame {
        ToGateway::Hello(hello) => check(hello, &peer.service),
        _ => Err(malformed("The first frame must be hello.")),
    }
}

pub(super) fn parse(text: &[u8]) -> Result<ToGateway, Ending> {
    json::read_bytes(text).map_err(|error| malformed(format!("The frame is malformed: {error}.")))
}

pub(super) fn invalid_message(invalid: Invalid, limit: usize) -> Ending {
    match invalid {
        Invalid::TooLarge => Ending::TooLarge(limit),
        Invalid::Binary => malformed("Frames are text messages; this one was binary."),
        Invalid::Protocol => malformed("The message violates RFC 6455."),
    }
}

fn check(hello: Hello, service: &str) -> Result<AcceptedHello, Ending> {
    if hello.service != service {
        return Err(malformed(format!("hello must name the service of the path, {service}.")));
    }
    let valid = (1..=64).contains(&hello.instance.len())
        && hello.instance.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if !valid {
        return Err(malformed("The instance's name must be 1 to 64 characters of A-Z a-z 0-9 _ - ."));
    }
    if hello.credit > CREDIT_MAX {
        return Err(malformed(format!("The credit is larger than {CREDIT_MAX}.")));
    }
    let interests = Interests::parse(&hello.events)
        .map_err(|name| malformed(format!("{name:?} is not a lifecycle event. The lifecycle events are {}.", LifecycleKind::names())))?;
    Ok(AcceptedHello { instance: hello.instance.into(), credit: hello.credit, interests })
}
