//! Event streams with a real session and hub.

use super::*;
use gateway_core::{
    event_source::{Begin, Decision, EventSourceStart, Rejection},
    model::{ErrorCode, Secret},
    protocol::event_stream::{
        ChannelList, LastEventId,
        testing::{Event, Read, read},
    },
};
use std::cell::RefCell;

fn start(channels: &[&str]) -> EventSourceStart {
    EventSourceStart {
        channels: list(channels),
        token: "".into(),
        begin: Begin::Now,
        has_envelope: false,
        is_return: false,
        retry: Duration::from_secs(3),
    }
}

fn list(channels: &[&str]) -> ChannelList {
    ChannelList::new(channels.iter().map(|name| name.parse().expect("valid")).collect()).expect("valid")
}

/// A browser's end of a stream.
struct Browser {
    peer: Peer,
    bytes: RefCell<Vec<u8>>,
}

impl World {
    fn opening(&self, start: EventSourceStart) -> Opening {
        let protocol = ChosenProtocol::EventSource(Box::new(start));
        let (id, request) = (ConnectionId::random(), KeptRequest::default());
        Opening::new(self.worker.clone(), Handshake { id, protocol, address: None, traceparent: None, request })
    }

    fn token_of(&self, user: &str) -> Secret {
        let claims = ConnectionClaims::of(user.parse().expect("valid"));
        self.worker.node.tokens.sign_connection(&claims, 0).expect("a key").into()
    }

    async fn browser(&self, start: EventSourceStart) -> Browser {
        let mut opening = self.opening(start);
        assert_eq!(opening.decide().await, Decision::Accepted);
        Browser::enter(opening)
    }

    async fn rejection(&self, start: EventSourceStart) -> Rejection {
        match self.opening(start).decide().await {
            Decision::Rejected(rejection) => rejection,
            Decision::Accepted => panic!("accepted"),
        }
    }
}

impl Browser {
    fn enter(opening: Opening) -> Self {
        let socket = Socket::default();
        let task = tokio::task::spawn_local(opening.into_connection(Wire::stream(socket.clone())));
        Self { peer: Peer { socket, task }, bytes: RefCell::default() }
    }

    /// Everything that it has read.
    async fn read(&self) -> Read {
        settle().await;
        let mut bytes = self.bytes.borrow_mut();
        bytes.extend(self.peer.socket.take(|bytes| Some((bytes.len(), bytes.to_vec()))).unwrap_or_default());
        read(&bytes)
    }

    async fn data(&self) -> Vec<String> {
        self.read()
            .await
            .events
            .into_iter()
            .map(|Event { kind, data, .. }| if kind == "message" { data } else { kind + " " + &data })
            .collect()
    }
}

#[test]
fn a_browser_gets_what_is_published_and_goes_on_where_it_was() {
    run(default_bounds(), |world| async move {
        world.publish("kept:a", "before").await;
        let browser = world.browser(start(&["kept:a"])).await;
        let opening = browser.read().await;
        assert_eq!((opening.retry, opening.comments, opening.events.len()), (Some(3000), 1, 0));
        for text in ["1", "2"] {
            world.publish("kept:a", text).await;
        }
        assert_eq!(browser.data().await, ["\"1\"", "\"2\""]);
        let last_id = browser.read().await.last_id;
        drop(browser);
        for text in 3..20 {
            world.publish("kept:a", &text.to_string()).await;
        }
        let last = LastEventId::parse(&last_id, &list(&["kept:a"])).expect("an id");
        let browser = world.browser(EventSourceStart { begin: Begin::After(last.positions), is_return: true, ..start(&["kept:a"]) }).await;
        world.publish("kept:a", "20").await;
        assert_eq!(browser.data().await, (3..=20).map(|n| format!("\"{n}\"")).collect::<Vec<_>>());
        drop(browser);
    });
}

#[test]
fn nothing_is_written_and_nothing_lost_before_all_channels_are_accepted() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::open(&world).await;
        let (worker, channels) = (world.worker.clone(), ["kept:a", "guarded:b", "kept:c"]);
        let opening = Rc::new(tokio::sync::Mutex::new(world.opening(start(&channels))));
        let decided = tokio::task::spawn_local({
            let opening = opening.clone();
            async move { opening.lock().await.decide().await }
        });
        let asked = bot.receive().await;
        settle().await;
        for text in 0..12 {
            world.publish("kept:a", &text.to_string()).await;
        }
        settle().await;
        assert!(!decided.is_finished());
        assert_eq!(worker.hub.metrics().counted(Count::Deliveries), 0, "nothing is on its way to the browser");
        bot.send(&json!({"reply": {"id": asked["call"]["id"], "data": {}}}));
        assert_eq!(decided.await.expect("no panic"), Decision::Accepted);
        let Ok(opening) = Rc::try_unwrap(opening) else { panic!("the task has ended") };
        let browser = Browser::enter(opening.into_inner());
        let read = browser.read().await;
        let texts: Vec<String> = read
            .events
            .iter()
            .map(|event| {
                let envelope: Value = serde_json::from_str(&event.data).expect("JSON");
                envelope["data"].as_str().expect("a text").to_owned()
            })
            .collect();
        assert_eq!(texts, (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
        assert!(read.retry.is_some());
        LastEventId::parse(&read.last_id, &list(&channels)).expect("an id of this list");
    });
}

#[test]
fn requests_without_permission_get_no_stream() {
    run(Bounds { anonymous: false, ..default_bounds() }, |world| async move {
        let rejection = world.rejection(start(&["kept:a"])).await;
        assert!(matches!(&rejection, Rejection::Problem(refusal) if refusal.code == ErrorCode::Unauthorized), "{rejection:?}");
        let rejection = world.rejection(EventSourceStart { token: "bad".into(), is_return: true, ..start(&["kept:a"]) }).await;
        assert!(matches!(&rejection, Rejection::NoReturn(refusal) if refusal.code == ErrorCode::Unauthorized), "{rejection:?}");
        let token = world.token_of("alice");
        let rejection = world.rejection(EventSourceStart { token: token.clone(), ..start(&["kept:a", "nowhere:b"]) }).await;
        assert!(matches!(&rejection, Rejection::Problem(refusal) if refusal.code == ErrorCode::UnknownChannel), "{rejection:?}");
        let rejection = world.rejection(EventSourceStart { token, ..start(&["#bob"]) }).await;
        assert!(matches!(&rejection, Rejection::Problem(refusal) if refusal.code == ErrorCode::PermissionDenied), "{rejection:?}");
        world.assert_empty().await;
    });
}

#[test]
fn a_browser_that_must_not_come_back_gets_an_end() {
    run(default_bounds(), |world| async move {
        let browser = world.browser(EventSourceStart { token: world.token_of("alice"), ..start(&["kept:a"]) }).await;
        world.publish("kept:a", "1").await;
        settle().await;
        assert_eq!(world.command("alice", ServerCommand::Disconnect { code: 3503, reason: "no more".into() }).await, 1);
        assert_eq!(browser.data().await, ["\"1\"", r#"end {"code":3503,"reason":"no more"}"#]);
        let id = LastEventId::parse(&browser.read().await.last_id, &list(&["kept:a"])).expect("an id");
        let seen = LastEventId::parse(&browser.read().await.events[0].last_id, &list(&["kept:a"])).expect("an id");
        assert!(id.is_end && !seen.is_end);
        assert_eq!(id.positions, seen.positions, "a new request may go on there");
        assert!(browser.peer.socket.is_shut());
        browser.peer.socket.feed(Incoming::Eof);
        assert!(browser.peer.is_finished().await);
        world.assert_empty().await;
    });
}

#[test]
fn a_browser_that_may_come_back_gets_nothing() {
    run(default_bounds(), |world| async move {
        let browser = world.browser(EventSourceStart { token: world.token_of("alice"), ..start(&["kept:a", "open:b"]) }).await;
        world.command("alice", ServerCommand::Disconnect { code: 3011, reason: "again".into() }).await;
        assert_eq!(browser.data().await, [""; 0]);
        assert!(browser.peer.socket.is_shut());
    });
}

#[test]
fn the_personal_channel_and_messages_of_services() {
    run(default_bounds(), |world| async move {
        let browser = world.browser(EventSourceStart { token: world.token_of("alice"), ..start(&["#alice"]) }).await;
        world.publish("#alice", "for alice").await;
        let data = gateway_core::model::Data::null();
        world.command("alice", ServerCommand::Message { data, queue: None }).await;
        assert_eq!(browser.data().await, ["\"for alice\""]);
        assert_eq!(world.worker.hub.metrics().drops(DropCause::NoQueue), 1);
    });
}

#[test]
fn a_lost_channel_has_a_reset_and_goes_on() {
    run(default_bounds(), |world| async move {
        let browser = world.browser(start(&["open:a"])).await;
        world.publish("open:a", "1").await;
        settle().await;
        world.mailbox.post(MailboxEntry::Dirty("open:a".parse().expect("valid")));
        settle().await;
        world.publish("open:a", "2").await;
        assert_eq!(browser.data().await, ["\"1\"", r#"reset {"channel":"open:a"}"#, "\"2\""]);
    });
}

#[test]
fn a_silent_stream_has_comments_and_needs_no_answer() {
    run(default_bounds(), |world| async move {
        let browser = world.browser(start(&["kept:a"])).await;
        let interval = world.worker.node.session_config.stream_ping_interval.as_secs_f32();
        for _ in 0..4 {
            elapse(interval).await;
        }
        let read = browser.read().await;
        assert!((4..=6).contains(&read.comments), "{} comments: the padding, and a heart-beat in each interval", read.comments);
        assert!(read.events.is_empty() && !browser.peer.is_finished().await);
    });
}

#[test]
fn a_request_that_is_dropped_before_the_decision_leaves_nothing() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::open(&world).await;
        let mut opening = world.opening(start(&["kept:a", "guarded:b"]));
        let waiting = tokio::task::spawn_local(async move { opening.decide().await });
        bot.receive().await;
        settle().await;
        waiting.abort();
        settle().await;
        world.assert_empty().await;
    });
}
