use super::*;
use std::pin::pin;
use std::task::Poll;
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

#[tokio::test(start_paused = true)]
async fn it_is_closed_after_a_wait_that_bounds_how_many_are_closed_in_a_second() {
    let (permits, (mut io, _client)) = (Arc::new(Semaphore::new(0)), connection().await);
    let begun = Instant::now();
    let refused = admission(&permits).prepare(&mut io).await;
    assert!(matches!(refused, Err(Fault::Refused(Cause::NoRoom, _))));
    assert!(begun.elapsed() >= SURPLUS_TIME, "{:?}", begun.elapsed());
}
