//! The tables of the two listeners.

use super::{DAY, HOUR, KIB, MIB, MINUTE, SECOND, millis, size};
use crate::settings::{reader::section, types::choices::TlsVersion, types::value::ByteSize};
use std::{net::SocketAddr, time::Duration};

section! {
    /// `[public]`: the listener for frontends.
    Public {
        /// Address to listen on.
        address: SocketAddr,
        /// Origins of the pages that may connect. Empty: only pages from the gateway's own host name.
        allowed_origins: Vec<String>,
        /// Names and addresses to which this listener answers. Empty: all.
        hosts: Vec<String>,
        /// Limit of this node's WebSockets; further upgrades get 503.
        max_connections: usize = 1..=10_000_000,
        /// Limit of HTTP connections, including those whose upgrade is not finished.
        http_connections: usize = 1..=1_000_000,
        /// Time for the head of a request to arrive.
        request_timeout: Duration = millis(100)..=MINUTE,
        /// Time for the next request on a connection to arrive.
        keep_alive: Duration = SECOND..=10 * MINUTE,
        /// The `Retry-After` header of a 503.
        retry_after: Duration = SECOND..=HOUR,
        /// Networks of the proxies whose headers about the client are believed.
        trusted_proxies: Vec<String>,
        /// Whether every connection begins with a header of the PROXY protocol.
        proxy_protocol: bool,
        /// After this time without data the proxy closes a connection. Zero: not stated.
        proxy_idle_timeout: Duration = millis(0)..=DAY,
    } + tables {
        /// TLS.
        tls: Tls,
    }

    /// `[internal]`: the listener for services and operators.
    Internal {
        /// Address to listen on.
        address: SocketAddr,
        /// Limit of connections, including the links of services.
        connections: usize = 1..=1_000_000,
        /// Time for the head of a request to arrive.
        request_timeout: Duration = millis(100)..=MINUTE,
        /// Time for the body of a request to arrive.
        body_timeout: Duration = SECOND..=HOUR,
        /// Time for the next request on a connection to arrive.
        keep_alive: Duration = SECOND..=10 * MINUTE,
        /// Largest request body.
        body_size: ByteSize = size(KIB)..=size(64 * MIB),
        /// Largest number of publications in one batch request.
        batch_entries: usize = 1..=100_000,
        /// Largest number of channels or users of one broadcast.
        broadcast: usize = 1..=1_000_000,
        /// Largest number of channels in one answer.
        page_entries: usize = 1..=100_000,
        /// Audit lines about refused requests in one minute.
        audit_refusals: u32 = 0..=100_000,
    } + tables {
        /// TLS.
        tls: Tls,
    }

    /// `[public.tls]`, `[internal.tls]`: TLS of a listener.
    Tls {
        /// Lowest version of TLS.
        min_version: TlsVersion,
        /// Time for the first message of a client; as much again until its handshake may begin, and for the rest of the handshake.
        handshake_timeout: Duration = millis(100)..=MINUTE,
        /// Limit of handshakes at a time.
        handshakes: usize = 1..=100_000,
        /// Authorities that sign the certificates of clients. Empty: clients need no certificate.
        client_ca_file: String,
    } + lists {
        /// Certificates with their keys. None: the listener has no TLS.
        pairs: TlsPair,
    }

    /// A row of `[[public.tls.pairs]]` or `[[internal.tls.pairs]]`: a certificate and its key.
    TlsPair {
        /// The certificate, and those of the authorities between it and a root.
        cert_file: String,
        /// The key of the certificate.
        key_file: String,
    }
}
