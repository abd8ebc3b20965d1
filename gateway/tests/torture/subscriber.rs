//! Subscribers, as the official SDKs are: they come back by themselves, to any node, and go on where they were.

use crate::{
    client::{Client, Ended},
    follower::Follower,
    ledger::Channel,
    tally::Count,
    world::{Content, World},
};
use gateway_core::model::{Epoch, Position};
use shared_proto::frontend::{Frame, Method, Publication, Push, Subscribe, Subscribed};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// A subscribe without an answer costs the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// One client with its channels.
pub(crate) struct Subscriber {
    world: Arc<World>,
    who: String,
    subscriptions: HashMap<String, Subscription>,
    failures: u32,
}

struct Subscription {
    follower: Arc<Mutex<Follower>>,
    state: State,
    failures: u32,
}

enum State {
    /// To be subscribed then.
    Due(Instant),
    /// Asked for with this command, to be answered by then.
    Asked(u32, Instant),
    Live,
}

impl Subscriber {
    pub(crate) fn new(world: Arc<World>, who: String, channels: &[Arc<Channel>]) -> Self {
        let each = |channel: &Arc<Channel>| {
            let follower = world.followers.add(who.clone(), channel);
            (channel.name.clone(), Subscription { follower, state: State::Due(Instant::now()), failures: 0 })
        };
        let subscriptions = channels.iter().map(each).collect();
        Self { world, who, subscriptions, failures: 0 }
    }

    /// Lives until it is dropped.
    pub(crate) async fn live(mut self) {
        loop {
            let ended = match Client::connect(self.world.any_node().public.address()).await {
                Ok(client) => {
                    self.failures = 0;
                    match self.follow(client).await {
                        Err(ended) => ended,
                        Ok(never) => match never {},
                    }
                }
                Err(ended) => ended,
            };
            if ended.is_for_good() {
                self.world.tally.wrong(Count::Other, 1, || format!("{}: closed for good: {ended}", self.who));
            }
            self.world.count_end(&ended);
            sleep(pause(self.failures)).await;
            self.failures += 1;
        }
    }

    async fn follow(&mut self, mut client: Client) -> Result<std::convert::Infallible, Ended> {
        for subscription in self.subscriptions.values_mut() {
            subscription.state = State::Due(Instant::now());
        }
        loop {
            let due = self.subscriptions.values().filter_map(Subscription::deadline).min();
            tokio::select! {
                frame = client.next() => self.take(frame?),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.subscribe(&mut client).await?,
            }
        }
    }

    /// Sends the subscribes that are due.
    async fn subscribe(&mut self, client: &mut Client) -> Result<(), Ended> {
        let now = Instant::now();
        for (channel, subscription) in &mut self.subscriptions {
            match subscription.state {
                State::Due(at) if at <= now => {
                    let from = subscription.follower.lock().expect("no panic").position();
                    let (epoch, offset) = from.map_or_else(Default::default, |from| (from.epoch.to_string(), from.offset));
                    let subscribe = Subscribe { channel: channel.clone(), token: None, recover: true, epoch, offset };
                    let id = client.send(Method::Subscribe(subscribe)).await?;
                    subscription.state = State::Asked(id, now + PATIENCE);
                }
                State::Asked(_, until) if until <= now => return Err(Ended::Broken),
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame { push: Some(push), .. } => self.push(push),
            Frame { id, subscribe, error, .. } => {
                let asked = self
                    .subscriptions
                    .values_mut()
                    .find(|subscription| matches!(subscription.state, State::Asked(asked, _) if asked == id));
                let Some(subscription) = asked else { return };
                if let Some(answer) = subscribe {
                    (subscription.state, subscription.failures) = (State::Live, 0);
                    let follower = subscription.follower.clone();
                    self.subscribed(&follower, answer);
                } else if let Some(error) = error {
                    subscription.state = State::Due(Instant::now() + pause(subscription.failures));
                    subscription.failures += 1;
                    if !error.temporary {
                        self.world.tally.wrong(Count::Other, 1, || format!("{}: a subscribe was refused: {error:?}", self.who));
                    }
                }
            }
        }
    }

    fn subscribed(&self, follower: &Mutex<Follower>, answer: Subscribed) {
        let tally = &self.world.tally;
        let Some(epoch) = Epoch::parse(&answer.epoch).filter(|_| answer.recoverable && answer.was_recovering) else {
            tally.wrong(Count::Other, 1, || format!("{}: a subscribe was answered {answer:?}", self.who));
            return;
        };
        let mut follower = follower.lock().expect("no panic");
        follower.subscribed(Position { epoch, offset: answer.offset }, answer.recovered, tally);
        for publication in answer.publications {
            self.publication(&mut follower, &publication);
        }
    }

    fn push(&mut self, push: Push) {
        let Some(subscription) = self.subscriptions.get_mut(&push.channel) else { return };
        if let Some(publication) = push.publication {
            let follower = subscription.follower.clone();
            self.publication(&mut follower.lock().expect("no panic"), &publication);
        } else if let Some(ended) = push.unsubscribe {
            if ended.code < 2500 {
                self.world.tally.wrong(Count::Other, 1, || format!("{}: unsubscribed for good: {ended:?}", self.who));
            }
            subscription.state = State::Due(Instant::now());
        }
    }

    fn publication(&self, follower: &mut Follower, publication: &Publication) {
        if self.world.drops_this_delivery() {
            return;
        }
        match serde_json::from_str(publication.data.get()) {
            Ok(Content { number, .. }) => follower.publication(publication.offset, number, &self.world.tally),
            Err(error) => self.world.tally.wrong(Count::Other, 1, || format!("{}: {error}: {publication:?}", self.who)),
        }
    }
}

/// Full jitter, growing.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(rand::random_range(10..=(50 << failures.min(4))))
}

impl Subscription {
    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) | State::Asked(_, at) => Some(at),
            State::Live => None,
        }
    }
}
