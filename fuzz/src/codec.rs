//! The invariant of the codec of frontends. The fuzz target checks it with generated inputs, and a test with the inputs of the corpus.

use gateway_core::{
    model::{CONTENT_TYPE, ChannelName, Content, Data, ENCODING, ErrorCode, Publication, Tags},
    protocol::{
        Command, Push, Reply, Request,
        centrifuge::{
            BadFrame, Codec, DataForm, Payload, PushChannel, deltas,
            testing::{DeltaReader, read_replies, without_defaults},
        },
    },
};
use serde_json::Value;
use std::sync::Arc;

/// Most bytes of the text of an error reply.
const MAX_MESSAGE: usize = 256;

/// Checks that a frame is read without a panic, and the same alone and beside others; that each error is one of the protocol; and that what a
/// client sent arrives in both encodings, whole and as deltas.
///
/// The first byte of `data` is the encoding, the second one a place in the frame. The rest is the frame.
pub fn check(data: &[u8]) {
    let [encoding, place, frame @ ..] = data else { return };
    let codec = if encoding % 2 == 0 { Codec::Json } else { Codec::Protobuf };
    let Some(whole) = decode(codec, frame) else { return };
    check_cut(codec, frame, &whole, usize::from(*place));
    check_neighbours(codec, frame, &whole);
    whole.commands.iter().for_each(check_command);
    check_publications(&publications(whole.commands));
}

/// The commands of a frame before its first error.
struct Decoded {
    commands: Vec<Command>,
    error: Option<BadFrame>,
}

impl Decoded {
    fn lines(&self) -> Vec<String> {
        self.commands.iter().map(|command| format!("{command:?}")).collect()
    }
}

/// Reads a frame. `None`: a text frame that is not UTF-8, which the transport refuses.
fn decode(codec: Codec, frame: &[u8]) -> Option<Decoded> {
    let (payload, other) = match codec {
        Codec::Json => (Payload::Text(std::str::from_utf8(frame).ok()?), Codec::Protobuf),
        Codec::Protobuf => (Payload::Binary(frame), Codec::Json),
    };
    assert!(other.decode(payload).is_none(), "each encoding has its own frames");
    let (mut commands, mut error) = (Vec::new(), None);
    for next in codec.decode(payload).expect("the frame of this encoding") {
        match next {
            Ok(command) => commands.push(command),
            Err(bad) => {
                error = Some(bad);
                break;
            }
        }
    }
    Some(Decoded { commands, error })
}

/// Checks that a frame that was cut has the whole commands before the cut, and no others.
fn check_cut(codec: Codec, frame: &[u8], whole: &Decoded, place: usize) {
    let end = place * frame.len() / usize::from(u8::MAX);
    // A cut text frame that is not UTF-8 is refused like all others.
    let Some(part) = decode(codec, &frame[..end]) else { return };
    let common = part.commands.len().min(whole.commands.len());
    assert_eq!(part.lines()[..common], whole.lines()[..common], "cut at {end}");
    // The start of a bad line of JSON can be a command.
    let more = usize::from(codec == Codec::Json && whole.error.is_some());
    assert!(part.commands.len() <= whole.commands.len() + more, "cut at {end}: {:?}", part.lines());
}

/// Checks that a frame has the same commands after another command, and before another one.
fn check_neighbours(codec: Codec, frame: &[u8], whole: &Decoded) {
    let ping: &[u8] = if codec == Codec::Json { br#"{"id":1,"ping":{}}"# } else { &[4, 8, 1, 0x5a, 0] };
    let alone = decode(codec, ping).expect("a ping").lines();
    let later = decode(codec, &[ping, codec.separator(), frame].concat()).expect("UTF-8");
    assert_eq!((later.lines(), &later.error), ([alone.clone(), whole.lines()].concat(), &whole.error), "after a ping");
    if whole.error.is_none() {
        let earlier = decode(codec, &[frame, codec.separator(), ping].concat()).expect("UTF-8");
        assert_eq!((earlier.lines(), earlier.error), ([whole.lines(), alone].concat(), None), "before a ping");
    }
}

fn check_command(Command { id, request }: &Command) {
    match request {
        Request::Pong | Request::Send { .. } => assert_eq!(*id, 0),
        Request::Refused(refusal) => {
            assert!(matches!(refusal.code, ErrorCode::BadRequest | ErrorCode::NotAvailable), "{refusal}");
            let reply = in_both(|codec, out| codec.append_reply(*id, &Reply::Error(refusal.clone()), out)).expect("text");
            assert!(reply["error"]["message"].as_str().is_some_and(|text| !text.is_empty() && text.len() <= MAX_MESSAGE), "{reply}");
        }
        _ => assert_ne!(*id, 0, "{request:?}"),
    }
    if let Request::Rpc { data, .. } | Request::Send { data } = request {
        check_data(data);
        let reply = in_both(|codec, out| codec.append_reply(1, &Reply::Rpc(data.clone()), out));
        let expected = value(data).map(|data| without_defaults(serde_json::json!({ "id": 1, "rpc": { "data": data } })));
        assert_eq!(reply, expected);
    }
}

/// Checks that data is on one line and not too deep.
fn check_data(data: &Data) {
    assert!(!data.get().contains(['\n', '\r']), "{data:?}");
    assert!(value(data).is_none_or(|value| depth(&value) <= usize::from(Data::MAX_DEPTH)), "{data:?}");
}

/// The data as a tree. `None`: it has a number or an escape that the tree cannot hold.
fn value(data: &Data) -> Option<Value> {
    serde_json::from_str(data.get()).ok()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

fn publications(commands: Vec<Command>) -> Vec<Arc<Publication>> {
    let publication = |command: Command| {
        let Request::Publish { content, .. } = command.request else { return None };
        let kind = content.default_type().map(|kind| (CONTENT_TYPE.to_owned(), kind.to_owned()));
        let tags = Tags::from_iter(kind);
        Some(Arc::new(Publication { position: None, content, tags, info: None, time_ms: 0, traceparent: None }))
    };
    commands.into_iter().filter_map(publication).collect()
}

/// Checks that publications arrive in both encodings as they were sent, whole and as deltas.
fn check_publications(publications: &[Arc<Publication>]) {
    let channel: ChannelName = "chat:a".parse().expect("a good name");
    for it in publications {
        if let Content::Json(data) = &it.content {
            check_data(data);
        }
        assert!(it.content.size() >= it.content.as_bytes().len());
        in_both(|codec, out| codec.append_push(&Push::Publication(channel.clone(), it.clone()), out));
    }
    let expected: Option<Vec<_>> = publications.iter().map(|it| as_read(&it.content)).collect();
    let Some(expected) = expected else { return };
    let deltas = deltas(None, publications);
    for codec in [Codec::Json, Codec::Protobuf] {
        let (mut payload, mut reader) = (Vec::new(), DeltaReader::default());
        for (publication, delta) in publications.iter().zip(&deltas) {
            assert!(delta.as_ref().is_none_or(|delta| delta.len() < publication.content.as_bytes().len()), "a long delta");
            codec.append_publication(PushChannel::Id(1), publication, DataForm::of(delta.as_deref()), &mut payload);
        }
        let pushes = read_replies(codec, &payload).expect("valid replies");
        let read = pushes.iter().map(|push| reader.data(codec, &push["push"]["pub"]).expect("a delta that fits"));
        assert_eq!(read.collect::<Vec<_>>(), expected, "{codec:?}");
    }
}

/// The content as a test reads it. `None`: JSON that looks different after it was read and written, so that no delta fits.
fn as_read(content: &Content) -> Option<Value> {
    match content {
        Content::Json(data) => value(data).filter(|value| serde_json::to_string(value).is_ok_and(|text| text == data.get())),
        Content::Text(text) => Some(Value::from(&**text)),
        Content::Bytes(_) => {
            let mut payload = Vec::new();
            let tags = Tags::from([(CONTENT_TYPE.to_owned(), "b".to_owned())]);
            let it = Publication { position: None, content: content.clone(), tags, info: None, time_ms: 0, traceparent: None };
            Codec::Json.append_publication(PushChannel::Id(1), &it, DataForm::Plain, &mut payload);
            Some(read_replies(Codec::Json, &payload).expect("valid")[0]["push"]["pub"]["data"].clone())
        }
    }
}

/// A message that says the same in both encodings. `None`: it has a number or an escape that the tree cannot hold.
fn in_both(append: impl Fn(Codec, &mut Vec<u8>)) -> Option<Value> {
    let [mut text, mut binary] = [Vec::new(), Vec::new()];
    append(Codec::Json, &mut text);
    append(Codec::Protobuf, &mut binary);
    assert!(!text.contains(&b'\n'), "one line");
    serde_json::from_slice::<&serde_json::value::RawValue>(&text).expect("valid JSON");
    let mut in_json = read_replies(Codec::Json, &text).ok()?.into_iter().map(without_defaults).collect::<Vec<_>>();
    let in_protobuf = read_replies(Codec::Protobuf, &binary).expect("valid").into_iter().map(without_defaults).collect::<Vec<_>>();
    if let Some(tags) = in_json[0].pointer_mut("/push/pub/tags").and_then(Value::as_object_mut) {
        // Only JSON says how its strings hold bytes.
        tags.remove(ENCODING);
    }
    assert_eq!(in_json, in_protobuf);
    in_json.pop()
}
