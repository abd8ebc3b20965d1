//! The protocol that a connection speaks, and the steps of a STOMP connection.

use super::{close_cause::CloseCause, driver::Driver};
use crate::{
    hub::{Batch, Protocol},
    telemetry::{Count, DropCause},
};
use gateway_core::{
    model::{ClientInfo, Tick},
    protocol::{
        Command, Push, Reply,
        centrifuge::{Codec, Payload},
        stomp::{Framing, sockjs},
    },
    session::{PingForm, ServerSide},
    stomp::{Step, StompConfig, StompStart, Translator},
};
use std::{collections::VecDeque, mem, sync::Arc};

/// The protocol that the upgrade chose.
#[derive(Debug)]
pub enum ChosenProtocol {
    /// The Centrifuge protocol.
    Centrifuge {
        /// The encoding of all messages.
        codec: Codec,
        /// How the gateway pings the client.
        ping_form: PingForm,
    },
    /// STOMP.
    Stomp {
        /// How messages carry STOMP frames.
        framing: Framing,
        /// The connection token of the query or a cookie, if there is one.
        token: Option<Box<str>>,
    },
}

/// The state of a connection's protocol.
pub(super) enum Dialect {
    Centrifuge(Codec),
    Stomp(Box<StompDialect>),
}

/// A STOMP connection.
pub(super) struct StompDialect {
    translator: Translator,
    /// Commands that wait until the actions of the session before them are carried out.
    deferred: VecDeque<Command>,
    framing: Framing,
    /// Whether the commands in `deferred` are being carried out.
    is_running: bool,
}

impl ChosenProtocol {
    pub(super) fn of_hub(&self) -> Protocol {
        match self {
            Self::Centrifuge { codec, .. } => Protocol::Centrifuge(*codec),
            Self::Stomp { .. } => Protocol::Stomp,
        }
    }

    /// How the gateway pings the client, and what server-side subscriptions are.
    pub(super) fn session_forms(&self) -> (PingForm, ServerSide) {
        match self {
            Self::Centrifuge { ping_form, .. } => (*ping_form, ServerSide::Subscribes),
            Self::Stomp { .. } => (PingForm::ControlFrame, ServerSide::Permits),
        }
    }

    pub(super) fn begin(self, stomp: &Arc<StompConfig>, now: Tick) -> Dialect {
        match self {
            Self::Centrifuge { codec, .. } => Dialect::Centrifuge(codec),
            Self::Stomp { framing, token } => Dialect::Stomp(Box::new(StompDialect {
                framing,
                translator: Translator::new(stomp.clone(), StompStart { framing, token, now }),
                deferred: VecDeque::new(),
                is_running: false,
            })),
        }
    }
}

impl Dialect {
    /// When the protocol needs the timer. The session has deadlines of its own.
    pub(super) fn deadline(&self) -> Option<Tick> {
        match self {
            Self::Centrifuge(_) => None,
            Self::Stomp(stomp) => stomp.translator.deadline(),
        }
    }

    /// Whether the protocol takes input.
    pub(super) fn wants_input(&self) -> bool {
        match self {
            Self::Centrifuge(_) => true,
            Self::Stomp(stomp) => stomp.translator.wants_input(),
        }
    }
}

impl Driver {
    /// Lets the translator of a STOMP connection handle something, and carries out its steps. Does nothing for other protocols.
    fn translate(&mut self, handle: impl FnOnce(&mut Translator, Tick, &mut Vec<Step>)) {
        let now = self.now();
        let Dialect::Stomp(stomp) = &mut self.dialect else { return };
        let mut steps = Vec::new();
        handle(&mut stomp.translator, now, &mut steps);
        for step in steps {
            self.carry_out(step);
        }
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Command(command) => {
                if let Dialect::Stomp(stomp) = &mut self.dialect {
                    stomp.deferred.push_back(command);
                }
            }
            Step::Send(bytes) => self.registration.outbox().push(self.now(), Batch::new(bytes, self.worker.hub.budget())),
            Step::Form(channel, form) => self.worker.hub.set_form(self.registration.key(), &channel, form),
            Step::GapUntold(subscriptions) => self.worker.hub.metrics().count(Count::StompGapsUntold, subscriptions as u64),
            Step::Undelivered => self.worker.hub.metrics().dropped(DropCause::NoQueue, 1),
            Step::ControlPing => self.ping(),
            Step::Close(code, reason) => self.close(CloseCause::Session, code, &reason),
        }
    }

    /// Passes the commands to the session that wait for the end of the actions before them. A command may cause further ones.
    pub(super) fn run_deferred(&mut self) {
        let Dialect::Stomp(stomp) = &mut self.dialect else { return };
        if mem::replace(&mut stomp.is_running, true) {
            return;
        }
        while let Dialect::Stomp(stomp) = &mut self.dialect {
            match stomp.deferred.pop_front() {
                Some(command) => self.command(command),
                None => {
                    stomp.deferred = VecDeque::new();
                    stomp.is_running = false;
                    return;
                }
            }
        }
    }

    /// Opens the session of a SockJS client, which waits for it.
    pub(super) fn open_sockjs(&mut self) {
        self.sockjs_message(sockjs::append_open);
    }

    /// Tells a SockJS client why the connection closes, before the close frame.
    pub(super) fn close_sockjs(&mut self, code: u16, reason: &str) {
        self.sockjs_message(|message| sockjs::append_close(code, reason, message));
    }

    fn sockjs_message(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        if let Dialect::Stomp(stomp) = &self.dialect
            && stomp.framing == Framing::SockJs
        {
            let mut message = Vec::new();
            append(&mut message);
            self.carry_out(Step::Send(message));
        }
    }

    pub(super) fn stomp_message(&mut self, payload: Payload<'_>) {
        self.translate(|translator, now, steps| translator.message(now, payload, steps));
        self.run_deferred();
    }

    pub(super) fn stomp_timer(&mut self) {
        self.translate(|translator, now, steps| translator.timer(now, steps));
        self.run_deferred();
    }

    pub(super) fn stomp_pong(&mut self) {
        self.translate(|translator, now, _| translator.control_pong(now));
    }

    pub(super) fn stomp_identified(&mut self, info: &Arc<ClientInfo>) {
        self.translate(|translator, _, _| translator.identified(info));
    }

    pub(super) fn stomp_reply(&mut self, id: u32, reply: Reply) {
        self.translate(|translator, now, steps| translator.reply(now, id, reply, steps));
    }

    pub(super) fn stomp_push(&mut self, push: Push) {
        self.translate(|translator, now, steps| translator.push(now, push, steps));
    }

    /// Says why the session closes the connection, before its close frame.
    pub(super) fn stomp_closing(&mut self, code: u16, reason: &str) {
        self.translate(|translator, now, steps| translator.closing(now, code, reason, steps));
    }
}
