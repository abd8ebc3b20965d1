//! Certificates with their keys, and the choice among them.

use super::{files::PairFiles, validity::Validity};
use crate::settings::Problems;
use rustls::{
    client::verify_server_name,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{self, PemObject as _},
    },
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The beginning of a PEM file with a key that needs a passphrase (RFC 7468, section 11; RFC 1421, section 4.6).
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// A certificate that fits its key and is valid.
pub(super) struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) not_after: SystemTime,
}

impl Pair {
    /// Checks the contents of the files. `section` is the key of the pair in the settings.
    pub(super) fn new(files: &PairFiles, section: &str, provider: &CryptoProvider, now: SystemTime) -> Result<Self, Problems> {
        let problem = |name: &str, message: String| Problems::of(format!("{section}.{name}"), message);
        let (cert_file, key_file) = (&files.names.cert_file, &files.names.key_file);
        let (chain, key) = match (certificates(cert_file, &files.certificate), private_key(key_file, &files.key)) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => {
                let mut problems = Problems::default();
                chain.err().into_iter().for_each(|why| problems.add(format!("{section}.cert_file"), why));
                key.err().into_iter().for_each(|why| problems.add(format!("{section}.key_file"), why));
                return Err(problems);
            }
        };
        let validity = chain.first().filter(|first| ParsedCertificate::try_from(*first).is_ok()).and_then(|first| Validity::of(first));
        let Validity { not_before, not_after } =
            validity.ok_or_else(|| problem("cert_file", format!("the first certificate of {cert_file} is malformed")))?;
        if now > not_after {
            let message = format!("the certificate of {cert_file} expired at {}: renew it", show(not_after));
            return Err(problem("cert_file", message));
        }
        if now < not_before {
            let message =
                format!("the certificate of {cert_file} is valid only from {}: check the clock of this machine", show(not_before));
            return Err(problem("cert_file", message));
        }
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                problem("key_file", format!("the key of {key_file} does not fit the certificate of {cert_file}: name files of one pair"))
            }
            error => problem("key_file", format!("the key of {key_file} cannot be used: {error}")),
        })?;
        Ok(Self { certified: Arc::new(certified), not_after })
    }
}

/// The certificates of a file, the server's own first.
pub(super) fn certificates(path: &str, content: &Result<Vec<u8>, String>) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = content.as_ref().map_err(Clone::clone)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("{path} contains no certificate in PEM format")),
    }
}

fn private_key(path: &str, content: &Result<Vec<u8>, String>) -> Result<PrivateKeyDer<'static>, String> {
    let pem = content.as_ref().map_err(Clone::clone)?;
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        _ if is_encrypted(pem) => format!("the key of {path} is encrypted: store it without a passphrase"),
        pem::Error::NoItemsFound => format!("{path} contains no private key in PEM format"),
        error => format!("{path} contains no private key in PEM format: {error}"),
    })
}

fn is_encrypted(pem: &[u8]) -> bool {
    std::str::from_utf8(pem).is_ok_and(|pem| ENCRYPTED.iter().any(|mark| pem.contains(mark)))
}

/// A time in the notation of HTTP.
fn show(time: SystemTime) -> String {
    httpdate::fmt_http_date(time.clamp(UNIX_EPOCH, UNIX_EPOCH + std::time::Duration::from_secs(253_402_300_799)))
}

/// Chooses the pair for the server name of a client: the first whose certificate has it, otherwise the first of all.
#[derive(Debug)]
pub(super) struct Choice(pub(super) Box<[Arc<CertifiedKey>]>);

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| self.0.iter().find(|pair| has_name(pair, &name)));
        named.or(self.0.first()).cloned()
    }
}

fn has_name(pair: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let certificate = pair.cert.first().and_then(|first| ParsedCertificate::try_from(first).ok());
    certificate.is_some_and(|certificate| verify_server_name(&certificate, name).is_ok())
}
