use super::*;
use std::cell::Cell;
use std::pin::pin;
use std::task::Poll;
use tokio::io::AsyncWriteExt as _;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::Instant;

/// A connection that was accepted, and the client's end of it.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
    (listener.accept().await.expect("accepted").0, client)
}

fn admission(permits: &Arc<Semaphore>) -> Admission {
    Admission {
        permits: permits.clone(),
        accept_rate: None,
        client_places: None,
        errors: Arc::new(ConnectionErrors::new("test")),
        configure_socket: Arc::new(|_| ()),
        proxy_protocol: None,
        tls: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_above_the_limit_gets_the_next_free_place() {
    let (permits, (mut io, _client)) = (Arc::new(Semaphore::new(1)), connection().await);
    let admission = admission(&permits);
    let held = permits.try_acquire().expect("free");
    let mut prepared = pin!(admission.prepare(&mut io));
    assert!(matches!(futures_util::poll!(&mut prepared), Poll::Pending));
    drop(held);
    assert!(prepared.await.is_ok());
}

/// With one turn in a round, few requests are served between two looks.
#[tokio::test]
async fn connections_take_turns() {
    const MANY: usize = 50;
    let served = Rc::new(Cell::new(0));
    let counted = served.clone();
    let app = fn_service(move |_: Request| {
        counted.set(counted.get() + 1);
        async { Ok::<_, actix_http::Error>(Response::ok()) }
    });
    let local = LocalSet::new();
    let seen = local.run_until(async move {
        let options = HttpOptions { turns: Some(1), ..HttpOptions::default() };
        let service = service(app, None::<UpgradeHandler>, Rc::new(|_| false), options).new_service(()).await.expect("a service");
        let mut pairs = Vec::new();
        for _ in 0..MANY {
            let (io, mut client) = connection().await;
            client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("sent");
            pairs.push((io, client));
        }
        let (sockets, _clients): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        for io in sockets {
            spawn_local(service.call(io));
        }
        let mut seen = Vec::new();
        while served.get() < MANY {
            let before = served.get();
            yield_now().await;
            seen.push(served.get() - before);
        }
        seen
    });
    let seen = timeout(Duration::from_secs(20), seen).await.expect("all are served");
    assert!(seen.iter().all(|requests| *requests <= 2), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn it_is_closed_after_a_wait_that_bounds_how_many_are_closed_in_a_second() {
    let (permits, (mut io, _client)) = (Arc::new(Semaphore::new(0)), connection().await);
    let begun = Instant::now();
    let refused = admission(&permits).prepare(&mut io).await;
    assert!(matches!(refused, Err(Fault::Refused(Cause::NoRoom, _))));
    assert!(begun.elapsed() >= SURPLUS_TIME, "{:?}", begun.elapsed());
}
