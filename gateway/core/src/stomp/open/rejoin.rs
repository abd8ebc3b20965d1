//! A further SUBSCRIBE to a channel, from an earlier position than that of the subscriptions that the connection has.
//!
//! The session has one subscription for all of them. So the connection leaves the channel, and joins it again from the earliest position. Each
//! subscription takes only what it lacks. If the answer shows that the position is gone, the connection leaves once more, before anything of the
//! channel is written, and joins from where the others were.

use super::{connection::OpenConnection, subscribe::subscribe_request};
use crate::{
    model::{ChannelName, Position, RecoverFrom, Recovery},
    protocol::{Request, Subscribed},
    stomp::{
        Step,
        context::Context,
        rules::AfterRefusal,
        state::in_flight::{Outgoing, Pending, Purpose, ReceiptOf, Rejoin},
    },
};

impl OpenConnection {
    pub(super) fn leave_to_go_back(&mut self, cx: &mut Context<'_>, rejoin: Rejoin, receipt: ReceiptOf, after_refusal: AfterRefusal) {
        self.retries.remove(&rejoin.channel);
        let request = Request::Unsubscribe { channel: rejoin.channel.to_string() };
        let purpose = Purpose::Leave(Box::new(rejoin));
        self.start(cx, Outgoing { request, purpose, after_refusal, correlation_id: None }, receipt);
    }

    /// The connection left a channel, after it got everything up to this position.
    pub(in crate::stomp) fn left(&mut self, channel: &ChannelName, at: Option<Position>) {
        self.in_flight.left(channel, at);
    }

    /// The session answered that the connection left the channel. If it is not known where the others were, all go on from now.
    pub(super) fn join_again(&mut self, cx: &mut Context<'_>, rejoin: Box<Rejoin>, receipt: ReceiptOf, after_refusal: AfterRefusal) {
        let Rejoin { channel, id, from, left_at } = &*rejoin;
        let after = |each: &str| match (left_at, from) {
            (Some(at), Some(from)) if goes_back(from, *at) => (*each != **id).then_some(at.offset),
            (Some(_), Some(from)) => (*each == **id).then_some(from.offset),
            _ => None,
        };
        let Some(form) = self.subscriptions.set_after(channel, after) else { return self.done(cx, receipt, None) };
        let recover = left_at.map(|at| match from {
            Some(from) if goes_back(from, at) => from.clone(),
            _ => RecoverFrom { epoch: at.epoch.to_string(), offset: at.offset },
        });
        let request = subscribe_request(channel, form, recover);
        self.start(cx, Outgoing { request, purpose: Purpose::Rejoin(rejoin), after_refusal, correlation_id: None }, receipt);
    }

    /// The connection has joined the channel again.
    pub(super) fn joined_again(&mut self, cx: &mut Context<'_>, pending: Pending, subscribed: &Subscribed) {
        let Pending { purpose: Purpose::Rejoin(mut rejoin), receipt, after_refusal, .. } = pending else { return };
        let is_recovered = subscribed.recovery == Recovery::Recovered;
        let others_go_on = match (rejoin.left_at, subscribed.position) {
            (Some(left_at), Some(at)) => at.epoch == left_at.epoch && at.offset <= left_at.offset,
            _ => false,
        };
        let begin = match (&rejoin.from, rejoin.left_at) {
            (Some(from), Some(left_at)) => {
                let is_known = goes_back(from, left_at) || (is_recovered && is_known(from, subscribed));
                if !others_go_on || !is_known {
                    // Nothing of the channel is written before it has left.
                    cx.step(Step::Form(rejoin.channel.clone(), None));
                    rejoin.from = None;
                    return self.leave_to_go_back(cx, *rejoin, receipt, after_refusal);
                }
                subscribed.position.map(|at| if is_recovered { Position { offset: at.offset.max(from.offset), ..at } } else { at })
            }
            _ => subscribed.position,
        };
        self.done(cx, receipt, begin);
        let misses = |each: &str| if *each == *rejoin.id { rejoin.from.is_none() || !is_recovered } else { !others_go_on };
        self.tell_gap_to(cx, &rejoin.channel, subscribed, misses);
        self.write_publications(cx, &rejoin.channel, subscribed);
    }
}

/// Whether this position is before that of the others. One of another timeline may be; the session finds out.
fn goes_back(from: &RecoverFrom, at: Position) -> bool {
    from.offset <= at.offset
}

/// Whether the channel has come to this position.
fn is_known(from: &RecoverFrom, subscribed: &Subscribed) -> bool {
    let newest = subscribed.publications.last().and_then(|last| last.position).or(subscribed.position);
    newest.is_some_and(|newest| from.epoch == newest.epoch.to_string() && from.offset <= newest.offset)
}
