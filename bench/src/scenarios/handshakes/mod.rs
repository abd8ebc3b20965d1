//! TLS handshakes of the gateway's listener for frontends, beside a server in Node.
//!
//! - [`scenario`]: opens and closes WebSockets; [`node`]: the server to compare with

mod node;
pub(crate) mod scenario;
