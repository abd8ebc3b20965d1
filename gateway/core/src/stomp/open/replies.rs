//! The answers of the session, and what it sends by itself.

use super::{connection::OpenConnection, subscribe::subscribe_request};
use crate::{
    model::{ChannelName, Content, Data, Recovery, Refusal, Unsubscribe},
    protocol::{Push, Reply, Request, Subscribed, stomp::ServerFrame},
    stomp::{
        Step,
        context::Context,
        failure::{About, Failure, Fatal},
        refusal::bad_request,
        rules::{AfterRefusal, Destination, body::CORRELATION_ID},
        state::{
            in_flight::{Outgoing, Pending, Purpose, ReceiptOf},
            retries::FIRST_PAUSE,
        },
    },
};
use std::time::Duration;

/// The code of the ERROR about a subscription that the session ended.
const ENDED: u32 = 103;

impl OpenConnection {
    /// The session answered a command.
    pub(in crate::stomp) fn reply(&mut self, cx: &mut Context<'_>, id: u32, reply: Reply) -> Option<Fatal> {
        let pending = self.in_flight.end(id)?;
        let fatal = self.answered(cx, pending, reply);
        self.advance_commit(cx);
        fatal
    }

    fn answered(&mut self, cx: &mut Context<'_>, pending: Pending, reply: Reply) -> Option<Fatal> {
        match reply {
            Reply::Error(refusal) => self.refused(cx, pending, refusal.into()),
            Reply::CallFailed { code, message, temporary } => self.refused(cx, pending, Failure::of_service(code, message, temporary)),
            Reply::Subscribe(subscribed) => self.subscribed(cx, pending, &subscribed),
            Reply::Rpc(data) => self.called(cx, pending, data),
            Reply::Unsubscribe if matches!(pending.purpose, Purpose::Leave(_)) => {
                let Pending { purpose: Purpose::Leave(rejoin), receipt, after_refusal, .. } = pending else { return None };
                self.join_again(cx, rejoin, receipt, after_refusal);
                None
            }
            _ => {
                self.done(cx, pending.receipt, None);
                None
            }
        }
    }

    /// A command failed. What it was for is undone.
    fn refused(&mut self, cx: &mut Context<'_>, mut pending: Pending, mut failure: Failure) -> Option<Fatal> {
        match &pending.purpose {
            Purpose::Resubscribe { channel, pause } if failure.is_retryable() => {
                self.retries.add(channel.clone(), cx.now, *pause);
                return None;
            }
            Purpose::Subscribe { id, .. } => drop(self.subscriptions.remove(id)),
            Purpose::Leave(rejoin) | Purpose::Rejoin(rejoin) => {
                self.subscriptions.remove(&rejoin.id);
                // The session has left the channel, so the other subscriptions to it have ended too.
                pending.after_refusal = AfterRefusal::Close;
            }
            _ => {}
        }
        if matches!(pending.receipt, ReceiptOf::Commit) {
            failure.add("The COMMIT ends here. Other frames of the transaction may have been carried out.");
        }
        let about = About { receipt: self.take_receipt(&mut pending.receipt), correlation_id: pending.correlation_id };
        self.done(cx, pending.receipt, None);
        self.refuse(cx, failure, about, pending.after_refusal)
    }

    fn subscribed(&mut self, cx: &mut Context<'_>, pending: Pending, subscribed: &Subscribed) -> Option<Fatal> {
        if let Purpose::Subscribe { channel, .. } | Purpose::Resubscribe { channel, .. } = &pending.purpose {
            self.subscriptions.begun(channel, subscribed.position.is_some());
        }
        if matches!(pending.purpose, Purpose::Rejoin(_)) {
            self.joined_again(cx, pending, subscribed);
            return None;
        }
        // The receipt comes first, because its position is before what the client missed.
        self.done(cx, pending.receipt, subscribed.position);
        match &pending.purpose {
            Purpose::Subscribe { channel, resumes, .. } => {
                // A channel without history has nothing of what followed the position.
                if subscribed.recovery == Recovery::Lost || (*resumes && subscribed.position.is_none()) {
                    self.tell_gap(cx, channel, subscribed);
                }
                self.write_publications(cx, channel, subscribed);
            }
            Purpose::Resubscribe { channel, .. } => {
                self.tell_gap(cx, channel, subscribed);
                self.write_publications(cx, channel, subscribed);
            }
            _ => {}
        }
        None
    }

    /// Tells the subscriptions to a channel that publications were lost, as far as they asked for it.
    fn tell_gap(&self, cx: &mut Context<'_>, channel: &ChannelName, subscribed: &Subscribed) {
        self.tell_gap_to(cx, channel, subscribed, |_| true);
    }

    /// As [`Self::tell_gap`], for those of the subscriptions that miss something.
    pub(super) fn tell_gap_to(&self, cx: &mut Context<'_>, channel: &ChannelName, subscribed: &Subscribed, misses: impl Fn(&str) -> bool) {
        let Some(group) = self.subscriptions.group(Some(channel)) else { return };
        let mut untold = 0;
        for subscription in group.form.subscriptions.iter().filter(|it| misses(&it.id)) {
            if group.tells(&subscription.id) {
                cx.write_gap(subscription, subscribed.position);
            } else {
                untold += 1;
            }
        }
        if untold > 0 {
            cx.step(Step::GapUntold(untold));
        }
    }

    pub(super) fn write_publications(&self, cx: &mut Context<'_>, channel: &ChannelName, subscribed: &Subscribed) {
        if let Some(group) = self.subscriptions.group(Some(channel)) {
            subscribed.publications.iter().for_each(|publication| cx.write_publication(&group.form, publication));
        }
    }

    /// A service answered.
    fn called(&mut self, cx: &mut Context<'_>, mut pending: Pending, data: Data) -> Option<Fatal> {
        let correlation_id = pending.correlation_id.as_deref();
        match &mut pending.purpose {
            Purpose::OneShot { id, destination } => {
                let (message_id, headers) = (cx.numbers.message_id(), correlation_id.map(|id| (CORRELATION_ID, id)));
                let content = Content::Json(data);
                cx.write(&ServerFrame::Message {
                    subscription: id,
                    destination,
                    acks: false,
                    message_id: &message_id,
                    headers: headers.as_slice(),
                    content: Some(&content),
                });
            }
            // A service without an answer sends none, as a method without a result in Spring.
            Purpose::Call(Some(destination)) if data != Data::null() => {
                let destination = std::mem::take(destination);
                return self.answer(cx, pending, &destination, data);
            }
            _ => {}
        }
        self.done(cx, pending.receipt, None);
        None
    }

    /// Sends the reply of a service to its destination.
    fn answer(&mut self, cx: &mut Context<'_>, pending: Pending, destination: &str, data: Data) -> Option<Fatal> {
        match cx.config.destinations.resolve_reply(destination) {
            Ok(Destination::UserQueue(queue)) => {
                let headers = pending.correlation_id.as_deref().map(|id| (CORRELATION_ID, id));
                self.deliver(cx, &queue, headers.as_slice(), &data.into());
                self.done(cx, pending.receipt, None);
                None
            }
            Ok(Destination::Channel(channel)) => {
                let Pending { receipt, after_refusal, correlation_id, .. } = pending;
                let tags = correlation_id.iter().map(|id| (CORRELATION_ID.to_owned(), id.to_string())).collect();
                let request = Request::PublishReply { channel: channel.to_string(), content: data.into(), tags };
                let outgoing = Outgoing { request, purpose: Purpose::Publish, after_refusal, correlation_id };
                self.go_on(cx, outgoing, receipt);
                None
            }
            Ok(_) => self.refused(cx, pending, bad_request(format!("The reply's destination {destination} takes no replies.")).into()),
            Err(refusal) => self.refused(cx, pending, Refusal::into(refusal)),
        }
    }

    /// Sends what belongs to no channel to the subscriptions to a queue.
    pub(super) fn deliver(&self, cx: &mut Context<'_>, queue: &str, headers: &[(&str, &str)], content: &Content) {
        let message_id = cx.numbers.message_id();
        let mut subscriptions = self.subscriptions.of_queue(queue).peekable();
        if subscriptions.peek().is_none() {
            return cx.step(Step::Undelivered);
        }
        for it in subscriptions {
            cx.write(&ServerFrame::Message {
                subscription: &it.id,
                destination: &it.destination,
                acks: it.acks,
                message_id: &message_id,
                headers,
                content: Some(content),
            });
        }
    }

    /// The session has something for the client that answers no command.
    pub(in crate::stomp) fn push(&mut self, cx: &mut Context<'_>, push: Push) -> Option<Fatal> {
        match push {
            Push::Message { data, queue: Some(queue) } => self.deliver(cx, &queue, &[], &data.into()),
            Push::Message { queue: None, .. } => cx.step(Step::Undelivered),
            // An ERROR frame says it (`Translator::closing`).
            Push::Disconnect { .. } => {}
            Push::Publication(channel, publication) => {
                if let Some(group) = self.subscriptions.group(Some(&channel)) {
                    cx.write_publication(&group.form, &publication);
                }
            }
            Push::Subscribe(channel, subscribed) => {
                if subscribed.recovery == Recovery::Lost {
                    self.tell_gap(cx, &channel, &subscribed);
                }
                self.write_publications(cx, &channel, &subscribed);
            }
            Push::Unsubscribe(channel, why) => return self.ended(cx, channel, why),
            // Nobody asked for joins and leaves, and the gateway pings with control frames.
            Push::Ping | Push::Join(..) | Push::Leave(..) => {}
        }
        None
    }

    /// The session ended a subscription. After a loss it begins again by itself.
    fn ended(&mut self, cx: &mut Context<'_>, channel: ChannelName, why: Unsubscribe) -> Option<Fatal> {
        if self.in_flight.is_subscribing(&channel) {
            return None;
        }
        let group = self.subscriptions.group(Some(&channel))?;
        if why == Unsubscribe::InsufficientState {
            self.resubscribe(cx, channel, FIRST_PAUSE);
            return None;
        }
        let destination = group.form.subscriptions.first().map(|it| it.destination.clone()).unwrap_or_default();
        let failure =
            Failure::of_service(ENDED, format!("The subscription to {destination} was ended. The reason is: {}.", why.reason()), false);
        Some(failure.into())
    }

    /// Begins a subscription again that was lost.
    pub(super) fn resubscribe(&mut self, cx: &mut Context<'_>, channel: ChannelName, pause: Duration) {
        // The offsets before may be of another timeline.
        let Some(form) = self.subscriptions.set_after(&channel, |_| None) else { return };
        let request = subscribe_request(&channel, form, None);
        let purpose = Purpose::Resubscribe { channel, pause };
        let outgoing = Outgoing { request, purpose, after_refusal: AfterRefusal::Close, correlation_id: None };
        self.start(cx, outgoing, ReceiptOf::Frame(None));
    }
}
