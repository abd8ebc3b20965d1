//! The names of a service in its certificate, which can stand for an API key.

use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

/// Longest name, in bytes.
pub(super) const NAME_BYTES: usize = 255;

/// A name in a certificate: a DNS name or a URI of its subject alternative names (RFC 5280, section 4.2.1.6). The common name does not count: it
/// has no syntax, and authorities do not check it (RFC 9525, section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CertificateName(Box<str>);

impl CertificateName {
    /// Reads a name of the settings: a URI, such as `spiffe://example.com/orders`, or a DNS name without wildcard.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > NAME_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("expected up to 255 visible ASCII characters");
        }
        if text.contains('*') {
            return Err("a wildcard stands for many names; name one service");
        }
        if is_uri(text) {
            return Ok(Self(text.into()));
        }
        let is_dns =
            text.split('.').all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
        if is_dns {
            Ok(Self::dns(text))
        } else {
            Err("expected a DNS name such as \"orders.internal\", or a URI such as \"spiffe://example.com/orders\"")
        }
    }

    /// DNS names are compared without regard to case (RFC 4343), URIs byte by byte.
    fn dns(name: &str) -> Self {
        Self(name.to_ascii_lowercase().into())
    }
}

fn is_uri(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The names of a certificate in DER, which the handshake has verified. Empty if it has none.
pub(super) fn names(certificate: &[u8]) -> Vec<CertificateName> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(CertificateName::dns(name)),
        GeneralName::URI(uri) if is_uri(uri) => Some(CertificateName((*uri).into())),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn name(text: &str) -> CertificateName {
        CertificateName::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn subject_alternative_names_count_and_the_common_name_does_not() {
        let mut params = CertificateParams::new(["Orders.Internal".to_owned(), "*.wild.internal".to_owned()]).expect("names");
        params.distinguished_name.push(DnType::CommonName, "admin.internal");
        params.subject_alt_names.push(SanType::URI("spiffe://example.com/Orders".try_into().expect("ASCII")));
        params.subject_alt_names.push(SanType::Rfc822Name("mail@internal".try_into().expect("ASCII")));
        params.subject_alt_names.push(SanType::IpAddress([192, 0, 2, 1].into()));
        let signed = params.self_signed(&KeyPair::generate().expect("a key")).expect("signed");
        let found = names(signed.der());
        assert!(found.contains(&name("orders.internal")) && found.contains(&name("spiffe://example.com/Orders")));
        for other in
            ["admin.internal", "a.wild.internal", "spiffe://example.com/orders", "spiffe://example.com/Orders/x", "192.0.2.1", "internal"]
        {
            assert!(!found.contains(&name(other)), "{other}");
        }
        let none = CertificateParams::default().self_signed(&KeyPair::generate().expect("a key")).expect("signed");
        assert_eq!((names(none.der()), names(b"no certificate")), (Vec::new(), Vec::new()));
    }

    #[test]
    fn names_that_stand_for_many_or_for_nothing_are_refused() {
        for bad in ["", "*", "*.internal", "orders internal", "a..b", ".a", "http://", "://a", "ordérs", &"a".repeat(256)] {
            assert!(CertificateName::parse(bad).is_err(), "{bad}");
        }
    }
}
