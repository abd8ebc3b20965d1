//! Events, comments and the beginning of a stream.

use super::*;
use std::time::Duration;

#[test]
fn a_stream_begins_with_padding_the_retry_and_the_id() {
    let mut stream = Vec::new();
    append_opening(Duration::from_millis(3210), Some("abcd1234-7"), &mut stream);
    assert!(stream.len() > 2048 && stream.starts_with(b":  "));
    let read = read(&stream);
    assert_eq!((read.retry, &*read.last_id, read.comments, read.events.len()), (Some(3210), "abcd1234-7", 1, 0));
}

#[test]
fn a_stream_that_is_not_served_now_has_the_retry_only() {
    let mut stream = Vec::new();
    append_retry(Duration::from_secs(4), &mut stream);
    assert_eq!(stream, b"retry: 4000\n\n");
}

#[test]
fn a_heart_beat_is_a_comment() {
    let read = read(HEART_BEAT);
    assert_eq!((read.comments, read.events.len()), (1, 0));
}

#[test]
fn an_empty_id_is_forgotten_and_empty_data_is_data() {
    let mut stream = Vec::new();
    append_event(Some("a"), None, b"", &mut stream);
    append_event(Some(""), Some("reset"), b" x", &mut stream);
    assert_eq!(stream, b"id: a\ndata: \n\nid: \nevent: reset\ndata:  x\n\n");
    let read = read(&stream);
    let event = |kind: &str, data: &str, id: &str| Event { kind: kind.into(), data: data.into(), last_id: id.into() };
    assert_eq!(read.events, [event("message", "", "a"), event("reset", " x", "")]);
    assert_eq!(read.last_id, "");
}

proptest! {
    #[test]
    fn a_client_reads_what_was_written(
        events in prop::collection::vec(
            (prop::option::of("[A-Za-z0-9._~-]{0,12}"), prop::option::of("[a-z]{1,6}"), "[ :a\r\n\0\u{feff}\u{2028}ü]{0,12}"),
            0..5,
        ),
    ) {
        let (mut stream, mut id, mut expected) = (Vec::new(), String::new(), Vec::new());
        append_opening(Duration::ZERO, None, &mut stream);
        for (new_id, kind, data) in &events {
            append_event(new_id.as_deref(), kind.as_deref(), data.as_bytes(), &mut stream);
            stream.extend_from_slice(HEART_BEAT);
            id = new_id.clone().unwrap_or(id);
            let data = data.replace("\r\n", "\n").replace('\r', "\n");
            expected.push(Event { kind: kind.clone().unwrap_or_else(|| "message".into()), data, last_id: id.clone() });
        }
        let read = read(&stream);
        prop_assert_eq!(read.events, expected);
        prop_assert_eq!(read.last_id, id);
        prop_assert_eq!(read.comments, events.len() + 1);
    }
}
