//! The part of the check of rights that concerns queues.

use super::probe::{LIFETIME_MS, NO_DEADLINE, Probe, Trial};
use crate::broker::redis::schema::scripts::{SCRIPTS, call};
use redis::{Script, cmd};

impl Probe {
    /// The commands that queues need. They store an event, own the partition, make the event a dead letter, and put that back.
    pub(super) fn queue_trials(&self) -> Vec<Trial> {
        let key = |part: &str| self.name(&format!("queue-{part}"));
        let script = |script: &Script, parts: &[&str], arguments: &[&str]| {
            let mut call = call(script, &parts.iter().map(|part| key(part)).collect::<Vec<_>>());
            call.arg(arguments);
            call
        };
        let (lifetime, no_deadline) = (LIFETIME_MS.to_string(), NO_DEADLINE.to_string());
        let (entry, owned, all) = ("1-1", ["entries", "owner"], ["entries", "owner", "epoch", "paused"]);
        let mut delete = cmd("DEL");
        delete.arg(["entries", "dead", "owner", "epoch", "once"].map(key).as_slice());
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(1).arg("STREAMS").arg(key("entries")).arg("0");
        let mut drop_dead = cmd("XDEL");
        drop_dead.arg(key("dead")).arg(entry);
        let mut pause = cmd("SET");
        pause.arg(key("paused")).arg("1").arg("PX").arg(LIFETIME_MS);
        // The scripts set no expiry of these keys.
        let expire = |part: &str| {
            let mut expire = cmd("PEXPIRE");
            expire.arg(key(part)).arg(LIFETIME_MS);
            ("PEXPIRE", expire)
        };
        vec![
            ("DEL", delete),
            (
                "the script queue_add",
                script(&SCRIPTS.queue_add, &["entries", "once"], &["9", "", "", "", "", "", &lifetime, "0", &no_deadline]),
            ),
            expire("entries"),
            ("the script queue_acquire", script(&SCRIPTS.queue_acquire, &all, &["probe", &lifetime, "0", "1"])),
            expire("epoch"),
            ("the script queue_renew", script(&SCRIPTS.queue_renew, &all, &["probe", &lifetime])),
            ("XREAD", read),
            ("the script queue_read", script(&SCRIPTS.queue_read, &owned, &["probe", "new", "1", "1", "1", ""])),
            ("the script queue_tries", script(&SCRIPTS.queue_tries, &owned, &["probe", entry, "1"])),
            (
                "the script queue_dead_letter",
                script(&SCRIPTS.queue_dead_letter, &["entries", "owner", "dead"], &["probe", entry, "1", "", "1", ""]),
            ),
            expire("dead"),
            ("the script queue_dead", script(&SCRIPTS.queue_dead, &["dead"], &["-", "+", "1", "1", "1"])),
            ("the script queue_replay", script(&SCRIPTS.queue_replay, &["entries", "dead"], &[entry, "9"])),
            ("XDEL", drop_dead),
            ("the script queue_acknowledge", script(&SCRIPTS.queue_acknowledge, &owned, &["probe", entry])),
            ("the script queue_status", script(&SCRIPTS.queue_status, &["entries", "dead", "owner", "paused"], &[])),
            ("SET", pause),
            ("the script queue_release", script(&SCRIPTS.queue_release, &owned, &["probe"])),
            ("the script queue_purge", script(&SCRIPTS.queue_purge, &owned, &["1"])),
        ]
    }
}
