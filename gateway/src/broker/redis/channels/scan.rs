//! A scan of all keys of all masters.

use crate::broker::{
    BrokerError,
    redis::{
        commands::{
            job::{Command, Resend, Target},
            lane::Lane,
        },
        schema::answers::{text, unexpected_answer},
        servers::{masters::Masters, topology::Master},
    },
};
use redis::{Value, cmd};

/// The progress of a scan.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Masters that have keys left, each with its cursor. None before the first step.
    left: Option<Vec<(Master, String)>>,
}

impl Scan {
    pub(crate) fn is_over(&self) -> bool {
        self.left.as_ref().is_some_and(Vec::is_empty)
    }

    /// Takes one step. Returns some keys that match `pattern`, and the master that has them. If `kind` is given, they are of this type.
    /// Returns None if there are no more keys. Leaves out masters that no longer serve slots.
    pub(crate) async fn next(
        &mut self,
        masters: &Masters,
        lane: &Lane,
        (pattern, kind): (&str, Option<&str>),
        count: usize,
    ) -> Result<Option<(Master, Vec<String>)>, BrokerError> {
        let map = masters.topology();
        let serving = map.serving();
        let left = self.left.get_or_insert_with(|| serving.keys().map(|master| (*master, "0".to_owned())).collect());
        left.retain(|(master, _)| serving.contains_key(master));
        let Some((master, cursor)) = left.last_mut() else { return Ok(None) };
        let mut scan = cmd("SCAN");
        scan.arg(&*cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(count);
        if let Some(kind) = kind {
            scan.arg("TYPE").arg(kind);
        }
        let master = *master;
        let answer = lane.run(Command { cmd: scan, to: Target::Master(master), order: None, resend: Resend::Safe }).await?;
        let (next, keys) = scanned(answer).ok_or_else(unexpected_answer)?;
        if next == "0" {
            left.pop();
        } else {
            *cursor = next;
        }
        Ok(Some((master, keys)))
    }
}

/// Reads an answer to a scan command: the next cursor and the keys. Leaves out keys that are not UTF-8, because no gateway writes them.
pub(crate) fn scanned(value: Value) -> Option<(String, Vec<String>)> {
    let Value::Array(parts) = value else { return None };
    let [cursor, Value::Array(found)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    Some((text(cursor)?, found.into_iter().filter_map(text).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_no_gateway_can_have_written_does_not_stop_a_scan() {
        let keys = [&b"P:{c}:stream"[..], b"P:\xff"].map(|key| Value::BulkString(key.to_vec()));
        let answer = Value::Array(vec![Value::BulkString(b"7".to_vec()), Value::Array(keys.to_vec())]);
        assert_eq!(scanned(answer), Some(("7".into(), vec!["P:{c}:stream".into()])));
    }
}
