//! Attacks. SECURITY.md has a row for each, and each has an honest twin in the same test: a client that does nearly the same, and is served.
//!
//! - [`rows`]: each row of SECURITY.md names a test, and each test here has a row
//! - [`forgery`]: tokens that nobody has signed; [`look_alike`]: names that look like others
//! - [`smuggling`]: requests within requests; [`half_sent`]: messages without an end
//! - [`planted`]: entries in Redis that no gateway wrote; [`secrets`]: what the gateway must tell nobody

mod forgery;
mod half_sent;
mod look_alike;
mod planted;
mod rows;
mod secrets;
mod smuggling;
mod support;
