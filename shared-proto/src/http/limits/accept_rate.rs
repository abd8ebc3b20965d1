//! The limit of connections per second.

use crate::http::errors::{Cause, Fault};
use bytes::BytesMut;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Time for the request of a refused client to arrive, and for the client to read the answer.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// The limit of connections per second of a listener.
#[derive(Clone)]
pub struct AcceptRate {
    /// Takes a connection. The error says after which time one may be taken.
    pub admit: Arc<dyn Fn() -> Result<(), Duration> + Send + Sync>,
    /// A whole response that tells a client to come back later, and announces the close of the connection.
    pub refusal: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
}

impl AcceptRate {
    /// Answers a connection without TLS above the rate, whose `first` bytes were already read.
    pub(in crate::http) async fn refuse(&self, io: &mut TcpStream, mut first: BytesMut) {
        // The result does not matter: the socket is dropped next.
        let _ = timeout(REFUSAL_TIME, async {
            // With unread input in the socket the kernel would discard the answer.
            if first.is_empty() {
                io.read_buf(&mut first).await?;
            }
            io.write_all(&(self.refusal)()).await?;
            io.shutdown().await?;
            while io.read(&mut [0; 512]).await? > 0 {}
            Ok::<(), std::io::Error>(())
        })
        .await;
    }

    /// Takes a connection, if one may be taken now.
    pub(in crate::http) fn take(&self) -> Result<(), Fault> {
        (self.admit)().map_err(|_| above_rate())
    }

    /// Waits until a connection may be taken, at most `longest`.
    pub(in crate::http) async fn wait(&self, longest: Duration) -> Result<(), Fault> {
        let admitted = async {
            while let Err(pause) = (self.admit)() {
                sleep(pause).await;
            }
        };
        timeout(longest, admitted).await.map_err(|_| above_rate())
    }
}

fn above_rate() -> Fault {
    Fault::Refused(Cause::AcceptRate, "the limit of connections per second is reached".into())
}

impl fmt::Debug for AcceptRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptRate").finish_non_exhaustive()
    }
}
