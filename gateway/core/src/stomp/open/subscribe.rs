//! SUBSCRIBE and UNSUBSCRIBE.

use super::{
    connection::{OpenConnection, required},
    send::resolve,
};
use crate::{
    model::{ChannelName, Epoch, ErrorCode, RecoverFrom, Refusal},
    protocol::{
        DeliveryForm, Request, SubscribeRequest,
        stomp::{Frame, Headers, MessageForm, MessageSubscription, Version},
    },
    stomp::{
        Step,
        context::{Context, POSITION},
        failure::Rejected,
        refusal::bad_request,
        rules::{
            AfterRefusal, Call, Destination, Use,
            body::{CORRELATION_ID, argument},
        },
        state::{
            in_flight::{Outgoing, Purpose, ReceiptOf, Rejoin},
            subscriptions::{Added, Removed},
        },
    },
};
use std::sync::Arc;

/// Headers by which clients of other brokers ask for a queue of its own kind, and what the gateway says to them.
const NOT_OFFERED: [(&str, &str); 4] = [
    ("selector", "The gateway has no selectors. Leave out the header selector, and filter in the client."),
    ("x-queue-name", SHARED),
    ("durable-subscription-name", SHARED),
    ("activemq.subscriptionName", SHARED),
];
const SHARED: &str =
    "The gateway has no queues that outlive a connection or are shared by consumers. Use a channel with history and x-position.";

/// What a client said about where it stopped.
enum Position {
    /// Nothing.
    Unknown,
    /// It begins now, and wants a notice when publications are lost.
    Now,
    /// It wants what followed this position.
    At(RecoverFrom),
}

impl OpenConnection {
    pub(super) fn subscribe(&mut self, cx: &mut Context<'_>, frame: Frame) -> Result<(), Rejected> {
        let headers = &frame.headers;
        let destination = required(headers, "SUBSCRIBE", "destination")?;
        // In STOMP 1.0 a subscription without an id is named by its destination.
        let id = match headers.get("id") {
            None if self.version == Version::V1_0 => destination,
            _ => required(headers, "SUBSCRIBE", "id")?,
        };
        let acks = match headers.get("ack") {
            None | Some("auto") => false,
            Some("client" | "client-individual") => true,
            Some(other) => return Err(bad_request(format!("The ack mode {other:?} is none of auto, client and client-individual.")).into()),
        };
        let position = position(headers)?;
        if self.subscriptions.contains(id) {
            return Err(bad_request(format!("The subscription {id:?} exists already. Give each subscription its own id.")).into());
        }
        let Some((found, rule)) = resolve(cx, destination, Use::Subscribe)? else {
            cx.confirm(headers.get("receipt"));
            return Ok(());
        };
        let after = rule.after_refusal;
        check_offered(headers).map_err(|refusal| Rejected { failure: refusal.into(), after })?;
        let subscription = |queue| MessageSubscription { id: id.into(), destination: destination.into(), acks, queue, after: None };
        let result = match found {
            Destination::Channel(channel) => self.join(cx, Some(channel), subscription(None), position, headers, after),
            Destination::UserQueue(queue) => self.join(cx, self.personal_channel(), subscription(Some(queue)), position, headers, after),
            Destination::Call(call) => self.call_once(cx, call, subscription(None), &frame.headers, after),
            // The table lets nobody SUBSCRIBE there.
            Destination::Event(service) => Err(bad_request(format!("Events for {service} have no subscribers. SEND to {destination}."))),
        };
        result.map_err(|refusal| Rejected { failure: refusal.into(), after })
    }

    /// Adds a subscription to a channel, or to the messages that belong to no channel.
    fn join(
        &mut self,
        cx: &mut Context<'_>,
        channel: Option<ChannelName>,
        subscription: MessageSubscription,
        position: Position,
        headers: &Headers,
        after_refusal: AfterRefusal,
    ) -> Result<(), Refusal> {
        let limit = cx.config.max_subscriptions;
        if self.subscriptions.len() >= limit {
            let detail =
                format!("The connection has {limit} subscriptions, which is the limit (stomp.max_subscriptions). UNSUBSCRIBE from some.");
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        let limit = cx.config.subscriptions_per_channel;
        if self.subscriptions.alike(channel.as_deref(), subscription.queue.as_deref()) >= limit {
            let (destination, setting) = (&subscription.destination, "stomp.subscriptions_per_channel");
            let detail = format!(
                "The connection has {limit} subscriptions to {destination}, which is the limit ({setting}). UNSUBSCRIBE from some."
            );
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        let (id, notified) = (subscription.id.clone(), !matches!(position, Position::Unknown));
        let goes_back = self.subscriptions.group(channel.as_deref()).is_some_and(|group| group.has_history);
        let added = self.subscriptions.add(channel.clone(), subscription.clone(), notified, (cx.version, cx.framing));
        let receipt = headers.get("receipt").map(Into::into);
        match (channel, added) {
            (Some(channel), Added::First(form)) => {
                let recover = if let Position::At(from) = position { Some(from) } else { None };
                let purpose = Purpose::Subscribe { channel: channel.clone(), id, resumes: recover.is_some() };
                let request = subscribe_request(&channel, form, recover);
                self.start(cx, Outgoing { request, purpose, after_refusal, correlation_id: None }, ReceiptOf::Frame(receipt));
            }
            (Some(channel), Added::Further(_)) if goes_back && let Position::At(from) = position => {
                self.leave_to_go_back(
                    cx,
                    Rejoin { channel, id, from: Some(from), left_at: None },
                    ReceiptOf::Frame(receipt),
                    after_refusal,
                );
            }
            (Some(channel), Added::Further(form)) => {
                cx.step(Step::Form(channel, Some(form)));
                // The channel has no history.
                if matches!(position, Position::At(_)) {
                    cx.write_gap(&subscription, None);
                }
                cx.confirm(receipt.as_deref());
            }
            (None, _) => {
                // Nothing is kept of messages that belong to no channel.
                if matches!(position, Position::At(_)) {
                    cx.write_gap(&subscription, None);
                }
                cx.confirm(receipt.as_deref());
            }
        }
        Ok(())
    }

    /// A SUBSCRIBE that calls a service. The reply is one MESSAGE, and nothing stays.
    fn call_once(
        &mut self,
        cx: &mut Context<'_>,
        call: Call,
        MessageSubscription { id, destination, .. }: MessageSubscription,
        headers: &Headers,
        after_refusal: AfterRefusal,
    ) -> Result<(), Refusal> {
        let request = Request::Rpc { method: call.method, data: argument(headers, Vec::new())? };
        let (purpose, correlation_id) = (Purpose::OneShot { id, destination }, headers.get(CORRELATION_ID).map(Into::into));
        let receipt = headers.get("receipt").map(Into::into);
        self.start(cx, Outgoing { request, purpose, after_refusal, correlation_id }, ReceiptOf::Frame(receipt));
        Ok(())
    }

    /// A subscription that does not exist is no error: a SUBSCRIBE that calls a service leaves none, and clients end it all the same.
    pub(super) fn unsubscribe(&mut self, cx: &mut Context<'_>, headers: &Headers) -> Result<(), Rejected> {
        let id: Box<str> = match (headers.get("id"), headers.get("destination")) {
            (None, Some(destination)) if self.version == Version::V1_0 => {
                self.subscriptions.id_of_destination(destination).unwrap_or_else(|| destination.into())
            }
            _ => required(headers, "UNSUBSCRIBE", "id")?.into(),
        };
        let receipt = headers.get("receipt");
        match self.subscriptions.remove(&id) {
            Some(Removed { channel: Some(channel), form: None }) => {
                cx.step(Step::Form(channel.clone(), None));
                self.retries.remove(&channel);
                let request = Request::Unsubscribe { channel: channel.to_string() };
                let outgoing =
                    Outgoing { request, purpose: Purpose::Unsubscribe, after_refusal: AfterRefusal::Close, correlation_id: None };
                self.start(cx, outgoing, ReceiptOf::Frame(receipt.map(Into::into)));
                return Ok(());
            }
            Some(Removed { channel: Some(channel), form }) => cx.step(Step::Form(channel, form)),
            Some(Removed { channel: None, .. }) => {}
            None => self.in_flight.forget_reply(&id),
        }
        cx.confirm(receipt);
        Ok(())
    }
}

/// The request for the first subscription to a channel.
pub(super) fn subscribe_request(channel: &ChannelName, form: Arc<MessageForm>, recover: Option<RecoverFrom>) -> Request {
    Request::Subscribe(Box::new(SubscribeRequest {
        channel: channel.to_string(),
        recover,
        form: Some(DeliveryForm::Stomp(form)),
        ..SubscribeRequest::default()
    }))
}

/// Refuses what other brokers offer and the gateway does not.
fn check_offered(headers: &Headers) -> Result<(), Refusal> {
    let refuse = |detail: &str| Err(Refusal::new(ErrorCode::NotAvailable, detail));
    match NOT_OFFERED.iter().find(|(name, _)| headers.get(name).is_some()) {
        Some((_, why)) => refuse(why),
        None if headers.get("durable") == Some("true") => refuse(SHARED),
        None => Ok(()),
    }
}

fn position(headers: &Headers) -> Result<Position, Rejected> {
    let Some(value) = headers.get(POSITION) else { return Ok(Position::Unknown) };
    if value.is_empty() {
        return Ok(Position::Now);
    }
    let parts = value.rsplit_once('-').and_then(|(epoch, offset)| Some((Epoch::parse(epoch)?, offset.parse().ok()?)));
    match parts {
        Some((epoch, offset)) => Ok(Position::At(RecoverFrom { epoch: epoch.to_string(), offset })),
        None => Err(bad_request(format!("{POSITION} {value:?} is no position. Send back the value of a MESSAGE, or an empty one.")).into()),
    }
}
