//! TLS to targets: which authorities are trusted, and the certificate of the gateway.

use crate::settings::{self, Problems};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{fs, sync::Arc};

/// Reads the files that the settings name. `section` is the name of the settings table.
pub(super) fn client_config(section: &str, service: &settings::Service) -> Result<Arc<ClientConfig>, Problems> {
    let problem = |name: &str, message: String| Problems::of(format!("{section}.{name}"), message);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| problem("urls", format!("TLS cannot be used: {error}")))?
        .with_root_certificates(authorities(&service.ca_file).map_err(|message| problem("ca_file", message))?);
    let config = match (&*service.cert_file, &*service.key_file) {
        ("", "") => builder.with_no_client_auth(),
        ("", _) | (_, "") => {
            return Err(problem("cert_file", format!("a certificate needs its key in {section}.key_file: set both, or none")));
        }
        (certificate, key) => {
            let certificates = certificates(certificate).map_err(|message| problem("cert_file", message))?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| problem("key_file", format!("{key} contains no private key in PEM format: {error}")))?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| problem("cert_file", format!("the certificate does not fit the key: {error}")))?
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
        return Err("this machine trusts no authority: name a PEM file with the authority of the targets".into());
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
