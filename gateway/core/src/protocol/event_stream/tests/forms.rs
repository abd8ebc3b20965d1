//! Publications as events.

use super::*;

fn written(form: &EventForm, publication: &Publication) -> Vec<u8> {
    let mut out = Vec::new();
    form.append(&EventTemplate::new(form, publication), publication, &mut out);
    out
}

/// The only event.
fn event(form: &EventForm, publication: &Publication) -> Event {
    let events = read(&written(form, publication)).events;
    assert_eq!(events.len(), 1);
    events[0].clone()
}

const PLAIN: EventForm = EventForm::Single { envelope: None };

#[test]
fn the_data_of_one_channel_is_that_of_the_publication() {
    let at = Some(position("abcd1234", 7));
    for (content, data) in [
        (json(r#"{"a":"b\nc"}"#), r#"{"a":"b\nc"}"#),
        (Content::Text("one\r\ntwo\rthree\n".into()), "one\ntwo\nthree\n"),
        (Content::Bytes([0, 10, 255].into()), "AAr/"),
    ] {
        let event = event(&PLAIN, &publication(content, at));
        assert_eq!((&*event.data, &*event.last_id, &*event.kind), (data, "abcd1234-7", "message"));
    }
}

#[test]
fn a_publication_without_a_position_has_no_id() {
    assert_eq!(written(&PLAIN, &publication(json("1"), None)), b"data: 1\n\n");
    let positions = StreamPositions::new(&list(&["a", "b"]));
    let form = EventForm::Several { channel: channel("b"), index: 1, positions };
    assert_eq!(written(&form, &publication(json("1"), None)), b"data: {\"channel\":\"b\",\"data\":1,\"time\":12}\n\n");
}

#[test]
fn an_envelope_has_what_belongs_to_the_publication() {
    let form = EventForm::Single { envelope: Some(channel("#\"1\"")) };
    for (content, data, more) in [
        (json(r#"{"a":[1]}"#), r#"{"a":[1]}"#, ""),
        (Content::Text("a\nb".into()), r#""a\nb""#, ""),
        (Content::Bytes([0, 10, 255].into()), r#""AAr/""#, r#","encoding":"base64""#),
    ] {
        let mut publication = publication(content, Some(position("abcd1234", 7)));
        publication.tags.insert("content-type".into(), "x".into());
        let expected = format!(r##"{{"channel":"#\"1\"","data":{data},"offset":7,"tags":{{"content-type":"x"{more}}},"time":12}}"##);
        let event = event(&form, &publication);
        assert_eq!((event.data, &*event.last_id), (expected, "abcd1234-7"));
    }
}

#[test]
fn the_ids_of_several_channels_have_all_that_was_sent_before() {
    let channels = list(&["a", "b"]);
    let positions = StreamPositions::new(&channels);
    positions.set(0, Some(position("aaaaaaaa", 1)));
    let form = |index: usize| EventForm::Several { channel: channels[index].clone(), index, positions: positions.clone() };
    let forms = [form(0), form(1)];
    for (index, at, expected) in [
        (1, position("bbbbbbbb", 4), [Some(position("aaaaaaaa", 1)), Some(position("bbbbbbbb", 4))]),
        (0, position("aaaaaaaa", 2), [Some(position("aaaaaaaa", 2)), Some(position("bbbbbbbb", 4))]),
        (0, position("cccccccc", 3), [Some(position("cccccccc", 3)), Some(position("bbbbbbbb", 4))]),
    ] {
        let event = event(&forms[index], &publication(json("1"), Some(at)));
        let id = LastEventId::parse(&event.last_id, &channels).expect("an id");
        assert_eq!(id.positions, LastPositions::Of(expected.into()));
        assert_eq!(event.last_id, positions.id());
    }
}

#[test]
fn equal_forms_write_equal_bytes_and_streams_of_several_channels_are_never_equal() {
    assert_eq!(PLAIN, EventForm::Single { envelope: None });
    assert_ne!(PLAIN, EventForm::Single { envelope: Some(channel("a")) });
    let several = || EventForm::Several { channel: channel("a"), index: 0, positions: StreamPositions::new(&list(&["a", "b"])) };
    let (one, other) = (several(), several());
    assert_eq!(one, one.clone());
    assert_ne!(one, other);
    assert!(one.has_own_ids() && !PLAIN.has_own_ids());
}

fn contents() -> impl Strategy<Value = Content> {
    prop_oneof![
        "[ a\r\n\0ü:]{0,20}".prop_map(|text| Content::Text(text.into())),
        "[ a\r\n\0ü\"\\\\]{0,20}".prop_map(|text| json(&serde_json::to_string(&text).expect("a text"))),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Content::Bytes(bytes.into())),
    ]
}

proptest! {
    #[test]
    fn a_client_reads_every_kind_of_data(all in prop::collection::vec((contents(), prop::option::of(positions())), 1..5)) {
        let forms = [PLAIN, EventForm::Single { envelope: Some(channel("a")) }];
        for form in forms {
            let mut stream = Vec::new();
            for (content, at) in &all {
                stream.extend(written(&form, &publication(content.clone(), *at)));
            }
            let (events, mut id) = (read(&stream).events, String::new());
            prop_assert_eq!(events.len(), all.len());
            for (event, (content, at)) in events.iter().zip(&all) {
                id = at.map_or(id, position_id);
                prop_assert_eq!(&event.last_id, &id);
                let text = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
                let encoded = shared_proto::json::base64::encode(content.as_bytes());
                if form == PLAIN {
                    let expected = match content {
                        Content::Json(data) => data.get().to_owned(),
                        Content::Text(it) => text(it),
                        Content::Bytes(_) => encoded,
                    };
                    prop_assert_eq!(&event.data, &expected);
                } else {
                    let envelope: serde_json::Value = serde_json::from_str(&event.data).expect("JSON");
                    let expected: serde_json::Value = match content {
                        Content::Json(data) => serde_json::from_str(data.get()).expect("JSON"),
                        Content::Text(it) => (&**it).into(),
                        Content::Bytes(_) => encoded.into(),
                    };
                    prop_assert_eq!(&envelope["data"], &expected);
                    prop_assert_eq!(envelope["offset"].as_u64(), at.map(|at| at.offset));
                }
            }
        }
    }
}
