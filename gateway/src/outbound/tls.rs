//! TLS to other servers: which authorities are trusted, and the certificate of the gateway.

use crate::settings::Problems;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{fs, sync::Arc};

/// A PEM file of the settings.
pub(crate) struct PemFile<'a> {
    /// The key of the setting.
    pub(crate) setting: String,
    /// Empty: none.
    pub(crate) path: &'a str,
}

/// Reads the files: `ca` with authorities besides those that this machine trusts, and the own certificate with its key.
pub(crate) fn client_config(ca: &PemFile<'_>, own: Option<(&PemFile<'_>, &PemFile<'_>)>) -> Result<Arc<ClientConfig>, Problems> {
    let problem = |file: &PemFile<'_>, message: String| Problems::of(file.setting.clone(), message);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| problem(ca, format!("TLS cannot be used: {error}")))?
        .with_root_certificates(authorities(ca.path).map_err(|message| problem(ca, message))?);
    let config = match own {
        None | Some((PemFile { path: "", .. }, PemFile { path: "", .. })) => builder.with_no_client_auth(),
        Some((certificate, key)) if certificate.path.is_empty() || key.path.is_empty() => {
            return Err(problem(certificate, format!("a certificate needs its key in {}: set both, or none", key.setting)));
        }
        Some((certificate, key)) => {
            let certificates = certificates(certificate.path).map_err(|message| problem(certificate, message))?;
            let private = PrivateKeyDer::from_pem_file(key.path)
                .map_err(|error| problem(key, format!("{} contains no private key in PEM format: {error}", key.path)))?;
            builder
                .with_client_auth_cert(certificates, private)
                .map_err(|error| problem(certificate, format!("the certificate does not fit the key: {error}")))?
        }
    };
    Ok(Arc::new(config))
}

/// The authorities that this machine trusts, and those of `ca_file`.
fn authorities(ca_file: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let trusted = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(trusted.certs);
    if !ca_file.is_empty() {
        for certificate in certificates(ca_file)? {
            roots.add(certificate).map_err(|error| format!("{ca_file} contains a certificate that cannot be used: {error}"))?;
        }
    }
    if roots.is_empty() {
        return Err("this machine trusts no authority: name a PEM file with the authority of the server".into());
    }
    Ok(roots)
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = fs::read(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("{path} contains no certificate in PEM format")),
    }
}
