//! SEND: a publish, a call or an event, at once or at the COMMIT of its transaction.

use super::connection::{OpenConnection, required};
use crate::{
    model::Refusal,
    protocol::{
        Request,
        stomp::{Frame, Headers},
    },
    stomp::{
        context::Context,
        failure::Rejected,
        refusal::bad_request,
        rules::{
            AfterRefusal, Call, Destination, DestinationRule, UnknownDestination, Unresolved, Use,
            body::{Body, CORRELATION_ID, argument, event},
        },
        state::in_flight::{Outgoing, Purpose, ReceiptOf},
    },
};

impl OpenConnection {
    pub(super) fn send(&mut self, cx: &mut Context<'_>, frame: Frame) -> Result<(), Rejected> {
        let destination = required(&frame.headers, "SEND", "destination")?;
        let receipt: Option<Box<str>> = frame.headers.get("receipt").map(Into::into);
        let transaction: Option<Box<str>> = frame.headers.get("transaction").map(Into::into);
        let size = memory_of(&frame);
        if let Some(name) = &transaction {
            self.transactions.check(name, size, cx.config.transactions)?;
        }
        let outgoing = match resolve(cx, destination, Use::Send)? {
            Some((found, rule)) => {
                let after = rule.after_refusal;
                Some(outgoing(found, after, frame).map_err(|refusal| Rejected { failure: refusal.into(), after })?)
            }
            None => None,
        };
        match (transaction, outgoing) {
            (Some(name), outgoing) => {
                self.transactions.add(&name, size, outgoing);
                cx.confirm(receipt.as_deref());
            }
            (None, Some(outgoing)) => self.start(cx, outgoing, ReceiptOf::Frame(receipt)),
            (None, None) => cx.confirm(receipt.as_deref()),
        }
        Ok(())
    }
}

/// What a destination stands for. `None`: it is unknown, and the settings say that such frames have no effect.
pub(super) fn resolve<'a>(
    cx: &Context<'a>,
    destination: &str,
    wanted: Use,
) -> Result<Option<(Destination, &'a DestinationRule)>, Rejected> {
    let table = &cx.config.destinations;
    match table.resolve(destination, wanted) {
        Ok(found) => Ok(Some(found)),
        Err(Unresolved::Unknown(_)) if cx.config.unknown_destination == UnknownDestination::Ignore => Ok(None),
        Err(Unresolved::Unknown(refusal)) => Err(refusal.into()),
        Err(Unresolved::Refused(refusal, after)) => Err(Rejected { failure: refusal.into(), after }),
    }
}

/// The command of a SEND.
fn outgoing(destination: Destination, after_refusal: AfterRefusal, frame: Frame) -> Result<Outgoing, Refusal> {
    let Frame { headers, body, .. } = frame;
    let correlation_id = headers.get(CORRELATION_ID).map(Into::into);
    let (request, purpose) = match destination {
        Destination::Channel(channel) => {
            let Body { content, tags } = Body::of(&headers, body)?;
            (Request::Publish { channel: channel.to_string(), content, tags }, Purpose::Publish)
        }
        Destination::Call(Call { method, reply }) => (Request::Rpc { method, data: argument(&headers, body)? }, Purpose::Call(reply)),
        Destination::Event(service) => (Request::Send { data: event(&service, &argument(&headers, body)?)? }, Purpose::Publish),
        // The table lets nobody SEND there.
        Destination::UserQueue(queue) => {
            return Err(bad_request(format!("Only services send to the queue {queue:?} of a user.")));
        }
    };
    Ok(Outgoing { request, purpose, after_refusal, correlation_id })
}

/// Memory of a frame in a transaction, in bytes.
fn memory_of(frame: &Frame) -> usize {
    let header = |(name, value): (&str, &str)| name.len() + value.len() + 2 * size_of::<String>();
    size_of::<Outgoing>() + frame.body.len() + Headers::iter(&frame.headers).map(header).sum::<usize>()
}
