//! What an event stream writes, and where its client is.

use crate::{
    model::{ChannelName, Position, Publication, RecoverFrom},
    protocol::{
        DeliveryForm, Request, SubscribeRequest, Subscribed,
        event_stream::{
            ChannelList, EventForm, EventTemplate, IdsTooLong, StreamPositions, append_event, append_opening, end_id, position_id,
        },
    },
};
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// What a stream writes, and where its client is.
#[derive(Debug)]
pub(super) struct Stream {
    channels: ChannelList,
    forms: Box<[Arc<EventForm>]>,
    place: Place,
}

/// Where the client is.
#[derive(Debug)]
enum Place {
    /// In its only channel, as far as it is known: the hub writes without word.
    Single(Option<Position>),
    /// In several channels.
    Several(StreamPositions),
}

/// The data of a `reset` event.
#[derive(Serialize)]
struct Reset<'a> {
    channel: &'a str,
}

/// The data of an `end` event.
#[derive(Serialize)]
struct End<'a> {
    code: u32,
    reason: &'a str,
}

impl Stream {
    pub(super) fn new(channels: ChannelList, has_envelope: bool) -> Self {
        if let [channel] = &*channels {
            let form = EventForm::Single { envelope: has_envelope.then(|| channel.clone()) };
            return Self { forms: [Arc::new(form)].into(), place: Place::Single(None), channels };
        }
        let positions = StreamPositions::new(&channels);
        let each = channels.iter().enumerate();
        let forms = each.map(|(index, channel)| {
            let (channel, positions) = (channel.clone(), positions.clone());
            Arc::new(EventForm::Several { channel, index, positions })
        });
        Self { forms: forms.collect(), place: Place::Several(positions), channels }
    }

    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    pub(super) fn only_channel(&self) -> Option<&ChannelName> {
        if let [channel] = &*self.channels { Some(channel) } else { None }
    }

    pub(super) fn index(&self, channel: &str) -> Option<usize> {
        self.channels.iter().position(|each| each.as_str() == channel)
    }

    /// The request to subscribe to the channel with this index. `None`: there is none.
    pub(super) fn subscribe(&self, index: usize, recover: Option<RecoverFrom>) -> Option<Request> {
        let (channel, form) = (self.channels.get(index)?.to_string(), DeliveryForm::Events(self.forms.get(index)?.clone()));
        let form = Some(form);
        Some(Request::Subscribe(Box::new(SubscribeRequest { channel, recover, form, ..SubscribeRequest::default() })))
    }

    /// The position that the client has, or will have when it has read what is queued.
    pub(super) fn position(&self, index: usize) -> Option<Position> {
        match &self.place {
            Place::Single(at) => *at,
            Place::Several(positions) => positions.get(index),
        }
    }

    pub(super) fn set_position(&mut self, index: usize, at: Option<Position>) {
        match &mut self.place {
            Place::Single(known) => *known = at,
            Place::Several(positions) => positions.set(index, at),
        }
    }

    /// The connection left the channel, or is about to, after it got everything up to this position.
    pub(super) fn left(&mut self, at: Option<Position>) {
        // With several channels each event says where the client is.
        if let Place::Single(known) = &mut self.place {
            *known = at;
        }
    }

    /// Whether the ids of the stream stay short enough.
    pub(super) fn check_ids(&self) -> Result<(), IdsTooLong> {
        match &self.place {
            Place::Single(_) => Ok(()),
            Place::Several(positions) => positions.check_length(),
        }
    }

    /// The id of where the client is. `None`: it has no position.
    fn id(&self) -> Option<String> {
        match &self.place {
            Place::Single(at) => at.map(position_id),
            Place::Several(positions) => Some(positions.id()),
        }
    }

    /// Begins the stream. Without `has_id` the client keeps the id that it has.
    pub(super) fn write_opening(&self, retry: Duration, has_id: bool, out: &mut Vec<u8>) {
        append_opening(retry, self.id().filter(|_| has_id).as_deref(), out);
    }

    /// Tells the client that publications of a channel are lost, and where it is now.
    pub(super) fn write_reset(&mut self, index: usize, at: Option<Position>, out: &mut Vec<u8>) {
        self.set_position(index, at);
        let channel = self.channels.get(index).map(ChannelName::as_str).unwrap_or_default();
        append_event(Some(&self.id().unwrap_or_default()), Some("reset"), &json(&Reset { channel }), out);
    }

    /// Tells the client not to come back. If it does, its last id shows it.
    pub(super) fn write_end(&self, code: u32, reason: &str, out: &mut Vec<u8>) {
        let id = end_id(&self.id().unwrap_or_default());
        append_event(Some(&id), Some("end"), &json(&End { code, reason }), out);
    }

    /// Writes what the answer to a subscribe has.
    pub(super) fn write_missed(&self, index: usize, subscribed: &Subscribed, out: &mut Vec<u8>) {
        subscribed.publications.iter().for_each(|publication| self.write_publication(index, publication, out));
    }

    pub(super) fn write_publication(&self, index: usize, publication: &Publication, out: &mut Vec<u8>) {
        if let Some(form) = self.forms.get(index) {
            form.append(&EventTemplate::new(form, publication), publication, out);
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers are JSON")
}
