//! Calls that may be repeated, and their answers.

use crate::broker::{
    Attempt, BrokerError, CallEnd, CallKey, CallState,
    redis::{
        commands::{
            job::{Command, Resend, Target},
            lane::Lane,
        },
        schema::{
            answers::unexpected_answer,
            keys::{Keys, hex},
            scripts::{SCRIPTS, call},
        },
    },
};
use redis::{Cmd, Value};
use std::{sync::Arc, time::Duration};

/// The calls that run or have an answer.
pub(crate) struct CallStore {
    pub(crate) keys: Keys,
    pub(crate) lane: Arc<Lane>,
    /// Lifetime of an answer.
    pub(crate) ttl: Duration,
}

impl CallStore {
    pub(crate) async fn begin(&self, key: &CallKey, attempt: Attempt) -> Result<CallState, BrokerError> {
        let mut cmd = call(&SCRIPTS.call_begin, &[self.keys.call(&key.name)]);
        cmd.arg(attempt.id()).arg(hex(&key.body)).arg(attempt.lease.as_millis().max(1) as u64);
        state(self.run(cmd).await?).ok_or_else(unexpected_answer)
    }

    pub(crate) async fn end(&self, key: &CallKey, attempt: Attempt, end: &CallEnd) -> Result<bool, BrokerError> {
        let mut cmd = call(&SCRIPTS.call_end, &[self.keys.call(&key.name)]);
        cmd.arg(attempt.id()).arg(hex(&key.body));
        match end {
            CallEnd::Answer(answer) => cmd.arg("answer").arg(self.ttl.as_millis() as u64).arg(&answer[..]),
            CallEnd::Release => cmd.arg("release"),
            CallEnd::Unknown(grace) => cmd.arg("unknown").arg(grace.as_millis().max(1) as u64),
        };
        match self.run(cmd).await? {
            Value::Int(ended) => Ok(ended == 1),
            _ => Err(unexpected_answer()),
        }
    }

    pub(crate) fn longest_command(&self) -> Duration {
        self.lane.deadline()
    }

    /// It does no harm to run any of these commands twice: the scripts recognise the attempt.
    async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Safe }).await
    }
}

fn state(value: Value) -> Option<CallState> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter().map(|part| if let Value::BulkString(bytes) = part { bytes } else { Vec::new() });
    Some(match &parts.next()?[..] {
        b"first" => CallState::First,
        b"running" => CallState::Running,
        b"done" => CallState::Done(parts.next()?.into()),
        b"other_body" => CallState::OtherBody,
        _ => return None,
    })
}
