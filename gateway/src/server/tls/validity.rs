//! When a certificate is valid (RFC 5280, section 4.1.2.5). webpki checks this for clients only, and does not tell it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _, time::ASN1Time};

/// The time in which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Validity {
    /// Reads a certificate in DER. `None`: it is malformed.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let validity = certificate.validity();
        Some(Self { not_before: moment(validity.not_before)?, not_after: moment(validity.not_after)? })
    }
}

/// A time before 1970 counts as 1970.
fn moment(time: ASN1Time) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn certificate(years: [i32; 2]) -> Vec<u8> {
        let mut params = CertificateParams::new(["gateway".to_owned()]).expect("a name");
        [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 3, 1));
        params.self_signed(&KeyPair::generate().expect("a key")).expect("signed").der().to_vec()
    }

    #[test]
    fn times_of_both_forms_are_read() {
        // Times from 2050 on have four digits for the year.
        let validity = Validity::of(&certificate([2024, 2050])).expect("a certificate");
        let seconds = [validity.not_before, validity.not_after].map(|time| time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs());
        assert_eq!(seconds, [1_709_251_200, 2_529_705_600]);
        let old = Validity::of(&certificate([1960, 2030])).expect("a certificate");
        assert_eq!(old.not_before, UNIX_EPOCH);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..400, byte: u8) {
            Validity::of(&bytes);
            let mut certificate = certificate([2024, 2030]);
            if let Some(place) = certificate.get_mut(at) {
                *place = byte;
            }
            Validity::of(&certificate);
        }
    }
}
