//! Streams one answer into its own channel: its text becomes words, and words become parts. What the answer says does not belong here; see
//! [`crate::responder`].

mod answer;
mod foreign_entries;
mod part_buffer;
mod write_ops;

pub(crate) use answer::StreamedAnswer;
