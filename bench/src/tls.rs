//! A certificate for servers under load, and clients that believe it.

use crate::result::Result;
use redis_testing::{Authority, Certificate};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::sync::Arc;

/// An authority, and a certificate of it for servers of this machine.
pub(crate) struct Identity {
    authority: Authority,
    pub(crate) certificate: Certificate,
}

/// Whether clients come back with the ticket of an earlier connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tickets {
    Used,
    Ignored,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let authority = Authority::new();
        let certificate = sign(&authority);
        Self { authority, certificate }
    }

    /// A further certificate for the same servers.
    pub(crate) fn renew(&self) -> Certificate {
        sign(&self.authority)
    }

    /// The value of the gateway's setting `public.tls.pairs`.
    pub(crate) fn pair(&self) -> String {
        format!("{}={}", self.certificate.certificate, self.certificate.key)
    }

    /// A client that believes the authority. Clients with the same configuration share their tickets.
    pub(crate) fn client(&self, tickets: Tickets) -> Result<Arc<ClientConfig>> {
        self.client_with(match tickets {
            Tickets::Used => Resumption::default(),
            Tickets::Ignored => Resumption::disabled(),
        })
    }

    pub(crate) fn client_with(&self, resumption: Resumption) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.file())?)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = resumption;
        Ok(Arc::new(config))
    }
}

fn sign(authority: &Authority) -> Certificate {
    authority.sign(&["localhost", "127.0.0.1"])
}
