//! Subscribers that behave like the official SDKs, over a WebSocket or a stream: they recover from their last position.

use super::{activity::Activity, pause};
use crate::{
    client::{Client, Ended, Form, Transport},
    content,
    delivery_checker::DeliveryChecker,
    ledger::Channel,
    tally::Count,
    world::World,
};
use gateway_core::model::{Epoch, Position};
use shared_proto::frontend::{Frame, Method, Publication, Push, Subscribe, Subscribed};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// If a subscribe command has no reply within this time, the subscriber reconnects.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One client and its subscriptions.
pub(crate) struct Subscriber {
    world: Arc<World>,
    who: String,
    activity: Arc<Activity>,
    transport: Transport,
    form: Form,
    subscriptions: HashMap<String, Subscription>,
    failures: u32,
}

struct Subscription {
    checker: Arc<Mutex<DeliveryChecker>>,
    state: State,
    failures: u32,
}

enum State {
    /// The subscribe command is sent at this time.
    Due(Instant),
    /// The command with this id was sent. Its reply must arrive before this time.
    Requested(u32, Instant),
    Subscribed,
}

impl Subscriber {
    pub(crate) fn new(
        world: Arc<World>,
        who: String,
        activity: Arc<Activity>,
        (transport, form): (Transport, Form),
        channels: &[Arc<Channel>],
    ) -> Self {
        let each = |channel: &Arc<Channel>| {
            let checker = world.checkers.add(who.clone(), channel, form.view(), activity.clone());
            (channel.name.clone(), Subscription { checker, state: State::Due(Instant::now()), failures: 0 })
        };
        let subscriptions = channels.iter().map(each).collect();
        Self { world, who, activity, transport, form, subscriptions, failures: 0 }
    }

    /// Runs until the future is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let ended = match Client::connect(&self.world, self.transport, self.form).await {
                Ok(client) => {
                    self.failures = 0;
                    self.activity.connected();
                    match self.run_connection(client).await {
                        Err(ended) => ended,
                        Ok(never) => match never {},
                    }
                }
                Err(ended) => ended,
            };
            if ended.is_for_good() {
                self.world.tally.violation(Count::Other, 1, || format!("{}: closed for good: {ended}", self.who));
            }
            self.world.count_end(&ended);
            sleep(pause(self.failures)).await;
            self.failures += 1;
        }
    }

    async fn run_connection(&mut self, mut client: Client) -> Result<std::convert::Infallible, Ended> {
        for subscription in self.subscriptions.values_mut() {
            subscription.state = State::Due(Instant::now());
        }
        loop {
            let due = self.subscriptions.values().filter_map(Subscription::deadline).min();
            tokio::select! {
                frame = client.next() => self.handle_frame(frame?),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.subscribe(&mut client).await?,
            }
        }
    }

    /// Sends the subscribe commands that are due.
    async fn subscribe(&mut self, client: &mut Client) -> Result<(), Ended> {
        let now = Instant::now();
        for (channel, subscription) in &mut self.subscriptions {
            match subscription.state {
                State::Due(at) if at <= now => {
                    let from = subscription.checker.lock().expect("no panic").position();
                    let (epoch, offset) = from.map_or_else(Default::default, |from| (from.epoch.to_string(), from.offset));
                    let subscribe = Subscribe { channel: channel.clone(), token: None, recover: true, epoch, offset };
                    let id = client.send(Method::Subscribe(subscribe)).await?;
                    subscription.state = State::Requested(id, now + TIMEOUT);
                }
                State::Requested(_, until) if until <= now => return Err(Ended::Broken),
                _ => {}
            }
        }
        Ok(())
    }

    fn handle_frame(&mut self, frame: Frame) {
        match frame {
            Frame { push: Some(push), .. } => self.push(push),
            Frame { id, subscribe, error, .. } => {
                let asked = self
                    .subscriptions
                    .values_mut()
                    .find(|subscription| matches!(subscription.state, State::Requested(asked, _) if asked == id));
                let Some(subscription) = asked else { return };
                if let Some(answer) = subscribe {
                    (subscription.state, subscription.failures) = (State::Subscribed, 0);
                    let checker = subscription.checker.clone();
                    self.subscribed(&checker, answer);
                } else if let Some(error) = error {
                    subscription.state = State::Due(Instant::now() + pause(subscription.failures));
                    subscription.failures += 1;
                    if !error.temporary {
                        self.world.tally.violation(Count::Other, 1, || format!("{}: a subscribe was refused: {error:?}", self.who));
                    }
                }
            }
        }
    }

    fn subscribed(&self, checker: &Mutex<DeliveryChecker>, answer: Subscribed) {
        let tally = &self.world.tally;
        let Some(epoch) = Epoch::parse(&answer.epoch).filter(|_| answer.recoverable && answer.was_recovering) else {
            tally.violation(Count::Other, 1, || format!("{}: a subscribe was answered {answer:?}", self.who));
            return;
        };
        let mut checker = checker.lock().expect("no panic");
        checker.subscribed(Position { epoch, offset: answer.offset }, answer.recovered, tally);
        for publication in answer.publications {
            self.publication(&mut checker, &publication);
        }
    }

    fn push(&mut self, push: Push) {
        let Some(subscription) = self.subscriptions.get_mut(&push.channel) else { return };
        if let Some(publication) = push.publication {
            let checker = subscription.checker.clone();
            self.publication(&mut checker.lock().expect("no panic"), &publication);
        } else if let Some(ended) = push.unsubscribe {
            if ended.code < 2500 {
                self.world.tally.violation(Count::Other, 1, || format!("{}: unsubscribed for good: {ended:?}", self.who));
            }
            subscription.state = State::Due(Instant::now());
        }
    }

    fn publication(&self, checker: &mut DeliveryChecker, publication: &Publication) {
        if self.world.drops_this_delivery() {
            return;
        }
        match serde_json::from_str(publication.data.get()).ok().and_then(|data| content::number(&data)) {
            Some(number) => checker.publication(publication.offset, number, &self.world.tally),
            None => self.world.tally.violation(Count::Other, 1, || format!("{}: no number: {publication:?}", self.who)),
        }
    }
}

impl Subscription {
    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) | State::Requested(_, at) => Some(at),
            State::Subscribed => None,
        }
    }
}
