//! The files and names of TLS to the nodes, as settings name them.

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use std::{fmt, fs, sync::Arc};

/// TLS to nodes whose address begins with `https://` or `wss://`. Texts are empty where nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file with the authorities of the nodes' certificates. Empty: those that this machine trusts.
    pub ca_file: String,
    /// PEM file with the certificate of the service, and behind it those of the authorities between it and a root. Empty: none.
    pub cert_file: String,
    /// PEM file with the key of this certificate.
    pub key_file: String,
    /// The name in the certificates of all nodes, where their addresses contain another one, such as an IP address. Empty: the host of the address.
    pub server_name: String,
}

/// Settings of TLS that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct TlsError {
    /// The field of [`TlsFiles`] that is wrong.
    pub field: &'static str,
    /// What is wrong with it, and the cure.
    pub why: String,
}

/// What the files contain.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    authorities: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Without the key.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// The name that certificates must have, if it is not that of the address.
    pub(super) fn name(&self) -> Result<Option<ServerName<'static>>, TlsError> {
        if self.server_name.is_empty() {
            return Ok(None);
        }
        let wrong = |_| error("server_name", format!("{:?} is neither a host name nor an address", self.server_name));
        ServerName::try_from(self.server_name.clone()).map(Some).map_err(wrong)
    }

    /// Reads the files. Blocks.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        match (&*self.cert_file, &*self.key_file) {
            ("", "") => {}
            ("", _) => return Err(error("cert_file", "is missing: a key needs its certificate, so set both, or none")),
            (_, "") => return Err(error("key_file", "is missing: a certificate needs its key, so set both, or none")),
            (_, _) => {}
        }
        let read = |field, path: &str| match path {
            "" => Ok(Vec::new()),
            path => fs::read(path).map_err(|why| error(field, format!("{path} cannot be read: {why}"))),
        };
        Ok(Contents {
            authorities: read("ca_file", &self.ca_file)?,
            certificate: read("cert_file", &self.cert_file)?,
            key: read("key_file", &self.key_file)?,
        })
    }

    /// Makes the configuration of connections with these contents.
    pub(super) fn config(&self, contents: &Contents) -> Result<ClientConfig, TlsError> {
        let mut roots = RootCertStore::empty();
        if self.ca_file.is_empty() {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        for authority in certificates("ca_file", &self.ca_file, &contents.authorities)? {
            roots
                .add(authority)
                .map_err(|why| error("ca_file", format!("{} has a certificate that cannot be used: {why}", self.ca_file)))?;
        }
        if roots.is_empty() {
            return Err(error("ca_file", "is missing: this machine trusts no authority, so name a file with that of the nodes"));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| error("ca_file", format!("TLS cannot be used: {why}")))?
            .with_root_certificates(roots);
        let mut config = if self.cert_file.is_empty() {
            builder.with_no_client_auth()
        } else {
            let chain = certificates("cert_file", &self.cert_file, &contents.certificate)?;
            let key = PrivateKeyDer::from_pem_slice(&contents.key)
                .map_err(|_| error("key_file", format!("{} has no private key in PEM format", self.key_file)))?;
            let unfit = |why| error("cert_file", format!("{} does not fit its key: {why}", self.cert_file));
            builder.with_client_auth_cert(chain, key).map_err(unfit)?
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(field: &'static str, path: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(error(field, format!("{path} has no certificate in PEM format"))),
    }
}

fn error(field: &'static str, why: impl Into<String>) -> TlsError {
    TlsError { field, why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(files: &TlsFiles) -> TlsError {
        files.name().map(|_| ()).and_then(|()| files.config(&files.read()?).map(|_| ())).expect_err("refused")
    }

    #[test]
    fn wrong_files_are_named_with_their_field() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let none = TlsFiles::default();
        for (files, field, says) in [
            (TlsFiles { ca_file: "/none".into(), ..none.clone() }, "ca_file", "/none cannot be read"),
            (TlsFiles { ca_file: here.into(), ..none.clone() }, "ca_file", "no certificate in PEM format"),
            (TlsFiles { cert_file: here.into(), ..none.clone() }, "key_file", "set both, or none"),
            (TlsFiles { key_file: here.into(), ..none.clone() }, "cert_file", "set both, or none"),
            (TlsFiles { server_name: "two words".into(), ..none.clone() }, "server_name", "neither a host name nor an address"),
        ] {
            let error = refused(&files);
            assert!(error.field == field && error.why.contains(says), "{error:?}");
        }
        let address = TlsFiles { server_name: "10.0.0.1".into(), ..none.clone() };
        assert!(address.name().is_ok_and(|name| name.is_some()) && none.name() == Ok(None));
    }
}
