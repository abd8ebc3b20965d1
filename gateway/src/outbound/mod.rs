//! What all HTTP requests of the gateway to other servers share.
//!
//! - [`endpoint`]: where a URL leads; [`addresses`]: to which addresses the gateway does not connect
//! - [`connector`]: opens connections; [`tls`]: the certificates
//! - [`body`]: reads the body of an answer; [`download`]: one document from a URL

mod addresses;
mod body;
mod connector;
mod download;
mod endpoint;
mod tls;

pub(crate) use addresses::DeniedAddresses;
pub(crate) use body::{Body, read_body};
pub(crate) use connector::Connector;
pub(crate) use download::{Download, DownloadError, DownloadLimits};
pub(crate) use endpoint::Endpoint;
pub(crate) use tls::{PemFile, client_config};
