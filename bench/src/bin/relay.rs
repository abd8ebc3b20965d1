//! A bare server to compare calls with: `relay 127.0.0.1:9002`. It has the transport of the gateway and no protocol. Each text frame of a client
//! goes to the one connection at `/link`, behind the number of the client and a colon. A frame that comes from there goes to the client whose number
//! it begins with.

use actix_web::{App, HttpResponse, web};
use gateway::transport::{
    websocket::{Admission, Denial, Gate, PublicHttp, UpgradeRequest, Upgraded, http_service},
    wire::{Next, Wire},
};
use gateway_core::protocol::websocket::{Decoder, Event, encode};
use shared_proto::http::Socket;
use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    io,
    net::TcpListener,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Largest message, in bytes.
const MESSAGE_SIZE: u32 = 64 * 1024;
/// Bytes that are read from one connection before others are served.
const TURN_BYTES: usize = 16 * 1024;
/// The number of the connection at `/link`.
const LINK: u64 = 0;

/// Frames that wait to be written to one connection.
#[derive(Default)]
struct Queue {
    frames: VecDeque<Rc<[u8]>>,
    task: Option<Waker>,
}

/// All connections, by their numbers.
#[derive(Clone, Default)]
struct Relay(Rc<RefCell<Connections>>);

#[derive(Default)]
struct Connections {
    last: u64,
    queues: HashMap<u64, Queue>,
}

impl Relay {
    /// Queues a frame, unless the connection has ended.
    fn send(&self, to: u64, frame: Vec<u8>) {
        if let Some(queue) = self.0.borrow_mut().queues.get_mut(&to) {
            queue.frames.push_back(frame.into());
            if let Some(task) = queue.task.take() {
                task.wake();
            }
        }
    }

    /// Passes on a message that came from this connection.
    fn pass_on(&self, from: u64, text: &str) {
        let mut frame = Vec::with_capacity(text.len() + 24);
        if from == LINK {
            let Some((number, rest)) = text.split_once(':') else { return };
            encode::text(rest, &mut frame);
            self.send(number.parse().unwrap_or(LINK), frame);
        } else {
            encode::text(&format!("{from}:{text}"), &mut frame);
            self.send(LINK, frame);
        }
    }
}

impl Gate<Socket> for Relay {
    /// Whether it is the link.
    type Route = bool;
    type Context = bool;

    fn route(&self, path: &str) -> Option<bool> {
        Some(path == "/link")
    }

    fn admit(&self, is_link: bool, _: &UpgradeRequest<'_>) -> Result<Admission<bool>, Denial> {
        Ok(Admission { subprotocol: None, connection_id: None, context: is_link })
    }

    fn enter(&self, upgraded: Upgraded<Socket, bool>) {
        let mut connections = self.0.borrow_mut();
        connections.last += 1;
        let number = if upgraded.context { LINK } else { connections.last };
        connections.queues.insert(number, Queue::default());
        let wire = Wire::new(upgraded.io, &upgraded.leftover, Decoder::new(MESSAGE_SIZE));
        actix_rt::spawn(Connection { number, wire, relay: self.clone() });
    }
}

struct Connection {
    number: u64,
    wire: Wire<Socket>,
    relay: Relay,
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { number, wire, relay } = &mut *self;
        let mut is_closed = false;
        let turn = wire.poll_turn(cx, TURN_BYTES, |event| {
            match event {
                Event::Text(text) => relay.pass_on(*number, text),
                Event::Close(..) => is_closed = true,
                _ => {}
            }
            Next::Continue
        });
        let mut connections = relay.0.borrow_mut();
        let Some(queue) = connections.queues.get_mut(number) else { return Poll::Ready(()) };
        let wrote = wire.poll_write(cx, &mut queue.frames);
        queue.task = Some(cx.waker().clone());
        if is_closed || turn.is_ready() || matches!(wrote.state, Poll::Ready(Err(_))) {
            connections.queues.remove(number);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9002".into());
    let listener = TcpListener::bind(address)?;
    let factory = || {
        let app = App::new().route("/readyz", web::get().to(async || HttpResponse::Ok().finish()));
        http_service(app, Rc::new(Relay::default()), PublicHttp::default())
    };
    actix_server::Server::build().workers(1).shutdown_timeout(0).listen("relay", listener, factory)?.run().await
}
