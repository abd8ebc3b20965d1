//! Handles the frames of the instance.

use super::{
    super::{
        call_types::{CallError, CallResult, Reply},
        counters::Count,
        instances::instance::{CallId, Outgoing},
        queued::delivery::in_hand::InHand,
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
use gateway_core::model::Data;
use shared_proto::link::{self, ToGateway};
use std::time::Duration;
use tokio::time::Instant;

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
            ToGateway::Credit(credit) => {
                self.links.lock().credit(self.id, credit.n);
                self.outlet.credit_granted();
                self.service.wake();
            }
            ToGateway::Done(done) => {
                let in_hand = self.links.lock().take_done(self.id, &done.id);
                self.end_event(in_hand, InHand::done);
            }
            ToGateway::Failed(failed) => {
                let in_hand = self.links.lock().take_failed(self.id, &failed.id);
                self.end_event(in_hand, |in_hand| {
                    let detail = if failed.temporary { "The service asked for another try." } else { "The service refused it for good." };
                    in_hand.failed(failed.temporary, failed.retry_after_ms.map(Duration::from_millis), detail);
                });
            }
            ToGateway::Drain(_) => {
                self.phase.apply(LinkEvent::DrainReceived);
                self.links.lock().drain(self.id);
            }
        }
        Ok(())
    }

    /// Ends an event from a queue. One that this link does not have is ignored and counted: it was late, or the instance made it up.
    fn end_event(&self, in_hand: Option<InHand>, end: impl FnOnce(InHand)) {
        match (in_hand, &self.service.queue) {
            (Some(in_hand), _) => end(in_hand),
            (None, Some(queue)) => queue.counters.count_unknown_end(),
            // It has no queue, so the instance is wrong about its service; that harms nobody.
            (None, None) => self.services.counters.add(Count::EndUnexpected),
        }
    }

    fn answer(&self, id: u64, answer: CallResult) {
        if !self.links.lock().answer(CallId { link: self.id, id }, answer) {
            self.services.counters.add(Count::AnswerLate);
        }
    }
}

fn answer_of(reply: &link::Reply, limit: usize) -> CallResult {
    let data = Data::parse(&reply.data).map_err(|e| CallError::bad_reply(format!("The service's reply {e}. Tell its developers.")))?;
    match data.get().len() {
        size if size > limit => {
            Err(CallError::reply_too_large(format!("The service's reply has {size} bytes; {limit} are allowed. Tell its developers.")))
        }
        _ => Reply::with_meta(data, reply.meta.as_deref())
            .map_err(|error| CallError::bad_reply(format!("The service's reply {error}. Tell its developers."))),
    }
}

fn error_of(error: link::CallError) -> CallError {
    CallError::of_service(error.code.into(), error.message, error.temporary)
}
