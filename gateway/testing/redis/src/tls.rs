//! Creates certificates of a private authority.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use std::fs;
use tempfile::TempDir;

/// File name of the authority's own certificate.
const OWN: &str = "ca.pem";

/// A certificate authority. Its files are deleted when this value is dropped.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

/// Paths of PEM files: a certificate, its key, and the authority that signed it.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Path of the certificate.
    pub certificate: String,
    /// Path of the certificate's key.
    pub key: String,
    /// Path of the authority's certificate.
    pub authority: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// Creates an authority. Only programs that get its certificate trust it.
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(OWN), issuer.pem()).expect("written");
        Self { issuer, directory }
    }

    /// Path of the authority's own certificate.
    pub fn file(&self) -> String {
        self.directory.path().join(OWN).display().to_string()
    }

    /// Signs a new certificate for these host names and IP addresses.
    pub fn sign(&self, names: &[&str]) -> Certificate {
        self.sign_between(names, 2000, 4000)
    }

    /// Signs a new certificate that is valid from the beginning of one year to the beginning of another.
    pub fn sign_between(&self, names: &[&str], first_year: i32, last_year: i32) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names");
        params.distinguished_name.push(DnType::CommonName, names.concat());
        (params.not_before, params.not_after) = (date_time_ymd(first_year, 1, 1), date_time_ymd(last_year, 1, 1));
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        Certificate { certificate: self.write(&signed.pem()), key: self.write(&key.serialize_pem()), authority: self.file() }
    }

    fn write(&self, text: &str) -> String {
        let file = tempfile::Builder::new().suffix(".pem").tempfile_in(&self.directory).expect("a file");
        fs::write(file.path(), text).expect("written");
        file.into_temp_path().keep().expect("it stays with the directory").display().to_string()
    }
}
