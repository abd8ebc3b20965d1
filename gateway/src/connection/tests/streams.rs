//! Connections whose messages an HTTP response carries, and whose commands come in requests of their own.

use super::*;
use crate::broker::{PostOutcome, PostedCommands};
use gateway_core::model::SessionKey;

/// The client's end of a stream.
pub(super) struct Stream {
    peer: Peer,
    encoding: Encoding,
}

impl World {
    fn stream(&self, encoding: Encoding, commands: PostedCommands) -> Stream {
        let socket = Socket::default();
        let protocol = ChosenProtocol::Centrifuge { encoding, ping_form: PingForm::StreamMessage };
        let handshake =
            Handshake { id: ConnectionId::random(), protocol, address: None, traceparent: None, request: KeptRequest::default() };
        let padding = if encoding == Encoding::JsonEvents { ":   \n\n" } else { "   " };
        let connection = Connection::new(self.worker.clone(), Wire::stream(socket.clone()), handshake)
            .with_first_bytes(padding.into())
            .with_first_commands(commands);
        let task = tokio::task::spawn_local(connection);
        Stream { peer: Peer { socket, task }, encoding }
    }

    /// Opens a stream of lines. Returns it with the key of its session.
    pub(super) async fn lines(&self) -> (Stream, SessionKey) {
        let stream = self.stream(Encoding::JsonLines, json_commands(r#"{"id":1,"connect":{}}"#));
        let [connected] = &stream.receive().await[..] else { panic!("one reply") };
        let connect = &connected["connect"];
        assert_eq!((&connect["ping"], &connect["pong"]), (&json!(15), &Value::Null), "nobody answers the pings");
        assert_eq!(connect["node"].as_str(), Some(&*self.worker.node.cluster.address()));
        let key = connect["session"].as_str().expect("a key").parse().expect("valid");
        (stream, key)
    }

    pub(super) async fn post(&self, key: SessionKey, text: &str) -> PostOutcome {
        let address = self.worker.node.cluster.address();
        self.worker.node.cluster.post_commands(&address, key, json_commands(text)).await.expect("the worker answers")
    }
}

impl Stream {
    /// The messages that have arrived since the last call.
    pub(super) async fn receive(&self) -> Vec<Value> {
        settle().await;
        let bytes = self.peer.socket.take(|bytes| (!bytes.is_empty()).then(|| (bytes.len(), bytes.to_vec()))).unwrap_or_default();
        let text = String::from_utf8(bytes).expect("UTF-8");
        let lines = text.lines().filter_map(|line| match self.encoding {
            Encoding::JsonEvents => line.strip_prefix("data: "),
            _ => Some(line),
        });
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

fn json_commands(text: &str) -> PostedCommands {
    PostedCommands::Json(text.into())
}

#[test]
fn commands_of_requests_are_answered_in_the_stream_in_their_order() {
    run(default_bounds(), |world| async move {
        let (stream, key) = world.lines().await;
        for (at, commands) in [
            "{\"id\":2,\"subscribe\":{\"channel\":\"open:a\"}}\n{\"id\":3,\"publish\":{\"channel\":\"open:a\",\"data\":1}}",
            "{\"id\":4,\"ping\":{}}",
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(world.post(key, commands).await, PostOutcome::Taken, "request {at}");
        }
        let all = stream.receive().await;
        let ids: Vec<_> = all.iter().filter_map(|line| line["id"].as_u64()).collect();
        assert_eq!(ids, [2, 3, 4]);
        assert_eq!(all.iter().filter(|line| line["push"]["pub"]["data"] == 1).count(), 1);
    });
}

#[test]
fn each_carrier_has_its_own_form() {
    run(default_bounds(), |world| async move {
        let events = world.stream(Encoding::JsonEvents, json_commands(r#"{"id":1,"connect":{}}"#));
        assert!(events.receive().await[0]["connect"]["session"].is_string());
        let connect = PostedCommands::Protobuf([4, 8, 1, 34, 0].into());
        let protobuf = world.stream(Encoding::ProtobufStream, connect);
        settle().await;
        let bytes = protobuf.peer.socket.take(|bytes| Some((bytes.len(), bytes.to_vec()))).expect("bytes");
        let replies = gateway_core::protocol::centrifuge::testing::read_replies(Codec::Protobuf, &bytes[3..]).expect("valid");
        assert_eq!(replies.len(), 1);
        assert_eq!(replies[0]["connect"]["session"].as_str().map(str::len), Some(34));
    });
}

#[test]
fn pings_need_no_answer() {
    run(default_bounds(), |world| async move {
        let (stream, _) = world.lines().await;
        elapse(100.0).await;
        assert!(!stream.peer.is_finished().await);
        assert!(stream.receive().await.iter().filter(|line| **line == json!({})).count() >= 5);
    });
}

#[test]
fn a_stream_ends_with_the_reason_and_takes_no_more_commands() {
    run(default_bounds(), |world| async move {
        let (stream, key) = world.lines().await;
        assert_eq!(world.post(key, "no command").await, PostOutcome::Taken);
        let all = stream.receive().await;
        assert_eq!(all.last().map(|line| &line["push"]["disconnect"]["code"]), Some(&json!(3501)), "{all:?}");
        assert!(stream.peer.socket.is_shut(), "the response has ended");
        stream.peer.socket.feed(Incoming::Eof);
        assert!(stream.peer.is_finished().await);
        assert_eq!(world.post(key, "{}").await, PostOutcome::Gone);
        world.assert_empty().await;
    });
}

#[test]
fn a_client_that_does_not_close_is_cut() {
    run(default_bounds(), |world| async move {
        let (stream, key) = world.lines().await;
        world.post(key, "no command").await;
        elapse(10.0).await;
        assert!(stream.peer.is_finished().await);
        world.assert_empty().await;
    });
}

#[test]
fn input_on_the_socket_of_a_stream_has_no_effect() {
    run(default_bounds(), |world| async move {
        let (stream, key) = world.lines().await;
        stream.peer.send("{\"id\":9,\"ping\":{}}");
        assert_eq!(stream.receive().await, Vec::<Value>::new());
        assert_eq!(world.post(key, "{\"id\":2,\"ping\":{}}").await, PostOutcome::Taken);
        assert_eq!(stream.receive().await, [json!({"id": 2, "ping": {}})]);
    });
}

#[test]
fn commands_wait_while_the_client_does_not_read_and_are_bounded() {
    run(Bounds { outbox: 4000, ..default_bounds() }, |world| async move {
        let (stream, key) = world.lines().await;
        stream.peer.accept_bytes(0);
        let publish = format!("{{\"id\":2,\"rpc\":{{\"method\":\"x\",\"data\":\"{}\"}}}}", "x".repeat(100));
        let mut outcomes = Vec::new();
        for _ in 0..60 {
            outcomes.push(world.post(key, &publish).await);
            settle().await;
        }
        let taken = outcomes.iter().filter(|outcome| **outcome == PostOutcome::Taken).count();
        assert_eq!(outcomes.last(), Some(&PostOutcome::Full), "{outcomes:?}");
        stream.peer.accept_all();
        assert_eq!(stream.receive().await.iter().filter(|line| line["id"] == 2).count(), taken, "each request that was taken is answered");
    });
}

#[test]
fn nobody_reaches_a_session_with_another_key() {
    run(default_bounds(), |world| async move {
        let (stream, key) = world.lines().await;
        assert_eq!(world.post(SessionKey::random(key.worker()), "{\"id\":2,\"ping\":{}}").await, PostOutcome::Gone);
        assert_eq!(
            world.post(SessionKey::random(WorkerId::new(9).expect("valid")), "{}").await,
            PostOutcome::Gone,
            "there is no such worker"
        );
        let elsewhere = world.worker.node.cluster.post_commands("n9:1", key, json_commands("{}")).await;
        assert_eq!(elsewhere.map_err(|refusal| refusal.code), Err(gateway_core::model::ErrorCode::NotFound));
        assert_eq!(stream.receive().await, Vec::<Value>::new());
    });
}

#[test]
fn commands_whose_request_has_ended_are_not_carried_out() {
    run(default_bounds(), |world| async move {
        let (stream, key) = world.lines().await;
        let (answer, request) = tokio::sync::oneshot::channel();
        assert!(world.mailbox.post(MailboxEntry::Post(key, json_commands("{\"id\":2,\"ping\":{}}"), answer)));
        drop(request);
        assert_eq!(stream.receive().await, Vec::<Value>::new());
        assert_eq!(world.post(key, "{\"id\":3,\"ping\":{}}").await, PostOutcome::Taken);
        assert_eq!(stream.receive().await, [json!({"id": 3, "ping": {}})]);
    });
}
