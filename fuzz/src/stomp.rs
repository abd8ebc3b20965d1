//! The invariant of the frames of STOMP. The fuzz target checks it with generated inputs, and a test with the inputs of the corpus.

use gateway_core::{
    model::{CONTENT_TYPE, Content, Epoch, Position, Publication, Tags},
    protocol::stomp::{
        BadFrame, ClientCommand, Frame, Framing, HeartBeat, MessageForm, MessageSubscription, MessageTemplate, Parser, ParserLimits,
        ServerFrame, Version, append_server_frame, is_reserved, sockjs_unwrap, sub_protocol,
        testing::{append_frame, read_messages},
    },
};

const LIMITS: ParserLimits = ParserLimits { headers: 8, header_bytes: 512, body_bytes: 256 };

/// Checks that a stream is read without a panic, within the limits, and the same however it is cut; that its frames can be written and read
/// again; and that what a client sent arrives at subscribers in every form.
///
/// The first byte of `data` is the version, and whether CONNECT has come; the second one is a place in the stream. The rest is the stream.
pub fn check(data: &[u8]) {
    let [start, place, stream @ ..] = data else { return };
    let version = Version::ALL[usize::from(start % 3)];
    let start = Start { version, is_connected: start & 4 != 0 };
    let whole = start.read([stream]);
    let (left, right) = stream.split_at(usize::from(*place) * stream.len() / usize::from(u8::MAX));
    assert_eq!(start.read([left, right]), whole, "in two pieces");
    assert_eq!(start.read(stream.chunks(1)), whole, "byte by byte");
    let frames = start.frames(stream);
    check_again(version, &frames);
    for frame in &frames {
        check_frame(version, frame);
    }
    check_texts(stream);
}

#[derive(Clone, Copy)]
struct Start {
    version: Version,
    is_connected: bool,
}

impl Start {
    /// What the pieces contain, as text. Of an unknown command only the kind: what it shows depends on how much of the line had arrived.
    fn read<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Option<String>) {
        let (frames, bad) = self.read_all(pieces);
        let bad = bad.map(|bad| if let BadFrame::UnknownCommand(_) = bad { "an unknown command".into() } else { bad.to_string() });
        (frames.iter().map(|frame| format!("{frame:?}")).collect(), bad)
    }

    fn frames(self, stream: &[u8]) -> Vec<Frame> {
        self.read_all([stream]).0
    }

    fn read_all<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<BadFrame>) {
        let mut parser = Parser::new(LIMITS);
        let mut limits = ParserLimits::before_connect();
        if self.is_connected {
            parser.set_version(self.version);
            limits = LIMITS;
        }
        let mut frames = Vec::new();
        for piece in pieces {
            parser.push(piece);
            loop {
                match parser.next() {
                    Ok(Some(frame)) => {
                        check_limits(&frame, limits);
                        frames.push(frame);
                        parser.set_version(self.version);
                        limits = LIMITS;
                    }
                    Ok(None) => break,
                    Err(bad) => {
                        assert_eq!((parser.buffered(), parser.is_mid_frame()), (0, false));
                        assert!(!bad.to_string().contains([':', '\\', '\r', '\n']), "{bad}");
                        return (frames, Some(bad));
                    }
                }
            }
            assert!(parser.buffered() <= most_memory(limits), "{} bytes", parser.buffered());
            assert!(parser.is_mid_frame() || parser.buffered() == 0);
        }
        (frames, None)
    }
}

/// Most bytes that a parser holds while bytes are missing.
fn most_memory(limits: ParserLimits) -> usize {
    let headers = limits.header_bytes + 2 * limits.headers * size_of::<(Box<str>, Box<str>)>();
    2 * limits.header_bytes.max(limits.body_bytes) + headers + 256
}

fn check_limits(frame: &Frame, limits: ParserLimits) {
    let size: usize = frame.headers.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    assert!(frame.headers.iter().count() <= limits.headers && size <= limits.header_bytes && frame.body.len() <= limits.body_bytes);
    assert!(frame.body.is_empty() || frame.command == ClientCommand::Send);
    for (name, _) in frame.headers.iter() {
        assert!(!name.is_empty());
        assert_eq!(frame.headers.iter().filter(|(other, _)| *other == name).count(), 1, "{name}");
    }
}

/// Checks that the frames are the same after they were written and read, with both line ends. The limits are those before CONNECT, which may
/// have more headers than others.
fn check_again(version: Version, frames: &[Frame]) {
    for end in ["\n", "\r\n"] {
        let mut stream = Vec::new();
        for frame in frames {
            append_frame(version, frame, end, &mut stream);
        }
        let mut parser = Parser::new(ParserLimits { headers: 100, header_bytes: 16 << 10, body_bytes: 256 });
        parser.set_version(version);
        parser.push(&stream);
        for frame in frames {
            assert_eq!(parser.next().as_ref(), Ok(&Some(frame.clone())), "{}", stream.escape_ascii());
        }
        assert_eq!((parser.next(), parser.buffered()), (Ok(None), 0));
    }
}

/// Checks that a body arrives in every form, with the headers of the frame as tags.
fn check_frame(version: Version, frame: &Frame) {
    let Ok(content) = Content::detect(frame.body.clone()) else { return };
    let mut tags: Tags = frame.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if let Some(kind) = content.default_type() {
        tags.entry(CONTENT_TYPE.to_owned()).or_insert_with(|| kind.to_owned());
    }
    let number = frame.body.len() as u64;
    let position = Epoch::parse("AbCd1234").filter(|_| number.is_multiple_of(2)).map(|epoch| Position { epoch, offset: number });
    let publication = Publication { position, content, tags, info: None, time_ms: 0, traceparent: None };
    let text = |name: &str| frame.headers.get(name).unwrap_or("x:\\y\"").into();
    let subscription =
        MessageSubscription { id: text("id"), destination: text("destination"), acks: number.is_multiple_of(3), queue: None, after: None };
    let other = MessageSubscription { queue: Some(text("queue")), ..subscription.clone() };
    for framing in [Framing::WebSocket, Framing::SockJs] {
        let subscriptions = [subscription.clone(), other.clone()].into();
        check_form(&MessageForm { version, framing, subscriptions }, &publication, number);
    }
}

fn check_form(form: &MessageForm, publication: &Publication, number: u64) {
    let template = MessageTemplate::new(form.version, form.framing, publication, number);
    let mut out = Vec::new();
    let count = form.append(&template, publication, &mut out);
    let received = read_messages(form.framing, form.version, &out).expect("valid messages");
    assert_eq!((received.len(), out), (count, one_by_one(form, publication, number)));
    for message in received {
        let is_base64 = form.framing == Framing::SockJs && std::str::from_utf8(publication.content.as_bytes()).is_err();
        assert_eq!(message.get("encoding").is_some(), is_base64);
        if !is_base64 {
            assert_eq!(message.body, publication.content.as_bytes());
        }
        // No tag of a client of this version needs a replacement: each arrives as it was sent.
        for (name, value) in publication.tags.iter().filter(|(name, _)| !is_reserved(name)) {
            assert_eq!(message.get(name), Some(&**value), "{name}");
        }
    }
}

/// The same messages, encoded one by one.
fn one_by_one(form: &MessageForm, publication: &Publication, number: u64) -> Vec<u8> {
    let id = publication.position.map_or_else(|| format!("n-{number}"), |at| format!("{}-{}", at.epoch, at.offset));
    let kind = publication.tags.get_key_value(CONTENT_TYPE);
    let tags = publication.tags.iter().filter(|(name, _)| !is_reserved(name)).chain(kind);
    let position = publication.position.map(|_| ("x-position", &*id));
    let headers: Vec<_> = position.into_iter().chain(tags.map(|(name, value)| (&**name, &**value))).collect();
    let queue = publication.tags.get("queue").map(|queue| &**queue);
    let mut out = Vec::new();
    for it in form.subscriptions.iter().filter(|it| it.queue.is_none() || it.queue.as_deref() == queue) {
        let frame = ServerFrame::Message {
            subscription: &it.id,
            destination: &it.destination,
            acks: it.acks,
            message_id: &id,
            headers: &headers,
            content: Some(&publication.content),
        };
        append_server_frame(form.framing, form.version, &frame, &mut out);
    }
    out
}

/// Checks what reads texts: the values of headers, and the messages of SockJS.
fn check_texts(stream: &[u8]) {
    let Ok(text) = std::str::from_utf8(stream) else { return };
    let _ = (Version::negotiate(Some(text)), sub_protocol([text]), sockjs_unwrap(text));
    if let Ok(client) = HeartBeat::parse(Some(text)) {
        let answer = client.answer();
        assert_eq!((answer.sends == 0, answer.wants == 0), (client.wants == 0, client.sends == 0));
        assert_eq!(HeartBeat::parse(Some(&answer.to_string())), Ok(answer));
    }
    let sent = serde_json::to_string(&[text]).expect("a text is JSON");
    assert_eq!(sockjs_unwrap(&sent), Ok(vec![text.to_owned()]));
}
