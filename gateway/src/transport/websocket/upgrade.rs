//! The router of upgrade requests.

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

/// How long the answer may take to leave; a refusal then has as long again until the peer has to be gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers one upgrade request: every one that offers WebSocket at a path of the gate's and every CONNECT comes here, whatever its method.
///
/// Admitted, the socket goes to [`Gate::enter`] and this returns at once, so that actix-http frees what it held for the connection.
/// Refused, the answer is flushed, this side closed, and what the peer still sends is read for a second at most: closing with unread
/// input would make the kernel throw the answer away.
pub async fn upgrade<T, G>(gate: &G, request: Request, framed: Framed<RequestStream<T>, Codec>)
where
    T: AsyncRead + AsyncWrite + Unpin,
    G: Gate<T>,
{
    let parts = framed.into_parts();
    let (mut io, unread) = parts.io.into_parts();
    let leftover = [&parts.read_buf[..], &unread].concat();
    drop((parts.read_buf, unread));
    // Answers to requests that were pipelined before this one may still wait.
    let mut answer = parts.write_buf.to_vec();
    drop(parts.write_buf);
    match decide(gate, &request) {
        Ok(admission) => {
            handshake::answer(request.head(), admission.subprotocol, &mut answer);
            let peer = request.peer_addr();
            drop(request);
            if matches!(timeout(PATIENCE, send(&mut io, &answer)).await, Ok(Ok(()))) {
                gate.enter(Upgraded { io, leftover, peer, pass: admission.pass });
            }
        }
        Err(denial) => {
            tracing::debug!(path = request.path(), code = %denial.refusal.code, "upgrade refused");
            gate.refused(&denial);
            refuse::answer(&denial, &mut answer);
            if matches!(timeout(PATIENCE, send(&mut io, &answer)).await, Ok(Ok(()))) {
                // Whatever comes of it, the socket is dropped next.
                let _ = timeout(PATIENCE, finish(&mut io)).await;
            }
        }
    }
}

fn decide<T, G: Gate<T>>(gate: &G, request: &Request) -> Result<super::Admission<G::Pass>, Denial> {
    handshake::check_target(request.head())?;
    let route = gate.route(request.path()).ok_or_else(|| {
        Denial::from(Refusal::new(ErrorCode::NotFound, "No WebSocket is served under this path. The frontends' is /connection/websocket."))
    })?;
    handshake::check(request.head())?;
    gate.admit(route, &UpgradeRequest::new(request.head()))
}

async fn send<T: AsyncWrite + Unpin>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.flush().await
}

/// Half-closes and reads until the peer has closed too.
async fn finish<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) -> io::Result<()> {
    io.shutdown().await?;
    let mut ignored = [0; 512];
    while io.read(&mut ignored).await? > 0 {}
    Ok(())
}
