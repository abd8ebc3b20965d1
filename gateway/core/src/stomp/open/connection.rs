//! The state of an open connection, and which code handles a frame.

use crate::{
    model::{ChannelName, ClientInfo, Disconnect, Position, Tick},
    protocol::{
        Connected,
        stomp::{ClientCommand, Frame, Headers, HeartBeat, ServerFrame, Version},
    },
    stomp::{
        Step, StompConfig,
        connect::Connecting,
        context::Context,
        failure::{About, Close, Failure, Fatal, Rejected},
        refusal::bad_request,
        rules::AfterRefusal,
        state::{
            heart_beats::{Due, HeartBeats},
            in_flight::{InFlight, Outgoing, ReceiptOf},
            retries::Retries,
            subscriptions::Subscriptions,
            transactions::Transactions,
        },
    },
};
use std::{collections::VecDeque, sync::Arc};

/// The queue of the user for errors that leave the connection open, as in many Spring applications.
const ERRORS: &str = "errors";

/// An open connection.
#[derive(Debug)]
pub(in crate::stomp) struct OpenConnection {
    pub(super) version: Version,
    info: Option<Arc<ClientInfo>>,
    heart_beats: HeartBeats,
    pub(super) subscriptions: Subscriptions,
    pub(super) in_flight: InFlight,
    pub(super) transactions: Transactions,
    pub(super) retries: Retries,
    /// Boxed, because it is rare.
    commit: Option<Box<Commit>>,
}

/// A COMMIT that is being carried out. Frames wait for its end.
#[derive(Debug)]
struct Commit {
    receipt: Option<Box<str>>,
    /// What is not sent to the session yet.
    waiting: VecDeque<Outgoing>,
    in_flight: usize,
}

impl OpenConnection {
    /// A connection that the session accepted.
    pub(in crate::stomp) fn begin(now: Tick, connecting: &Connecting) -> Self {
        let Connecting { version, heart_beat, info, .. } = connecting;
        Self {
            version: *version,
            info: info.clone(),
            heart_beats: HeartBeats::begin(now, *heart_beat, heart_beat.answer()),
            subscriptions: Subscriptions::default(),
            in_flight: InFlight::default(),
            transactions: Transactions::default(),
            retries: Retries::default(),
            commit: None,
        }
    }

    /// Sends CONNECTED.
    pub(in crate::stomp) fn greet(&self, cx: &mut Context<'_>, heart_beat: HeartBeat, connected: &Connected) {
        let session = connected.client.to_string();
        let user_name = self.info.as_deref().map(|info| info.user.as_str()).filter(|user| !user.is_empty());
        let server = &cx.config.server;
        cx.write(&ServerFrame::Connected { server, session: &session, heart_beat: heart_beat.answer(), user_name });
    }

    pub(in crate::stomp) fn version(&self) -> Version {
        self.version
    }

    /// Whether the next frame need not wait.
    pub(in crate::stomp) fn takes_frames(&self, config: &StompConfig) -> bool {
        self.commit.is_none() && self.in_flight.len() < config.max_in_flight && !self.in_flight.blocks()
    }

    /// Whether everything is answered.
    pub(in crate::stomp) fn is_idle(&self) -> bool {
        self.commit.is_none() && self.in_flight.is_empty()
    }

    pub(in crate::stomp) fn received(&mut self, now: Tick) {
        self.heart_beats.received(now);
    }

    pub(in crate::stomp) fn deadline(&self) -> Option<Tick> {
        [self.heart_beats.deadline(), self.retries.deadline()].into_iter().flatten().min()
    }

    /// Sends what is due. The client is gone if it was silent for too long.
    pub(in crate::stomp) fn timer(&mut self, cx: &mut Context<'_>, reading: bool) -> Option<Close> {
        let Due { beat, ping, is_dead } = self.heart_beats.check(cx.now, reading, cx.config.pong_timeout);
        if is_dead {
            return Some(Close { code: Disconnect::NoPong.code(), reason: "no heart-beat in time".into() });
        }
        if beat {
            cx.beat();
        }
        if ping {
            cx.step(Step::ControlPing);
        }
        while let Some((channel, pause)) = self.retries.due(cx.now) {
            self.resubscribe(cx, channel, pause);
        }
        None
    }

    /// Handles a frame. An error says that it has changed nothing.
    pub(in crate::stomp) fn frame(&mut self, cx: &mut Context<'_>, frame: Frame) -> Result<(), Rejected> {
        let headers = &frame.headers;
        match frame.command {
            ClientCommand::Send => return self.send(cx, frame),
            ClientCommand::Subscribe => return self.subscribe(cx, frame),
            ClientCommand::Unsubscribe => return self.unsubscribe(cx, headers),
            ClientCommand::Commit => return self.commit(cx, headers),
            ClientCommand::Ack | ClientCommand::Nack => self.acknowledge(cx, frame.command, headers)?,
            ClientCommand::Begin => self.transactions.begin(required(headers, "BEGIN", "transaction")?, cx.config.transactions)?,
            ClientCommand::Abort => drop(self.transactions.end(required(headers, "ABORT", "transaction")?)?),
            ClientCommand::Connect => return Err(bad_request("CONNECT was sent twice. Open a new connection for another user.").into()),
            ClientCommand::Disconnect => {}
        }
        cx.confirm(headers.get("receipt"));
        Ok(())
    }

    /// Every MESSAGE counts as delivered when it is sent, so an acknowledgement only has to be well-formed. The id need not be known: some
    /// clients acknowledge in every mode.
    fn acknowledge(&mut self, cx: &Context<'_>, command: ClientCommand, headers: &Headers) -> Result<(), Rejected> {
        let name = command.as_str();
        if command == ClientCommand::Nack && self.version == Version::V1_0 {
            return Err(bad_request("STOMP 1.0 has no NACK. Accept version 1.1 or 1.2 in CONNECT.").into());
        }
        required(headers, name, if self.version == Version::V1_2 { "id" } else { "message-id" })?;
        if self.version == Version::V1_1 {
            required(headers, name, "subscription")?;
        }
        if let Some(transaction) = headers.get("transaction") {
            self.transactions.check(transaction, 0, cx.config.transactions)?;
            self.transactions.add(transaction, 0, None);
        }
        Ok(())
    }

    fn commit(&mut self, cx: &mut Context<'_>, headers: &Headers) -> Result<(), Rejected> {
        let waiting = self.transactions.end(required(headers, "COMMIT", "transaction")?)?;
        self.commit = Some(Box::new(Commit { receipt: headers.get("receipt").map(Into::into), waiting, in_flight: 0 }));
        self.advance_commit(cx);
        Ok(())
    }

    /// Sends the commands of a COMMIT to the session, as far as there is room. After the last answer it is done. Whatever ends makes room.
    pub(super) fn advance_commit(&mut self, cx: &mut Context<'_>) {
        while self.in_flight.len() < cx.config.max_in_flight
            && let Some(outgoing) = self.commit.as_mut().and_then(|commit| commit.waiting.pop_front())
        {
            self.start(cx, outgoing, ReceiptOf::Commit);
        }
        if let Some(done) = self.commit.take_if(|commit| commit.waiting.is_empty() && commit.in_flight == 0) {
            cx.confirm(done.receipt.as_deref());
        }
    }

    /// Sends a command to the session.
    pub(super) fn start(&mut self, cx: &mut Context<'_>, outgoing: Outgoing, receipt: ReceiptOf) {
        if let (ReceiptOf::Commit, Some(commit)) = (&receipt, &mut self.commit) {
            commit.in_flight += 1;
        }
        let id = cx.numbers.command_id();
        let request = self.in_flight.start(id, outgoing, receipt);
        cx.command(id, request);
    }

    /// Sends a command to the session with which an answered command goes on.
    pub(super) fn go_on(&mut self, cx: &mut Context<'_>, outgoing: Outgoing, receipt: ReceiptOf) {
        if matches!(receipt, ReceiptOf::Commit) {
            self.leave_commit();
        }
        self.start(cx, outgoing, receipt);
    }

    /// What a command was for is done. A subscription begins at this position, before what its client missed.
    pub(super) fn done(&mut self, cx: &mut Context<'_>, receipt: ReceiptOf, position: Option<Position>) {
        match receipt {
            ReceiptOf::Frame(receipt) => cx.confirm_at(receipt.as_deref(), position),
            ReceiptOf::Commit => self.leave_commit(),
        }
    }

    /// The `receipt` header for the ERROR about a command. It gets no RECEIPT any more, and what is left of a COMMIT is not carried out.
    pub(super) fn take_receipt(&mut self, receipt: &mut ReceiptOf) -> Option<Box<str>> {
        match (receipt, &mut self.commit) {
            (ReceiptOf::Frame(receipt), _) => receipt.take(),
            (ReceiptOf::Commit, None) => None,
            (ReceiptOf::Commit, Some(commit)) => {
                commit.waiting.clear();
                commit.receipt.take()
            }
        }
    }

    /// Tells the client about a refusal. Returns it if it ends the connection.
    pub(in crate::stomp) fn refuse(&self, cx: &mut Context<'_>, failure: Failure, about: About, after: AfterRefusal) -> Option<Fatal> {
        match after {
            AfterRefusal::Close => return Some(Fatal { failure, about }),
            AfterRefusal::Stay => failure.tell(cx, &about),
            AfterRefusal::Message => failure.as_message(&about, |headers, text| self.deliver(cx, ERRORS, headers, text)),
        }
        None
    }

    /// A command of the COMMIT is not in flight any more.
    fn leave_commit(&mut self) {
        if let Some(commit) = &mut self.commit {
            commit.in_flight = commit.in_flight.saturating_sub(1);
        }
    }

    /// Bytes that it holds besides its subscriptions.
    #[cfg(test)]
    pub(in crate::stomp) fn spare_memory(&self) -> usize {
        self.subscriptions.spare()
            + self.in_flight.memory()
            + self.retries.memory()
            + self.transactions.memory()
            + usize::from(self.commit.is_some())
    }

    /// The channel of the user's queues. `None`: the connection is anonymous.
    pub(super) fn personal_channel(&self) -> Option<ChannelName> {
        self.info.as_ref().and_then(|info| ChannelName::personal(&info.user))
    }
}

/// A header that a frame has to have.
pub(super) fn required<'a>(headers: &'a Headers, frame: &str, name: &str) -> Result<&'a str, Rejected> {
    headers
        .get(name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| bad_request(format!("{frame} needs the header {name}. Add it.")).into())
}
