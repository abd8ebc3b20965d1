//! How the command `health` reaches a listener with TLS.

use super::{files::Files, pairs::Pair};
use crate::settings::{self, Problems};
use rustls::{ClientConfig, crypto::ring};
use shared_proto::process::probe::trusting;
use std::{sync::Arc, time::SystemTime};

/// The client's side of TLS for the internal listener. `None`: it has no TLS. Where clients need a certificate, the first pair of the listener serves
/// as one.
pub fn probe_tls(settings: &settings::Internal) -> Result<Option<Arc<ClientConfig>>, Problems> {
    let files = Files::read(&settings.tls);
    let Some(first) = files.pairs.first() else { return Ok(None) };
    let provider = Arc::new(ring::default_provider());
    let own = match &files.client_ca {
        Some(_) => Some(Pair::new(first, "internal.tls.pairs[0]", &provider, SystemTime::now())?.certified),
        None => None,
    };
    Ok(Some(trusting(own)))
}
