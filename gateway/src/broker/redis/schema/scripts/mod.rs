//! The Lua scripts: each is one atomic step in Redis.
//!
//! The broker calls a script by its digest. A server that has restarted has no scripts: it answers `NOSCRIPT` and executes nothing. The
//! broker then loads the scripts again.

use redis::{Arg, Cmd, Pipeline, Script, ServerError, cmd};
use std::sync::LazyLock;

/// All scripts.
pub(crate) struct Scripts {
    pub(crate) publish: Script,
    /// The same for publishes with a producer. Most have none, and their script runs faster without the functions that it does not call.
    pub(crate) publish_with_producer: Script,
    /// The same for entries of ingest, with or without a producer.
    pub(crate) publish_entry: Script,
    pub(crate) publish_ephemeral: Script,
    pub(crate) read: Script,
    pub(crate) presence_add: Script,
    pub(crate) presence_remove: Script,
    pub(crate) presence_stats: Script,
    pub(crate) hold: Script,
    pub(crate) release: Script,
    pub(crate) vacate: Script,
    pub(crate) lock: Script,
    pub(crate) subscription_put: Script,
    pub(crate) renew: Script,
    pub(crate) assign: Script,
    pub(crate) revoke: Script,
    pub(crate) call_begin: Script,
    pub(crate) call_end: Script,
    pub(crate) write_probe: Script,
    pub(crate) queue_add: Script,
    pub(crate) queue_acquire: Script,
    pub(crate) queue_renew: Script,
    pub(crate) queue_release: Script,
    pub(crate) queue_read: Script,
    pub(crate) queue_acknowledge: Script,
    pub(crate) queue_tries: Script,
    pub(crate) queue_dead_letter: Script,
    pub(crate) queue_dead: Script,
    pub(crate) queue_replay: Script,
    pub(crate) queue_purge: Script,
    pub(crate) queue_status: Script,
    load: Pipeline,
}

/// See [`Scripts`].
pub(crate) static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
    let mut load = redis::pipe();
    let mut script = |text: &str| {
        load.cmd("SCRIPT").arg("LOAD").arg(text);
        Script::new(text)
    };
    Scripts {
        publish: script(concat!(include_str!("timeline.lua"), include_str!("out_of_order.lua"), include_str!("publish.lua"))),
        publish_with_producer: script(concat!(
            include_str!("timeline.lua"),
            include_str!("out_of_order.lua"),
            include_str!("producer.lua"),
            include_str!("publish.lua")
        )),
        publish_entry: script(concat!(
            include_str!("timeline.lua"),
            include_str!("out_of_order.lua"),
            include_str!("producer.lua"),
            include_str!("entry_ids.lua"),
            include_str!("ingest.lua"),
            include_str!("publish.lua")
        )),
        publish_ephemeral: script(concat!(include_str!("out_of_order.lua"), include_str!("publish_ephemeral.lua"))),
        read: script(concat!(include_str!("timeline.lua"), include_str!("read.lua"))),
        presence_add: script(include_str!("presence_add.lua")),
        presence_remove: script(include_str!("presence_remove.lua")),
        presence_stats: script(include_str!("presence_stats.lua")),
        hold: script(concat!(include_str!("earlier_generations.lua"), include_str!("hold.lua"))),
        release: script(concat!(include_str!("earlier_generations.lua"), include_str!("release.lua"))),
        vacate: script(include_str!("vacate.lua")),
        lock: script(include_str!("lock.lua")),
        subscription_put: script(include_str!("subscription_put.lua")),
        renew: script(include_str!("renew.lua")),
        assign: script(include_str!("assign.lua")),
        revoke: script(include_str!("revoke.lua")),
        call_begin: script(include_str!("call_begin.lua")),
        call_end: script(include_str!("call_end.lua")),
        write_probe: script(include_str!("write_probe.lua")),
        queue_add: script(concat!(include_str!("out_of_order.lua"), include_str!("queue_add.lua"))),
        queue_acquire: script(concat!(include_str!("queue_owned.lua"), include_str!("queue_acquire.lua"))),
        queue_renew: script(concat!(include_str!("queue_owned.lua"), include_str!("queue_renew.lua"))),
        queue_release: script(concat!(include_str!("queue_owned.lua"), include_str!("queue_release.lua"))),
        queue_read: script(concat!(
            include_str!("queue_owned.lua"),
            include_str!("entry_ids.lua"),
            include_str!("queue_fields.lua"),
            include_str!("queue_read.lua")
        )),
        queue_acknowledge: script(concat!(include_str!("queue_owned.lua"), include_str!("queue_acknowledge.lua"))),
        queue_tries: script(concat!(include_str!("queue_owned.lua"), include_str!("queue_tries.lua"))),
        queue_dead_letter: script(concat!(include_str!("queue_owned.lua"), include_str!("queue_dead_letter.lua"))),
        queue_dead: script(concat!(include_str!("queue_fields.lua"), include_str!("queue_about_dead.lua"), include_str!("queue_dead.lua"))),
        queue_replay: script(concat!(include_str!("queue_about_dead.lua"), include_str!("queue_replay.lua"))),
        queue_purge: script(include_str!("queue_purge.lua")),
        queue_status: script(concat!(include_str!("queue_owned.lua"), include_str!("queue_status.lua"))),
        load,
    }
});

impl Scripts {
    /// The commands that load all scripts into a server.
    pub(crate) fn load(&self) -> &Pipeline {
        &self.load
    }
}

/// A call of a script. The caller then appends the arguments that are not keys.
pub(crate) fn call(script: &Script, keys: &[String]) -> Cmd {
    let mut call = cmd("EVALSHA");
    call.arg(script.get_hash()).arg(keys.len()).arg(keys);
    call
}

/// The same call with `further` keys after its own keys.
pub(crate) fn with_keys<'a>(call: &Cmd, further: impl ExactSizeIterator<Item = &'a str>) -> Cmd {
    let args: Vec<_> = args_of(call).collect();
    let own: usize = args.get(KEYS - 1).and_then(|count| str::from_utf8(count).ok()?.parse().ok()).unwrap_or(0);
    let (front, back) = args.split_at((KEYS + own).min(args.len()));
    let mut longer = Cmd::new();
    for (index, arg) in front.iter().enumerate() {
        if index + 1 == KEYS {
            longer.arg(own + further.len())
        } else {
            longer.arg(*arg)
        };
    }
    further.for_each(|key| {
        longer.arg(key);
    });
    longer.arg(back);
    longer
}

/// Number of arguments of a call before its keys: `EVALSHA`, digest, number of keys.
const KEYS: usize = 3;

/// The keys of a script call, or the one key of any other command.
pub(crate) fn keys_of(cmd: &Cmd) -> Vec<String> {
    let args: Vec<_> = args_of(cmd).map(String::from_utf8_lossy).collect();
    let (first, count) = match args.first().map(AsRef::as_ref) {
        Some("EVALSHA") => (KEYS, args.get(KEYS - 1).and_then(|count| count.parse().ok()).unwrap_or(0)),
        _ => (1, 1),
    };
    args.into_iter().skip(first).take(count).map(Into::into).collect()
}

/// Code and details of an error. Before Redis 7, the error of a command within a script is the end of a longer text.
pub(crate) fn code_and_details(refusal: &ServerError) -> (&str, &str) {
    let whole = (refusal.code(), refusal.details().unwrap_or_default());
    within_script(whole.1).filter(|_| whole.0 == "ERR").unwrap_or(whole)
}

/// Reads the error within a text like `Error running script (call to f_...): @user_script:1: @user_script: 1: -READONLY You can't ...`.
fn within_script(details: &str) -> Option<(&str, &str)> {
    let (_, line) = details.strip_prefix("Error running script")?.rsplit_once("@user_script:")?;
    let (_, refusal) = line.split_once(": ")?;
    let (code, details) = refusal.trim_start_matches('-').split_once(' ')?;
    code.bytes().all(|byte| byte.is_ascii_uppercase()).then_some((code, details.trim_end()))
}

fn args_of(cmd: &Cmd) -> impl Iterator<Item = &[u8]> {
    cmd.args_iter().map(|arg| if let Arg::Simple(arg) = arg { arg } else { b"" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_within_a_script_keeps_its_own_code() {
        for (details, expected) in [
            (
                "Error running script (call to f_c74d): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica. ",
                Some(("READONLY", "You can't write against a read only replica.")),
            ),
            (
                "Error running script (call to f_bdfa): @user_script:11: WRONGTYPE Operation against a key holding the wrong kind of value",
                Some(("WRONGTYPE", "Operation against a key holding the wrong kind of value")),
            ),
            ("Error running script (call to f_bdfa): @user_script:3: attempt to index a nil value", None),
            ("Error running script", None),
            ("Error running script @user_script:", None),
            ("wrong number of arguments for 'evalsha' command", None),
        ] {
            assert_eq!(within_script(details), expected, "{details}");
        }
    }

    #[test]
    fn more_keys_follow_the_keys_of_a_call() {
        let mut publish = call(&SCRIPTS.publish, &["meta", "stream", "idempotency"].map(str::to_owned));
        publish.arg("channel").arg("body");
        let longer = with_keys(&publish, ["b", "c"].into_iter());
        assert_eq!(keys_of(&longer), ["meta", "stream", "idempotency", "b", "c"]);
        assert_eq!(args_of(&longer).skip(KEYS + 5).collect::<Vec<_>>(), [b"channel".as_slice(), b"body"]);
        assert_eq!(keys_of(&publish), ["meta", "stream", "idempotency"]);
    }
}
