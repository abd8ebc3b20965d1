//! Answers upgrade requests.

use super::{Denial, Gate, UpgradeRequest, Upgraded, handshake, refuse};
use actix_codec::Framed;
use actix_http::{Request, h1::Codec};
use gateway_core::model::{ErrorCode, Refusal};
use shared_proto::http::RequestStream;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Time limit for writing the response. After a refusal, the peer has the same time again to close its side.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Answers one upgrade request: every request that offers WebSocket at a path of the gate, and every CONNECT.
///
/// If the request is admitted, [`Gate::enter`] receives the socket. This function then returns at once, so that actix-http frees its memory for
/// the connection. If the request is refused, this function writes the response and closes its side. It then reads the peer's input for at
/// most a second: if it closed the socket with unread input, the kernel would discard the response.
pub async fn upgrade<T, G>(gate: &G, request: Request, framed: Framed<RequestStream<T>, Codec>)
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    G: Gate<T>,
{
    let parts = framed.into_parts();
    let Some((mut io, unread)) = parts.io.into_parts() else { return };
    let leftover = [&parts.read_buf[..], &unread].concat();
    drop((parts.read_buf, unread));
    // The write buffer may contain responses to earlier pipelined requests.
    let mut answer = parts.write_buf.to_vec();
    drop(parts.write_buf);
    match decide(gate, &request) {
        Ok(admission) => {
            handshake::answer(request.head(), &admission, &mut answer);
            let peer = request.peer_addr();
            drop(request);
            if matches!(timeout(ANSWER_TIMEOUT, send(&mut io, &answer)).await, Ok(Ok(()))) {
                gate.enter(Upgraded { io, leftover, peer, context: admission.context });
            }
        }
        Err(denial) => {
            let client = gate.client(&UpgradeRequest::new(request.head())).map(tracing::field::display);
            tracing::debug!(client, path = request.path(), code = %denial.refusal.code, "upgrade refused");
            gate.refused(&denial);
            refuse::answer(&denial, &mut answer);
            if matches!(timeout(ANSWER_TIMEOUT, send(&mut io, &answer)).await, Ok(Ok(()))) {
                // The result does not matter: the socket is dropped next.
                let _ = timeout(ANSWER_TIMEOUT, finish(&mut io)).await;
            }
        }
    }
}

fn decide<T, G: Gate<T>>(gate: &G, request: &Request) -> Result<super::Admission<G::Context>, Denial> {
    gate.check_host(&UpgradeRequest::new(request.head()))?;
    handshake::check_target(request.head())?;
    let route = gate.route(request.path()).ok_or_else(|| {
        Denial::from(Refusal::new(ErrorCode::NotFound, "No WebSocket is served at this path. Frontends connect to /connection/websocket."))
    })?;
    handshake::check(request.head())?;
    gate.admit(route, &UpgradeRequest::new(request.head()))
}

async fn send<T: AsyncWrite + Unpin>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.flush().await
}

/// Closes this side, and reads until the peer closes its side.
async fn finish<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) -> io::Result<()> {
    io.shutdown().await?;
    let mut ignored = [0; 512];
    while io.read(&mut ignored).await? > 0 {}
    Ok(())
}
