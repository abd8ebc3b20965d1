//! The certificates in the settings.

use crate::settings::{self, Problems};
use redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::{fs, sync::Arc};

/// The certificates of the gateway and the authorities for those of Redis.
pub(crate) struct Tls {
    pub(crate) certificates: TlsCertificates,
    pub(crate) authority: Arc<str>,
}

pub(super) fn certificates(redis: &settings::Redis) -> Result<Tls, Problems> {
    // An error means that a provider is installed already, so it is ignored.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if redis.cert_file.is_empty() != redis.key_file.is_empty() {
        return Err(Problems::of("redis.cert_file", "a certificate needs its key in redis.key_file: set both, or none"));
    }
    let read = |key: &str, path: &str| match path {
        "" => Ok(None),
        path => fs::read(path).map(Some).map_err(|error| Problems::of(key, format!("{path} cannot be read: {error}"))),
    };
    let root_cert = read("redis.ca_file", &redis.ca_file)?;
    if root_cert.as_ref().is_some_and(|pem| CertificateDer::pem_slice_iter(pem).next().is_none()) {
        return Err(Problems::of("redis.ca_file", format!("{} contains no certificate in PEM format", redis.ca_file)));
    }
    let own = read("redis.cert_file", &redis.cert_file)?.zip(read("redis.key_file", &redis.key_file)?);
    let client_tls = own.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    let authority = match &*redis.ca_file {
        "" => "this machine's list of authorities (or redis.ca_file, if it is set)".into(),
        file => format!("redis.ca_file ({file})").into(),
    };
    Ok(Tls { certificates: TlsCertificates { client_tls, root_cert }, authority })
}
