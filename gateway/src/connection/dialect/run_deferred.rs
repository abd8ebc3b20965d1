//! Carries out the commands of a translator.

use super::deferred::Deferred;
use crate::connection::driver::Driver;

impl Driver {
    /// Passes the commands to the session that wait for the end of the actions before them. A command may cause further ones. While the session
    /// takes no input, they wait for the end of an operation.
    pub(in crate::connection) fn run_deferred(&mut self) {
        if !self.dialect.deferred().is_some_and(Deferred::begin) {
            return;
        }
        while let Some(command) = self.dialect.deferred().and_then(|deferred| deferred.next(self.needs.input)) {
            self.command(command);
        }
    }
}
