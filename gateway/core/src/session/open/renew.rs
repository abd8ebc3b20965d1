//! Answers of services that end: the session asks again in time.

use super::open_session::OpenSession;
use crate::{
    model::{ChannelName, Data, Disconnect, Tick, Unsubscribe},
    session::{
        Action, Identity, NamedBy, Occasion, Op, OpId, Outcome, SessionConfig,
        close_reason::CloseReason,
        context::Context,
        state::{command_queue::Purpose, renewal::Renewal, subscriptions::SubscriptionEvent},
    },
};

impl OpenSession {
    /// Asks about everything that ends soon.
    pub(super) fn renew(&mut self, cx: &mut Context<'_>) {
        if self.renewal.as_ref().is_some_and(|renewal| renewal.is_due(cx.now)) {
            self.renew_connection(cx);
        }
        while let Some(subscription) = self.subscriptions.due_for_renewal(cx.now) {
            let channel = subscription.channel.clone();
            self.renew_subscription(cx, channel);
        }
    }

    fn renew_connection(&mut self, cx: &mut Context<'_>) {
        let has_room = self.has_room(cx.config);
        let Some(renewal) = &mut self.renewal else { return };
        if !has_room {
            return renewal.postpone(cx.now);
        }
        let question = renewal.question.clone();
        let op = self.start(cx, 0, None, Purpose::RenewConnection, Op::AskConnect(question));
        if let Some(renewal) = &mut self.renewal {
            renewal.asked(op);
        }
    }

    fn renew_subscription(&mut self, cx: &mut Context<'_>, channel: ChannelName) {
        let has_room = self.has_room(cx.config);
        let Some(renewal) = self.renewal_of(&channel) else { return };
        if !has_room {
            return renewal.postpone(cx.now);
        }
        let (data, within) = (renewal.question.clone(), cx.config.attach_timeout);
        let op = Op::AskSubscribe { channel: channel.clone(), data, within, occasion: Occasion::Renewal };
        // Commands on the channel do not wait for the answer.
        let op = self.start(cx, 0, None, Purpose::RenewSubscription(channel.clone()), op);
        if let Some(renewal) = self.renewal_of(&channel) {
            renewal.asked(op);
        }
    }

    /// The service that let the connection in was asked again. If it refuses, the connection ends like one whose token has expired.
    pub(super) fn connection_renewed(&mut self, cx: &mut Context<'_>, op: OpId, outcome: Outcome) -> Result<(), CloseReason> {
        let Some(renewal) = self.renewal.as_deref_mut().filter(|it| it.awaits(op)) else { return Ok(()) };
        match outcome {
            Outcome::Authenticated(identity) if identity.user == self.info.user => self.stays(cx, *identity),
            Outcome::CallFailed { temporary: true, .. } | Outcome::Failed(_) => renewal.unanswered(cx.now),
            _ => return Err(Disconnect::Expired.into()),
        }
        Ok(())
    }

    fn stays(&mut self, cx: &mut Context<'_>, Identity { issued, permit, .. }: Identity) {
        let Some(permit) = permit else { return };
        if permit.named_by == NamedBy::Service {
            self.issued = issued;
        }
        self.renewal = permit.renewal.map(|(valid, question)| Box::new(Renewal::begin(cx, question, valid)));
        if permit.meta.is_some() {
            self.has_token_meta = false;
            cx.emit(Action::SetMeta(permit.meta));
        }
    }

    /// The guard of a channel was asked again.
    pub(super) fn subscription_renewed(&mut self, cx: &mut Context<'_>, op: OpId, channel: ChannelName, outcome: Outcome) {
        let Some(subscription) = self.subscriptions.get_mut(&channel) else { return };
        let Some(renewal) = subscription.renewal.as_deref_mut().filter(|it| it.awaits(op)) else { return };
        match outcome {
            Outcome::Allowed(permit) => {
                let question = renewal.question.take();
                subscription.renewal = permit.expires_in.map(|valid| Box::new(Renewal::begin(cx, question, valid)));
            }
            Outcome::CallFailed { temporary: true, .. } | Outcome::Failed(_) => renewal.unanswered(cx.now),
            _ => self.end_live(cx, channel, SubscriptionEvent::Expired, Unsubscribe::Expired),
        }
    }

    /// Whether another operation may start.
    fn has_room(&self, config: &SessionConfig) -> bool {
        self.wants_input(config)
    }

    fn renewal_of(&mut self, channel: &str) -> Option<&mut Renewal<Option<Data>>> {
        self.subscriptions.get_mut(channel)?.renewal.as_deref_mut()
    }

    /// Whether what the service allowed has ended without another answer.
    pub(super) fn is_over(&self, now: Tick) -> bool {
        self.expires_at.is_some_and(|at| at <= now) || self.renewal.as_ref().is_some_and(|renewal| renewal.is_over(now))
    }
}
