//! Handles the frames of the instance.

use super::{
    super::{
        call_types::{CallError, CallResult},
        counters::Count,
        instances::instance::{CallId, Outgoing},
    },
    ending::Ending,
    frames::malformed,
    hello::{invalid_message, parse},
    messages::Received,
    open_link::Link,
    phases::LinkEvent,
    publish_queues::PublishIntake,
};
use futures_util::{Stream, StreamExt};
use gateway_core::model::{Data, ErrorCode, Refusal};
use shared_proto::link::{self, NO_SUCH_METHOD, ToGateway};
use tokio::time::Instant;

/// Codes of a service's own errors.
const OWN_CODES: std::ops::RangeInclusive<u32> = 400..=999;

/// Longest message of a service's own error, in bytes; the rest is cut off.
const MESSAGE_MAX: usize = 1024;

impl Link<'_> {
    /// Handles frames until the peer closes the link or violates the protocol.
    pub(super) async fn read<R: Stream<Item = Received> + Unpin>(&self, reader: &mut R, publishes: &PublishIntake) -> Ending {
        while let Some(received) = reader.next().await {
            self.last_received.set(Instant::now());
            if let Err(ending) = self.take(received, publishes) {
                return ending;
            }
        }
        Ending::Lost
    }

    fn take(&self, received: Received, publishes: &PublishIntake) -> Result<(), Ending> {
        match received {
            Received::Text(text) => self.frame(parse(&text)?, publishes),
            // If the queue is full, the pong is dropped, because the peer does not read.
            Received::Ping(bytes) => {
                let _ = self.queue.try_send(Outgoing::Pong(bytes));
                Ok(())
            }
            Received::Pong => Ok(()),
            Received::Close => Err(Ending::ClosedByInstance),
            Received::Invalid(invalid) => Err(invalid_message(invalid, self.services.links.message_size)),
        }
    }

    fn frame(&self, frame: ToGateway, publishes: &PublishIntake) -> Result<(), Ending> {
        match frame {
            ToGateway::Hello(_) => return Err(malformed("hello was sent twice.")),
            ToGateway::Reply(reply) => self.answer(reply.id, answer_of(&reply, self.services.links.reply_size)),
            ToGateway::Error(error) => self.answer(error.id, Err(error_of(error))),
            ToGateway::Publish(publish) => publishes.take(publish)?,
            ToGateway::Credit(credit) => self.service.pool().credit(self.id, credit.n),
            ToGateway::Drain(_) => {
                self.phase.apply(LinkEvent::DrainReceived);
                self.service.pool().drain(self.id);
            }
        }
        Ok(())
    }

    fn answer(&self, id: u64, answer: CallResult) {
        if !self.service.pool().answer(CallId { link: self.id, id }, answer) {
            self.services.counters.add(Count::AnswerLate);
        }
    }
}

fn answer_of(reply: &link::Reply, limit: usize) -> CallResult {
    let data = Data::parse(&reply.data).map_err(|e| bad_reply(format!("The service's reply {e}. Tell its developers.")))?;
    match data.get().len() {
        size if size > limit => Err(bad_reply(format!("The service's reply has {size} bytes; {limit} are allowed. Tell its developers."))),
        _ => Ok(data),
    }
}

fn error_of(error: link::CallError) -> CallError {
    if !OWN_CODES.contains(&error.code) && error.code != NO_SUCH_METHOD {
        let (code, first, last) = (error.code, OWN_CODES.start(), OWN_CODES.end());
        return bad_reply(format!(
            "The service failed with code {code}; allowed are {first} to {last}, and {NO_SUCH_METHOD} for an unknown method. Tell its developers."
        ));
    }
    let mut message = error.message;
    while message.len() > MESSAGE_MAX {
        message.pop();
    }
    CallError::Service { code: error.code, message, temporary: error.temporary }
}

fn bad_reply(detail: String) -> CallError {
    CallError::Refused(Refusal::new(ErrorCode::BadReply, detail))
}
