//! Core dumps contain the memory of a process, and so the keys and tokens in it.

/// Makes the system write no core dump of this process, and lets no other process of the same user read its memory. An error is logged by
/// the caller: without the right to do this, the process still works.
#[cfg(target_os = "linux")]
pub fn forbid_core_dumps() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Other systems have a limit for the size of core dumps instead, which whoever starts the process can set.
#[cfg(not(target_os = "linux"))]
pub fn forbid_core_dumps() -> std::io::Result<()> {
    Ok(())
}
