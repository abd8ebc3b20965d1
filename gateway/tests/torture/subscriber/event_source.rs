//! Subscribers that behave like the EventSource of a browser: all that they send is the id of the last event. A browser does not come back after
//! any status but 200, nor after an `end`, so here both are violations. The id has the positions of all channels, which the checkers compare with
//! what has arrived.

use super::{activity::Activity, pause};
use crate::{
    client::Ended,
    content,
    delivery_checker::{DeliveryChecker, View},
    ledger::Channel,
    tally::Count,
    world::World,
};
use gateway_core::{
    model::Position,
    protocol::event_stream::{
        ChannelList, LastEventId, LastPositions,
        testing::{Event, read},
    },
};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;

/// Time limit for connecting.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A connection without a byte for this time counts as dead. The gateway sends a comment each second.
const SILENCE: Duration = Duration::from_secs(5);

/// One EventSource.
pub(crate) struct EventSourceSubscriber {
    world: Arc<World>,
    who: String,
    activity: Arc<Activity>,
    channels: ChannelList,
    checkers: Vec<Arc<Mutex<DeliveryChecker>>>,
    data: Data,
    /// The id of the last event. Empty: none.
    last_id: String,
    failures: u32,
}

/// What the data of an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    /// That of the publication.
    Plain,
    /// The publication as JSON.
    Envelope,
}

impl EventSourceSubscriber {
    /// A subscriber of these channels. With `has_envelope` it asks for envelopes; several channels always have them.
    pub(crate) fn new(world: Arc<World>, who: String, activity: Arc<Activity>, channels: &[Arc<Channel>], has_envelope: bool) -> Self {
        let checkers = channels.iter().map(|channel| world.checkers.add(who.clone(), channel, View::FromNow, activity.clone())).collect();
        let data = if has_envelope || channels.len() > 1 { Data::Envelope } else { Data::Plain };
        let names = channels.iter().map(|channel| channel.name.parse().expect("it is a name")).collect();
        let channels = ChannelList::new(names).expect("a stream can have them");
        Self { world, who, activity, channels, checkers, data, last_id: String::new(), failures: 0 }
    }

    /// Runs until the future is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let ended = match self.connect().await {
                Ok(response) => {
                    self.failures = 0;
                    self.activity.connected();
                    match self.read_all(response).await {
                        Err(ended) => ended,
                        Ok(never) => match never {},
                    }
                }
                Err(ended) => ended,
            };
            if let Ended::Malformed(why) = &ended {
                self.world.tally.violation(Count::Other, 1, || format!("{}: {why}", self.who));
            }
            self.world.count_end(&ended);
            tokio::time::sleep(pause(self.failures)).await;
            self.failures += 1;
        }
    }

    async fn connect(&self) -> Result<Response, Ended> {
        let channels: Vec<_> = self.channels.iter().map(|channel| format!("channel={channel}")).collect();
        let mut url = format!("http://{}/events?{}", self.world.any_node().public.address(), channels.join("&"));
        if self.data == Data::Envelope && self.channels.len() == 1 {
            url.push_str("&envelope=true");
        }
        let mut request = self.world.http.get(url);
        if !self.last_id.is_empty() {
            request = request.header("last-event-id", &self.last_id);
        }
        let response = timeout(TIMEOUT, request.send()).await.map_err(|_| Ended::Broken)?.map_err(|_| Ended::Broken)?;
        match response.status() {
            StatusCode::OK => Ok(response),
            other => Err(Ended::Malformed(format!("an EventSource was answered {other}"))),
        }
    }

    async fn read_all(&mut self, mut response: Response) -> Result<Infallible, Ended> {
        let mut received = Vec::new();
        loop {
            while let Some(end) = received.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = received.drain(..end + 2).collect();
                let malformed = || Ended::Malformed(format!("the server sent {}", block.trim_ascii().escape_ascii()));
                self.block(&block).ok_or_else(malformed)?;
            }
            match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(bytes))) => received.extend_from_slice(&bytes),
                Ok(Ok(None) | Err(_)) | Err(_) => return Err(Ended::Broken),
            }
        }
    }

    /// Handles one block of lines. `None`: it violates the protocol.
    fn block(&mut self, block: &[u8]) -> Option<()> {
        let read = read(block);
        let has_id = !read.last_id.is_empty();
        if has_id {
            self.last_id = read.last_id;
        }
        match &read.events[..] {
            [] if has_id => self.begun(),
            [] => Some(()),
            [event] if event.kind == "message" => self.message(event),
            [event] if event.kind == "reset" => self.reset(event),
            _ => None,
        }
    }

    /// The stream begins at these positions.
    fn begun(&self) -> Option<()> {
        for (checker, position) in self.checkers.iter().zip(&*self.positions()?) {
            if let Some(position) = position {
                checker.lock().expect("no panic").subscribed(*position, true, &self.world.tally);
            }
        }
        Some(())
    }

    fn reset(&self, event: &Event) -> Option<()> {
        let data: Value = serde_json::from_str(&event.data).ok()?;
        let index = self.index(&data)?;
        let at = (*self.positions()?.get(index)?)?;
        self.checkers.get(index)?.lock().expect("no panic").subscribed(at, false, &self.world.tally);
        self.check_others(index)
    }

    fn message(&self, event: &Event) -> Option<()> {
        let (index, number, offset) = match self.data {
            Data::Plain => (0, content::of_event(&event.data)?, None),
            Data::Envelope => {
                let envelope: Value = serde_json::from_str(&event.data).ok()?;
                (self.index(&envelope)?, content::number(&envelope["data"])?, Some(envelope["offset"].as_u64()?))
            }
        };
        let at = (*self.positions()?.get(index)?)?;
        if offset.is_some_and(|offset| offset != at.offset) {
            return None;
        }
        if !self.world.drops_this_delivery() {
            self.checkers.get(index)?.lock().expect("no panic").publication_at(at, number, &self.world.tally);
        }
        self.check_others(index)
    }

    /// The index of the channel that an event names.
    fn index(&self, data: &Value) -> Option<usize> {
        let name = data["channel"].as_str()?;
        self.channels.iter().position(|channel| channel.as_str() == name)
    }

    /// The positions of the last id.
    fn positions(&self) -> Option<Box<[Option<Position>]>> {
        match LastEventId::parse(&self.last_id, &self.channels).ok()?.positions {
            LastPositions::Of(positions) => Some(positions),
            LastPositions::OfOtherChannels => None,
        }
    }

    /// Checks that the id says of all other channels what has arrived.
    fn check_others(&self, index: usize) -> Option<()> {
        for (other, (checker, position)) in self.checkers.iter().zip(&*self.positions()?).enumerate() {
            let has = checker.lock().expect("no panic").position();
            if other != index && has.map(|at| at.offset) != position.map(|at| at.offset) {
                let case = || format!("{}: the id says {position:?}, and has got {has:?} of {}", self.who, self.channels[other]);
                self.world.tally.violation(Count::Other, 1, case);
            }
        }
        Some(())
    }
}
