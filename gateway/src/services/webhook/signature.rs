//! Signatures of requests, as [Standard Webhooks](https://www.standardwebhooks.com) prescribes them.

use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use shared_proto::json::base64;
use std::ops::RangeInclusive;

const PREFIX: &str = "whsec_";

/// Length of a key, in bytes.
const KEY_BYTES: RangeInclusive<usize> = 24..=64;

/// The notation of a secret, for messages.
pub(crate) const EXPECTED: &str = "expected \"whsec_\" and the base64 form of 24 to 64 random bytes";

/// The keys of one service. While a key is replaced, there are two.
#[derive(Clone, Debug)]
pub(crate) struct Signer(Box<[hmac::Key]>);

impl Signer {
    /// Reads the secrets. The error is the position of the first wrong one, because no message may show it.
    pub(crate) fn parse(secrets: &[SecretString]) -> Result<Self, usize> {
        let each = secrets.iter().enumerate().map(|(at, secret)| key(secret).ok_or(at));
        each.collect::<Result<_, _>>().map(Self)
    }

    /// The value of `webhook-signature`: one signature for each key, separated by spaces. `None` without a key.
    pub(crate) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
        let each = self.0.iter().map(|key| {
            let mut context = hmac::Context::with_key(key);
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                context.update(part);
            }
            format!("v1,{}", base64::encode(context.sign().as_ref()))
        });
        let all: Vec<_> = each.collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

fn key(secret: &SecretString) -> Option<hmac::Key> {
    let bytes = base64::decode(secret.expose_secret().strip_prefix(PREFIX)?)?;
    KEY_BYTES.contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the libraries of Standard Webhooks.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = b"{\"test\": 2432232314}";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn signer(secrets: &[&str]) -> Result<Signer, usize> {
        Signer::parse(&secrets.iter().map(|secret| SecretString::from(*secret)).collect::<Vec<_>>())
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let signer = signer(&[SECRET]).expect("valid");
        assert_eq!(signer.sign(ID, "1614265330", BODY).as_deref(), Some(SIGNATURE));
        assert_ne!(signer.sign(ID, "1614265331", BODY).as_deref(), Some(SIGNATURE));
    }

    #[test]
    fn each_key_signs_in_the_order_of_the_settings() {
        let other = format!("{PREFIX}{}", base64::encode(&[7; 64]));
        let both = signer(&[&other, SECRET]).expect("valid").sign(ID, "1614265330", BODY).expect("keys");
        let (first, second) = both.split_once(' ').expect("two");
        assert!(first.starts_with("v1,") && first != SIGNATURE && second == SIGNATURE, "{both}");
        assert_eq!(signer(&[]).expect("valid").sign(ID, "1614265330", BODY), None);
    }

    #[test]
    fn a_secret_in_another_form_is_refused_by_its_position() {
        let of = |bytes: usize| format!("{PREFIX}{}", base64::encode(&vec![1; bytes]));
        let (short, long) = (of(23), of(65));
        for wrong in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_!!!!", &short, &long] {
            assert_eq!(signer(&[SECRET, wrong]).map(|_| ()), Err(1), "{wrong}");
        }
        assert!(signer(&[&of(24), &of(64)]).is_ok());
    }
}
