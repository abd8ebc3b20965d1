//! TLS of both listeners, as clients meet it.

mod certificates;
mod clients;
mod handshakes;
mod services;
mod support;
mod traffic;
