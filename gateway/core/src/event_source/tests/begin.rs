//! How streams begin.

use super::*;

#[test]
fn a_stream_begins_when_all_channels_are_accepted() {
    let (mut page, lines) = Page::connected(start(&["a", "b"]));
    assert_eq!(lines, ["2: subscribe a", "3: subscribe b"]);
    assert_eq!(page.answer(3, subscribed(Some(position(4)), Recovery::NotRequested, &[])), NOTHING);
    let lines = page.answer(2, subscribed(Some(position(7)), Recovery::NotRequested, &[]));
    assert_eq!(lines, ["opening at 7 4", "Accepted"]);
    assert_eq!(read(&page.sent).retry, Some(3000));
    assert!(page.sent.len() > 2048);
}

#[test]
fn a_channel_without_history_has_no_id() {
    let (mut page, _) = Page::connected(start(&["a"]));
    assert_eq!(page.answer(2, subscribed(None, Recovery::NotRequested, &[])), ["opening", "Accepted"]);
    assert_eq!(page.last_id(), "");
    assert_eq!(Page::open(&["a", "b"], &[None, Some(position(3))]).last_positions(), LastPositions::Of([None, Some(position(3))].into()));
}

#[test]
fn a_stream_goes_on_after_the_last_event() {
    let (mut page, lines) = Page::connected(returning(&["a"], "abcd1234-5"));
    assert_eq!(lines, ["2: subscribe a from abcd1234-5"]);
    let lines = page.answer(2, subscribed(Some(position(5)), Recovery::Recovered, &[6, 7]));
    assert_eq!(lines, ["opening at 5", "{} at 6", "{} at 7", "Accepted"], "the client has the id already");
}

#[test]
fn a_stream_begins_after_the_position_of_the_query() {
    let since =
        |epoch: &str, offset| EventSourceStart { begin: Begin::Since(RecoverFrom { epoch: epoch.into(), offset }), ..start(&["a"]) };
    assert_eq!(Page::connected(since("abcd1234", 5)).1, ["2: subscribe a from abcd1234-5"]);
    let (mut page, lines) = Page::connected(since("", 0));
    assert_eq!(lines, ["2: subscribe a from -0"]);
    assert_eq!(page.answer(2, subscribed(Some(position(0)), Recovery::Recovered, &[1])), ["opening at 0", "{} at 1", "Accepted"]);
}

#[test]
fn with_an_envelope_the_data_names_its_channel() {
    let (mut page, _) = Page::connected(EventSourceStart { has_envelope: true, ..start(&["a"]) });
    page.answer(2, subscribed(Some(position(0)), Recovery::NotRequested, &[]));
    page.deliver(0, position(1));
    assert_eq!(read(&page.sent).events[0].data, r#"{"channel":"a","data":{},"offset":1,"time":0}"#);
}

#[test]
fn a_reset_says_what_is_gone_and_has_the_new_id() {
    let (mut page, _) = Page::connected(returning(&["a"], "abcd1234-5"));
    let lines = page.answer(2, subscribed(Some(position(50)), Recovery::Lost, &[]));
    assert_eq!(lines, ["opening", r#"reset {"channel":"a"} at 50"#, "Accepted"]);
    let (mut page, _) = Page::connected(returning(&["a"], "abcd1234-5"));
    let lines = page.answer(2, subscribed(None, Recovery::NotRequested, &[]));
    assert_eq!(lines, ["opening", r#"reset {"channel":"a"}"#, "Accepted"], "the channel has no history any more");
    assert!(page.text().contains("\nid: \nevent: reset"), "the client forgets its id");
}

/// A client that is cut off before it has read a reset comes back from where it was in that channel, so that it gets the reset again.
#[test]
fn until_a_client_has_read_a_reset_its_id_does_not_hide_the_loss() {
    let mut id = Page::open(&["a", "b", "c"], &[Some(position(1)), Some(position(2)), Some(position(3))]).last_id();
    let (mut page, lines) = Page::connected(returning(&["a", "b", "c"], &id));
    assert_eq!(lines, ["2: subscribe a from abcd1234-1", "3: subscribe b from abcd1234-2", "4: subscribe c from abcd1234-3"]);
    page.answer(2, subscribed(Some(position(11)), Recovery::Lost, &[]));
    page.answer(3, subscribed(Some(position(2)), Recovery::Recovered, &[3]));
    let lines = page.answer(4, subscribed(Some(position(33)), Recovery::Lost, &[]));
    let envelope = r#"{"channel":"b","data":{},"offset":3,"time":0}"#;
    let expected = ["opening at 1 2 3".to_owned(), r#"reset {"channel":"a"} at 11 2 3"#.into(), format!("{envelope} at 11 3 3")];
    assert_eq!(lines[..3], expected);
    assert_eq!(lines[3..], [r#"reset {"channel":"c"} at 11 3 33"#, "Accepted"]);
    id = page.last_id();
    assert_eq!(Page::connected(returning(&["a", "b", "c"], &id)).1[2], "4: subscribe c from abcd1234-33");
}

#[test]
fn an_id_of_other_channels_leads_to_resets() {
    let id = Page::open(&["b", "a"], &[Some(position(1)), Some(position(2))]).last_id();
    let (mut page, lines) = Page::connected(returning(&["a", "b"], &id));
    assert_eq!(lines, ["2: subscribe a from none-0", "3: subscribe b from none-0"]);
    page.answer(2, subscribed(Some(position(7)), Recovery::Lost, &[]));
    let lines = page.answer(3, subscribed(Some(position(8)), Recovery::Lost, &[]));
    assert_eq!(lines, ["opening", r#"reset {"channel":"a"} at 7 -"#, r#"reset {"channel":"b"} at 7 8"#, "Accepted"]);

    // Cut off after the first reset.
    let half = {
        let text = page.text();
        let cut = text.find("event: reset").and_then(|first| text[first..].find("\n\n").map(|end| first + end + 2)).expect("a reset");
        read(&page.sent[..cut]).last_id
    };
    let (mut page, lines) = Page::connected(returning(&["a", "b"], &half));
    assert_eq!(lines, ["2: subscribe a from abcd1234-7", "3: subscribe b from none-0"]);
    page.answer(2, subscribed(Some(position(7)), Recovery::Recovered, &[]));
    let lines = page.answer(3, subscribed(Some(position(9)), Recovery::Lost, &[]));
    assert_eq!(lines, ["opening at 7 -", r#"reset {"channel":"b"} at 7 9"#, "Accepted"]);
}

#[test]
fn a_channel_that_never_had_a_position_has_nothing_to_lose() {
    let id = Page::open(&["a", "b"], &[None, Some(position(2))]).last_id();
    let (mut page, _) = Page::connected(returning(&["a", "b"], &id));
    page.answer(2, subscribed(None, Recovery::NotRequested, &[]));
    assert_eq!(page.answer(3, subscribed(Some(position(2)), Recovery::Recovered, &[])), ["opening at - 2", "Accepted"]);
}

#[test]
fn the_page_shows_the_phases_of_an_event_stream() {
    const PAGE: &str = include_str!("../../../../../docs/state-machines.md");
    let expected = phases::PHASES.markdown();
    assert!(PAGE.contains(&expected), "docs/state-machines.md does not contain this text:\n{expected}");
}
