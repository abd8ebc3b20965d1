//! From the request to the decision whether there is a stream.
//!
//! A stream begins when the session has accepted all channels. Until the client has read that something is missing in a channel, the ids keep the
//! position that it came with: if it is cut off before, it comes back from there, and gets the reset then.

use super::{
    interface::{Begin, Step},
    resume::Resume,
    stream::Stream,
};
use crate::{
    model::{ErrorCode, Refusal},
    protocol::{Command, Subscribed},
};
use std::time::Duration;

/// A stream whose channels are being subscribed.
#[derive(Debug)]
pub(super) struct Opening {
    begin: Begin,
    retry: Duration,
    /// The answers, by the index of the channel.
    answers: Vec<Option<Box<Subscribed>>>,
}

impl Opening {
    pub(super) fn new(begin: Begin, retry: Duration) -> Self {
        Self { begin, retry, answers: Vec::new() }
    }

    /// Subscribes to all channels. The commands have the ids after `last_command`.
    pub(super) fn subscribe_all(&mut self, stream: &Stream, last_command: &mut u32, steps: &mut Vec<Step>) {
        self.answers.resize_with(stream.len(), || None);
        for index in 0..stream.len() {
            *last_command += 1;
            let request = stream.subscribe(index, Resume::of(&self.begin, index).recover());
            steps.extend(request.map(|request| Step::Command(Command { id: *last_command, request })));
        }
    }

    /// The session accepted a channel. Returns whether it was the last.
    pub(super) fn subscribed(&mut self, index: usize, subscribed: Box<Subscribed>) -> bool {
        if let Some(answer) = self.answers.get_mut(index) {
            *answer = Some(subscribed);
        }
        self.answers.iter().all(Option::is_some)
    }

    /// Begins the stream: the opening block, what is missing, and what the client missed.
    pub(super) fn finish(self, stream: &mut Stream) -> Result<Vec<u8>, Refusal> {
        let answers: Vec<_> = self.answers.into_iter().flatten().collect();
        let resumes: Vec<_> = (0..answers.len()).map(|index| Resume::of(&self.begin, index)).collect();
        answers.iter().enumerate().for_each(|(index, answer)| stream.set_position(index, answer.position));
        stream.check_ids().map_err(|too_long| Refusal::new(ErrorCode::LimitExceeded, too_long.to_string()))?;
        let lost = |index: usize, answer: &Subscribed| resumes.get(index).filter(|resume| resume.is_lost(answer));
        let (mut keeps_id, mut out) = (false, Vec::new());
        for (index, answer) in answers.iter().enumerate() {
            if let Some(resume) = lost(index, answer) {
                // An id of one channel would say that nothing is missing. That of other channels stays until the first reset.
                keeps_id |= stream.len() == 1 || *resume == Resume::OfOtherChannels;
                stream.set_position(index, resume.before_reset());
            }
        }
        stream.write_opening(self.retry, !keeps_id, &mut out);
        for (index, answer) in answers.iter().enumerate() {
            if lost(index, answer).is_some() {
                stream.write_reset(index, answer.position, &mut out);
            }
            stream.write_missed(index, answer, &mut out);
        }
        Ok(out)
    }
}
