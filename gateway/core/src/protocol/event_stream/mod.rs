//! The bytes of event streams (HTML standard, section 9.2), as a server writes them, and the ids by which a client resumes. Pure: what a stream
//! carries is decided elsewhere.
//!
//! | part | what |
//! |---|---|
//! | `event` | lines: [`append_event`], [`append_opening`], [`HEART_BEAT`] |
//! | [`ChannelList`] | the channels of a request |
//! | [`LastEventId`] | what an id says, and how ids are written |
//! | [`StreamPositions`] | where a stream of several channels is |
//! | [`EventForm`], [`EventTemplate`] | write a publication for many streams |
//! | `testing` | reads a stream as a client does, for tests |

mod channel_list;
mod envelope;
mod event;
mod event_id;
mod form;
mod stream_positions;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use channel_list::{ChannelList, InvalidChannels};
pub use event::{HEART_BEAT, PADDING, append_event, append_opening, append_padding, append_retry};
pub use event_id::{BadEventId, LastEventId, LastPositions, end_id, position_id};
pub use form::{EventForm, EventTemplate};
pub use stream_positions::{IdsTooLong, StreamPositions};
