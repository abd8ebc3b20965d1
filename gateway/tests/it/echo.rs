//! An echo server on the real upgrade path, as small as a driver of [`Wire`] can be.

use actix_web::{App, HttpResponse, web};
use gateway::transport::{
    websocket::{Admission, Denial, Gate, PublicHttp, UpgradeRequest, Upgraded, centrifuge, http_service},
    wire::{End, Next, Wire},
};
use gateway_core::{
    model::{ErrorCode, Refusal},
    protocol::websocket::{Decoder, Event, encode},
};
use shared_proto::http::Socket;
use std::{
    collections::VecDeque,
    io,
    net::TcpListener,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// How the server behaves.
#[derive(Clone, Copy, Debug)]
pub struct Echo {
    /// Largest size of a message in bytes.
    pub max_message: u32,
    /// Time limit for a message to become complete.
    pub message_timeout: Duration,
    /// Time limit for the peer to close the connection after the close frame was sent.
    pub close_timeout: Duration,
}

impl Default for Echo {
    fn default() -> Self {
        Self { max_message: 16 * 1024 * 1024, message_timeout: Duration::from_secs(10), close_timeout: Duration::from_secs(2) }
    }
}

/// Serves until the server is dropped. `/hello` answers ordinary requests.
pub fn run(listener: TcpListener, echo: Echo) -> io::Result<actix_server::Server> {
    let factory = move || {
        let app = App::new().route("/hello", web::get().to(|| async { HttpResponse::Ok().body("hello") }));
        http_service(app, Rc::new(echo), PublicHttp::default())
    };
    Ok(actix_server::Server::build()
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .max_concurrent_connections(100_000)
        .listen("echo", listener, factory)?
        .run())
}

impl Gate<Socket> for Echo {
    type Route = ();
    type Context = ();

    fn route(&self, path: &str) -> Option<()> {
        (path.starts_with('/') && path != "/nowhere").then_some(())
    }

    fn admit(&self, (): (), request: &UpgradeRequest<'_>) -> Result<Admission<()>, Denial> {
        match request.path() {
            "/full" => return Err(Denial::retry_after(ErrorCode::ConnectionLimit, Duration::from_millis(1500))),
            "/draining" => return Err(Denial::retry_after(ErrorCode::Draining, Duration::from_secs(5))),
            "/same-origin"
                if request.origin()?.is_some_and(|origin| origin != format!("http://{}", request.header("host").unwrap_or_default())) =>
            {
                return Err(ErrorCode::OriginNotAllowed.into());
            }
            "/odd" => return Err(Refusal::new(ErrorCode::BadRequest, "\"\r\nX: \u{7}").into()),
            _ => {}
        }
        Ok(Admission { subprotocol: centrifuge(request.subprotocols(), request.query()).1, connection_id: None, context: () })
    }

    fn enter(&self, upgraded: Upgraded<Socket, ()>) {
        let wire = Wire::new(upgraded.io, &upgraded.leftover, Decoder::new(self.max_message));
        actix_rt::spawn(Connection { wire: Some(wire), queue: VecDeque::new(), queued: 0, state: State::Open, timer: None, echo: *self });
    }
}

/// The server stops reading while its queue has more bytes than this.
const FULL: usize = 1024 * 1024;

/// Largest number of messages in one turn.
const TURN: u32 = 32;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The close frame is queued.
    Closing,
    /// The close frame is sent, and the sending side is shut down.
    Closed,
}

struct Connection {
    wire: Option<Wire<Socket>>,
    queue: VecDeque<Rc<[u8]>>,
    queued: usize,
    state: State,
    /// The time limit of the incomplete message, or of the peer's close.
    timer: Option<Pin<Box<Sleep>>>,
    echo: Echo,
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut wire) = self.wire.take() else { return Poll::Ready(()) };
        let over = self.read(&mut wire, cx) || self.write(&mut wire, cx);
        if over {
            return Poll::Ready(());
        }
        if self.late(&wire, cx) {
            wire.abort();
            return Poll::Ready(());
        }
        self.wire = Some(wire);
        Poll::Pending
    }
}

impl Connection {
    /// True once the connection is over.
    fn read(&mut self, wire: &mut Wire<Socket>, cx: &mut Context<'_>) -> bool {
        if self.queued >= FULL {
            return false;
        }
        let mut messages = 0;
        let (queue, queued, state) = (&mut self.queue, &mut self.queued, &mut self.state);
        let turn = wire.poll_turn(cx, 16 * 1024, |event| {
            let mut frame = Vec::new();
            match event {
                Event::Text(text) => encode::text(text, &mut frame),
                Event::Binary(bytes) => encode::binary(bytes, &mut frame),
                Event::Ping(payload) => encode::pong(payload, &mut frame),
                Event::Pong(_) => {}
                Event::Close(code, _) => {
                    encode::close(code, "", &mut frame);
                    *state = State::Closing;
                }
            }
            if !frame.is_empty() {
                *queued += frame.len();
                queue.push_back(frame.into());
            }
            messages += 1;
            match () {
                () if *queued >= FULL => Next::Pause,
                () if messages >= TURN => Next::Yield,
                () => Next::Continue,
            }
        });
        match turn {
            Poll::Ready(End::Violation(violation)) => {
                let mut frame = Vec::new();
                encode::close(Some(violation.code()), &violation.to_string(), &mut frame);
                self.queued += frame.len();
                self.queue.push_back(frame.into());
                self.state = State::Closing;
                cx.waker().wake_by_ref();
                false
            }
            Poll::Ready(End::Eof) => self.state != State::Closing || self.queue.is_empty(),
            Poll::Ready(End::Failed(_)) => true,
            Poll::Pending => false,
        }
    }

    /// True once the connection is over.
    fn write(&mut self, wire: &mut Wire<Socket>, cx: &mut Context<'_>) -> bool {
        let full = self.queued >= FULL;
        let wrote = wire.poll_write(cx, &mut self.queue);
        self.queued -= wrote.bytes;
        if full && self.queued < FULL {
            cx.waker().wake_by_ref();
        }
        match wrote.state {
            Poll::Ready(Err(_)) => true,
            Poll::Ready(Ok(())) if self.state == State::Closing => {
                self.state = State::Closed;
                matches!(wire.poll_shutdown(cx), Poll::Ready(Err(_)))
            }
            _ => false,
        }
    }

    /// Whether the peer exceeded the time limit of a message or of its close.
    fn late(&mut self, wire: &Wire<Socket>, cx: &mut Context<'_>) -> bool {
        let patience = match self.state {
            State::Open if wire.is_mid_message() => self.echo.message_timeout,
            State::Open => {
                self.timer = None;
                return false;
            }
            State::Closing | State::Closed => self.echo.close_timeout,
        };
        self.timer.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx).is_ready()
    }
}
