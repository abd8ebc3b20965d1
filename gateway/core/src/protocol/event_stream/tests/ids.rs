//! Ids of events.

use super::*;

const FIRST: &str = "abcd1234-17";

fn parse(text: &str, names: &[&str]) -> Result<LastEventId, BadEventId> {
    LastEventId::parse(text, &list(names))
}

fn several(channels: &ChannelList, positions: &[Option<Position>]) -> String {
    let stream = StreamPositions::new(channels);
    positions.iter().enumerate().for_each(|(index, position)| stream.set(index, *position));
    stream.id()
}

#[test]
fn the_id_of_one_channel_is_its_position() {
    assert_eq!(position_id(position("abcd1234", 17)), FIRST);
    let of = |position| Ok(LastEventId { is_end: false, positions: LastPositions::Of([Some(position)].into()) });
    assert_eq!(parse(FIRST, &["a"]), of(position("abcd1234", 17)));
    assert_eq!(parse("ABCD1234-0", &["a"]), of(position("ABCD1234", 0)));
    assert_eq!(parse("abcd1234-18446744073709551615", &["a"]), of(position("abcd1234", u64::MAX)));
}

#[test]
fn an_id_of_several_channels_is_short() {
    let names = list(&["a", "b", "c"]);
    let id = several(&names, &[Some(position("aaaaaaaa", 0)), None, Some(position("cccccccc", 64))]);
    assert_eq!(&id[5..], "aaaaaaaa..ccccccccBA");
    let eight = list(&["1", "2", "3", "4", "5", "6", "7", "8"]);
    let id = several(&eight, &[Some(position("aaaaaaaa", (1 << 36) - 1)); 8]);
    assert_eq!(end_id(&id).len(), LastEventId::MAX);
}

#[test]
fn a_stream_whose_ids_could_become_too_long_is_refused() {
    let channels = list(&["1", "2", "3", "4", "5", "6", "7", "8"]);
    for (offset, fits) in [(0, true), (1 << 29, true), ((1 << 30) - 1, true), (1 << 30, false), (u64::MAX, false)] {
        let stream = StreamPositions::new(&channels);
        (0..7).for_each(|index| stream.set(index, Some(position("aaaaaaaa", 5))));
        stream.set(7, Some(position("aaaaaaaa", offset)));
        assert_eq!(stream.check_length().is_ok(), fits, "{offset}");
    }
    let stream = StreamPositions::new(&list(&["1", "2", "3", "4", "5"]));
    (0..5).for_each(|index| stream.set(index, Some(position("aaaaaaaa", u64::MAX))));
    assert!(stream.check_length().is_ok(), "{}", stream.id().len());
}

#[test]
fn an_id_of_other_channels_is_recognised() {
    let positions = [Some(position("aaaaaaaa", 5)), Some(position("bbbbbbbb", 6))];
    let id = several(&list(&["a", "b"]), &positions);
    assert_eq!(parse(&id, &["a", "b"]).expect("an id").positions, LastPositions::Of(positions.into()));
    for names in [&["b", "a"][..], &["a", "c"], &["a", "b", "c"], &["a"], &["ab"]] {
        assert_eq!(parse(&id, names).expect("an id").positions, LastPositions::OfOtherChannels, "{names:?}");
    }
    assert_eq!(parse(FIRST, &["a", "b"]).expect("an id").positions, LastPositions::OfOtherChannels);
}

#[test]
fn the_id_of_an_end_says_so() {
    let ended = parse(&end_id(FIRST), &["a"]).expect("an id");
    assert_eq!(ended, LastEventId { is_end: true, ..parse(FIRST, &["a"]).expect("an id") });
    let nowhere = LastEventId { is_end: true, positions: LastPositions::OfOtherChannels };
    assert_eq!(parse(&end_id(""), &["a"]), Ok(nowhere));
}

#[test]
fn other_texts_are_refused() {
    let id = several(&list(&["a", "b"]), &[Some(position("aaaaaaaa", 5)), None]);
    let bad = [
        "",
        "-",
        "a",
        "abcd123-4",
        "abcd12345-4",
        "abcd1234-",
        "abcd1234-04",
        "abcd1234-+4",
        "abcd1234-4 ",
        " abcd1234-4",
        "abcd1234-4~",
        "abcd1234-18446744073709551616",
        "abcd1234:4",
        "äbcd123-4",
        "~end~end",
        "1526919030474-55",
        "abcde.",
        "abcde..........",
        "abcd",
        "abcd ..",
        "abcdeaaaaaaa.",
        "abcdeaaaaaaaaA.",
        "abcdeaaaaaaaa!.",
        "abcdeaaaaaaaaP__________.",
        "abcdeaaaaaaaaQAAAAAAAAAA.",
    ];
    let well_formed = ["abcde.", "abcdeaaaaaaaaP__________."];
    for text in bad {
        let expected = if well_formed.contains(&text) { Ok(()) } else { Err(BadEventId::Malformed) };
        for names in [&["a"][..], &["a", "b"]] {
            assert_eq!(parse(text, names).map(|_| ()), expected, "{text:?}");
        }
    }
    assert_eq!(parse(&format!("{id}\0"), &["a", "b"]), Err(BadEventId::Malformed));
    for length in [LastEventId::MAX + 1, 1 << 20] {
        assert_eq!(parse(&"a".repeat(length), &["a"]), Err(BadEventId::TooLong));
    }
}

#[test]
fn a_request_names_each_of_a_few_channels_once() {
    let new = |names: &[&str]| ChannelList::new(names.iter().map(|name| channel(name)).collect());
    assert_eq!(new(&[]), Err(InvalidChannels::None));
    assert_eq!(new(&["a", "b", "a"]), Err(InvalidChannels::Twice(channel("a"))));
    assert_eq!(new(&["1", "2", "3", "4", "5", "6", "7", "8", "9"]), Err(InvalidChannels::TooMany));
    assert_eq!(new(&["1", "2", "3", "4", "5", "6", "7", "8"]).expect("few").len(), 8);
}

proptest! {
    #[test]
    fn ids_are_read_as_they_were_written(all in prop::collection::vec(prop::option::of(positions()), 2..=4), is_end: bool) {
        let names: Vec<_> = (0..all.len()).map(|name| channel(&name.to_string())).collect();
        let channels = ChannelList::new(names).expect("valid");
        let id = several(&channels, &all);
        prop_assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)));
        let text = if is_end { end_id(&id) } else { id };
        let read = LastEventId::parse(&text, &channels).expect("an id");
        prop_assert_eq!(read, LastEventId { is_end, positions: LastPositions::Of(all.into()) });
    }

    #[test]
    fn the_id_of_one_channel_is_read_as_it_was_written(at in positions()) {
        let read = LastEventId::parse(&position_id(at), &list(&["a"])).expect("an id");
        prop_assert_eq!(read.positions, LastPositions::Of([Some(at)].into()));
    }

    #[test]
    fn no_text_leads_to_a_panic(text in "[A-Za-z0-9._~-]{0,130}|.{0,40}|[a-z0-9]{5}([a-z0-9]{8}[A-Z]{0,12}\\.?){0,9}(~end)?") {
        for names in [&["a"][..], &["a", "b"]] {
            if let Ok(LastEventId { positions: LastPositions::Of(all), .. }) = parse(&text, names) {
                prop_assert_eq!(all.len(), names.len());
            }
        }
    }
}
