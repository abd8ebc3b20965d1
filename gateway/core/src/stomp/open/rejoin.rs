//! A further SUBSCRIBE to a channel, from an earlier position than that of the subscriptions that the connection has.
//!
//! The session has one subscription for all of them. So the connection leaves the channel, and joins it again from the earliest position. Each
//! subscription takes only what it lacks.

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
        let others = left_at.map(|at| at.offset);
        let form = self.subscriptions.set_after(channel, |each| if others.is_some() && *each == **id { Some(from.offset) } else { others });
        let Some(form) = form else { return self.done(cx, receipt, None) };
        let request = subscribe_request(channel, form, left_at.map(|at| earliest(from, at)));
        self.start(cx, Outgoing { request, purpose: Purpose::Rejoin(rejoin), after_refusal, correlation_id: None }, receipt);
    }

    /// The connection has joined the channel again.
    pub(super) fn joined_again(&mut self, cx: &mut Context<'_>, pending: Pending, subscribed: &Subscribed) {
        let Pending { purpose: Purpose::Rejoin(rejoin), receipt, .. } = pending else { return };
        let Rejoin { channel, id, from, left_at } = *rejoin;
        let is_recovered = subscribed.recovery == Recovery::Recovered;
        let begin = subscribed.position.map(|at| if is_recovered { Position { offset: at.offset.max(from.offset), ..at } } else { at });
        self.done(cx, receipt, begin);
        if !is_recovered {
            // The offsets before may be of another timeline.
            if let Some(form) = self.subscriptions.set_after(&channel, |_| None) {
                cx.step(Step::Form(channel.clone(), Some(form)));
            }
            let missed_nothing = left_at.is_some() && left_at == subscribed.position;
            self.tell_gap_to(cx, &channel, subscribed, |each| each == &*id || !missed_nothing);
        }
        self.write_publications(cx, &channel, subscribed);
    }
}

/// The earlier of both. A position of another timeline may be earlier; the session finds out.
fn earliest(from: &RecoverFrom, at: Position) -> RecoverFrom {
    let is_later = from.epoch == at.epoch.to_string() && from.offset > at.offset;
    RecoverFrom { epoch: from.epoch.clone(), offset: if is_later { at.offset } else { from.offset } }
}
