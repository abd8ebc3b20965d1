//! The time at which the bot publishes an entry.

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};

/// A time in UTC with milliseconds (RFC 3339), such as `2026-11-28T10:00:00.123Z`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(String);

impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Self {
        let utc = time.to_offset(UtcOffset::UTC);
        let (year, month, day) = utc.to_calendar_date();
        let (hour, minute, second, milli) = utc.to_hms_milli();
        Self(format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", u8::from(month)))
    }
}

/// Tells the time. Tests use a clock that stands still.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub fn() -> OffsetDateTime);

impl Clock {
    /// The clock of this machine.
    pub const SYSTEM: Self = Self(OffsetDateTime::now_utc);

    /// The current time.
    pub fn now(self) -> Timestamp {
        (self.0)().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::format_description::well_known::Rfc3339;
    use time::macros::datetime;

    #[test]
    fn times_are_in_utc_with_milliseconds() {
        for (time, text) in [
            (datetime!(2026-11-28 10:00:00.123456 UTC), "2026-11-28T10:00:00.123Z"),
            (datetime!(2026-01-02 03:04:05 UTC), "2026-01-02T03:04:05.000Z"),
            (datetime!(2026-01-01 00:30:00.5 +1), "2025-12-31T23:30:00.500Z"),
        ] {
            let Timestamp(shown) = time.into();
            assert_eq!(shown, text);
            let read = OffsetDateTime::parse(&shown, &Rfc3339).expect("RFC 3339");
            assert_eq!(read, time.replace_millisecond(time.millisecond()).expect("a millisecond"));
        }
    }
}
