//! Notices that somebody else has published into the stream. Sans-I/O.

use shared_proto::rest::PositionBody;

/// The position up to which the stream has no entry of others that the writer has not read.
///
/// Offsets grow by one with each publication. So a part whose acknowledged offset skips one follows an entry of somebody else: the end.
#[derive(Debug)]
pub(super) struct ForeignEntries {
    checked: PositionBody,
}

impl ForeignEntries {
    /// The stream begins with the part at this position.
    pub(super) fn new(first: PositionBody) -> Self {
        Self { checked: first }
    }

    /// A part was stored at this position. Returns the position before the entry of somebody else, if there is one. It returns the same one
    /// again until [`set_checked`](Self::set_checked).
    pub(super) fn after_part(&mut self, stored: &PositionBody) -> Option<PositionBody> {
        let is_same_epoch = stored.epoch == self.checked.epoch;
        if is_same_epoch && stored.offset > self.checked.offset + 1 {
            return Some(self.checked.clone());
        }
        self.set_checked(stored.clone());
        None
    }

    /// No entry up to this position is the end.
    pub(super) fn set_checked(&mut self, position: PositionBody) {
        self.checked = position;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: &str, offset: u64) -> PositionBody {
        PositionBody { epoch: epoch.into(), offset }
    }

    #[test]
    fn a_skipped_offset_is_reported_until_it_is_checked() {
        let mut entries = ForeignEntries::new(at("e", 1));
        assert_eq!(entries.after_part(&at("e", 2)), None);
        assert_eq!(entries.after_part(&at("e", 2)), None, "the acknowledgement of a part that was sent twice");
        assert_eq!(entries.after_part(&at("e", 4)), Some(at("e", 2)));
        assert_eq!(entries.after_part(&at("e", 5)), Some(at("e", 2)));
        entries.set_checked(at("e", 5));
        assert_eq!(entries.after_part(&at("e", 6)), None);
    }

    #[test]
    fn a_new_epoch_has_no_skipped_offsets() {
        let mut entries = ForeignEntries::new(at("e", 1));
        assert_eq!(entries.after_part(&at("f", 7)), None);
        assert_eq!(entries.after_part(&at("f", 9)), Some(at("f", 7)));
    }
}
