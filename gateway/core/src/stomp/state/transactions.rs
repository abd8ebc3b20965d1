//! The transactions of a STOMP connection (STOMP 1.2, "BEGIN"). Their frames are checked when they arrive, and applied at the COMMIT.

use super::in_flight::Outgoing;
use crate::{
    model::{ErrorCode, Refusal},
    stomp::{refusal::bad_request, rules::TransactionLimits},
};
use std::collections::VecDeque;

/// An open transaction.
#[derive(Debug)]
struct Transaction {
    name: Box<str>,
    /// All frames, those without effect included.
    frames: usize,
    bytes: usize,
    commands: VecDeque<Outgoing>,
}

/// The open transactions.
#[derive(Debug, Default)]
pub(crate) struct Transactions(Vec<Transaction>);

impl Transactions {
    /// Opens a transaction.
    pub(crate) fn begin(&mut self, name: &str, limits: TransactionLimits) -> Result<(), Refusal> {
        if self.0.iter().any(|it| *it.name == *name) {
            return Err(bad_request(format!("The transaction {name:?} is open already. Give each transaction its own name.")));
        }
        if self.0.len() >= limits.open {
            let detail = format!("{} transactions are open, which is the limit (stomp.transactions). COMMIT or ABORT one.", limits.open);
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        self.0.push(Transaction { name: name.into(), frames: 0, bytes: 0, commands: VecDeque::new() });
        Ok(())
    }

    /// Checks whether a frame of this size can be added.
    pub(crate) fn check(&self, name: &str, bytes: usize, limits: TransactionLimits) -> Result<(), Refusal> {
        let Some(transaction) = self.0.iter().find(|it| *it.name == *name) else { return Err(unknown(name)) };
        let exceeded =
            |what: String, setting: &str| Err(Refusal::new(ErrorCode::LimitExceeded, format!("{what} (stomp.{setting}). COMMIT earlier.")));
        if transaction.frames >= limits.frames {
            return exceeded(format!("The transaction has {} frames, which is the limit", limits.frames), "transaction_frames");
        }
        if self.0.iter().map(|it| it.bytes).sum::<usize>().saturating_add(bytes) > limits.bytes {
            return exceeded(format!("All transactions together would have more than {} bytes", limits.bytes), "transaction_bytes");
        }
        Ok(())
    }

    /// Adds a frame that [`Self::check`] has accepted. `None`: a frame without effect.
    pub(crate) fn add(&mut self, name: &str, bytes: usize, command: Option<Outgoing>) {
        if let Some(transaction) = self.0.iter_mut().find(|it| *it.name == *name) {
            transaction.frames += 1;
            transaction.bytes += bytes;
            transaction.commands.extend(command);
        }
    }

    /// Closes a transaction, and returns the commands of its frames.
    pub(crate) fn end(&mut self, name: &str) -> Result<VecDeque<Outgoing>, Refusal> {
        let at = self.0.iter().position(|it| *it.name == *name).ok_or_else(|| unknown(name))?;
        let ended = self.0.swap_remove(at);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Ok(ended.commands)
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<Transaction>()
    }
}

fn unknown(name: &str) -> Refusal {
    bad_request(format!("No transaction {name:?} is open. Send BEGIN first, and nothing after its COMMIT or ABORT."))
}
