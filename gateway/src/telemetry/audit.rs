//! The audit log: who did what over the internal listener, and who was refused. Its lines have the target `audit`.

use gateway_core::model::lock;
use std::{
    borrow::Cow,
    fmt::Write as _,
    net::IpAddr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// The time in which the number of lines about refused requests is limited.
const MINUTE: Duration = Duration::from_mins(1);
/// Longest text of one field, in characters.
const FIELD: usize = 1024;

/// What was done or refused.
#[derive(Clone, Copy, Debug)]
pub struct AuditEntry<'a> {
    /// Name of the API key. `None`: no key was accepted.
    pub key: Option<&'a str>,
    /// What was asked for, such as `user.disconnect`.
    pub action: &'a str,
    /// With what: a path of the interface, or a channel.
    pub subject: &'a str,
    /// Status of the answer. `None`: the caller went before it.
    pub status: Option<u16>,
    /// Address of the caller, or of its proxy.
    pub from: Option<IpAddr>,
    /// The caller's id of the request.
    pub request_id: Option<&'a str>,
}

/// Writes the audit log. It limits only the lines about refused requests, because anyone who reaches the listener can cause them.
#[derive(Debug)]
pub struct Audit {
    refusals: u32,
    period: Mutex<Period>,
    logged: AtomicU64,
    left_out: AtomicU64,
}

/// A minute, and the lines in it.
#[derive(Debug, Default)]
struct Period {
    begin: Option<Instant>,
    lines: u32,
    /// Refusals without a line since the last line.
    left_out: u64,
}

impl Audit {
    /// An audit log with up to `refusals` lines about refused requests in one minute.
    pub fn new(refusals: u32) -> Self {
        Self { refusals, period: Mutex::default(), logged: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// Logs that a request was carried out, failed, or was abandoned by its caller.
    pub fn done(&self, entry: &AuditEntry<'_>) {
        let AuditEntry { key, action, subject, status, from, request_id } = entry;
        let outcome = match status {
            Some(..400) => "done",
            Some(_) => "failed",
            None => "abandoned",
        };
        let (subject, request_id) = (plain(subject), request_id.map(plain));
        let (from, request_id) = (from.map(tracing::field::display), request_id.as_deref());
        tracing::info!(target: "audit", key, action, subject = &*subject, outcome, status, from, request_id, "audit");
    }

    /// Logs that a request was refused because of its key, unless there were too many in this minute. The next line has the number of those.
    pub fn refused(&self, entry: &AuditEntry<'_>) {
        let Some(left_out) = lock(&self.period).admit(self.refusals, Instant::now()) else {
            self.left_out.fetch_add(1, Relaxed);
            return;
        };
        self.logged.fetch_add(1, Relaxed);
        let AuditEntry { key, action, subject, status, from, request_id } = entry;
        let (subject, request_id) = (plain(subject), request_id.map(plain));
        let (from, request_id) = (from.map(tracing::field::display), request_id.as_deref());
        let left_out = (left_out > 0).then_some(left_out);
        tracing::warn!(target: "audit", key, action, subject = &*subject, outcome = "refused", status, from, request_id, left_out, "audit");
    }

    /// Refused requests with a line, and those without.
    pub fn refusals(&self) -> [(&'static str, u64); 2] {
        [("logged", self.logged.load(Relaxed)), ("left_out", self.left_out.load(Relaxed))]
    }
}

impl Period {
    /// Whether there is room for a line. Returns how many were left out before it.
    fn admit(&mut self, lines: u32, now: Instant) -> Option<u64> {
        if self.begin.is_none_or(|begin| now.saturating_duration_since(begin) >= MINUTE) {
            (self.begin, self.lines) = (Some(now), 0);
        }
        if self.lines >= lines {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// The text without characters that could end a field or a line, or act on a terminal: they are written as `\u{…}`.
fn plain(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_graphic() && c != '\\' && c != '"';
    if text.len() <= FIELD && text.chars().all(is_plain) {
        return text.into();
    }
    let mut plain = String::new();
    for c in text.chars().take(FIELD) {
        if is_plain(c) || c.is_alphanumeric() {
            plain.push(c);
        } else {
            let _ = write!(plain, "{}", c.escape_unicode());
        }
    }
    if text.chars().nth(FIELD).is_some() {
        plain.push('…');
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_a_limited_number_of_lines_and_the_next_line_counts_the_others() {
        let (mut period, begin) = (Period::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let admitted: Vec<_> = [0, 1, 2, 59].map(|second| period.admit(2, at(second))).into();
        assert_eq!(admitted, [Some(0), Some(0), None, None]);
        assert_eq!((period.admit(2, at(60)), period.admit(2, at(61)), period.admit(2, at(62))), (Some(2), Some(0), None));
        assert_eq!((period.admit(0, at(200)), period.admit(0, at(201))), (None, None), "no lines at all");
        assert_eq!(period.admit(1, at(300)), Some(3));
    }

    #[test]
    fn refusals_are_counted_with_and_without_a_line() {
        let audit = Audit::new(1);
        let entry = AuditEntry { key: None, action: "read", subject: "/", status: Some(401), from: None, request_id: None };
        for _ in 0..3 {
            audit.refused(&entry);
        }
        audit.done(&entry);
        assert_eq!(audit.refusals(), [("logged", 1), ("left_out", 2)]);
    }

    #[test]
    fn no_text_breaks_out_of_its_field() {
        for (text, shown) in [
            ("/v1/users/a%0Ab/connections", "/v1/users/a%0Ab/connections"),
            ("#jürgen 山", r"#jürgen\u{20}山"),
            ("a\nb\u{1b}[31m\"\\", r"a\u{a}b\u{1b}[31m\u{22}\u{5c}"),
            ("\u{202e}\u{200b}", r"\u{202e}\u{200b}"),
            ("", ""),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert_eq!(plain(&"x".repeat(2000)).chars().count(), FIELD + 1);
        assert_eq!(plain(&"x".repeat(FIELD)).len(), FIELD);
    }
}
