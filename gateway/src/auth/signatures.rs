//! The signatures of tokens, by ring (docs/decisions/0037-tokens-are-signed-by-ring.md).

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Signer, Verifier},
};
use ring::hmac;

/// HS256: HMAC with SHA-256 (RFC 7518 section 3.2).
struct HmacSha256(hmac::Key);

impl HmacSha256 {
    /// `algorithm` is that of the token, `family` that of the key.
    fn new(algorithm: Algorithm, family: AlgorithmFamily, secret: &[u8]) -> Result<Box<Self>> {
        if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Ok(Box::new(Self(hmac::Key::new(hmac::HMAC_SHA256, secret))))
    }
}

impl Signer<Vec<u8>> for HmacSha256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for HmacSha256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| Error::new())
    }
}

impl JwtSigner for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// The gateway reads no JWK, so the utilities for JWKs are never called.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key: &EncodingKey| Ok(HmacSha256::new(*algorithm, key.family(), key.as_bytes())?),
    verifier_factory: |algorithm, key: &DecodingKey| Ok(HmacSha256::new(*algorithm, key.family(), key.try_get_as_bytes()?)?),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes jsonwebtoken use this module. Call it before the first token; further calls do nothing.
pub(super) fn install() {
    let _installed_before = PROVIDER.install_default();
}

/// A token with any claims, valid or not.
#[cfg(test)]
pub(crate) fn sign_json(secret: &str, claims: &serde_json::Value) -> String {
    install();
    jsonwebtoken::encode(&jsonwebtoken::Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .expect("signed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The token of RFC 7515 appendix A.1.
    #[test]
    fn the_example_of_the_rfc_is_verified_and_a_changed_one_is_not() {
        let header_and_claims = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
             eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==";
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        install();
        let key = DecodingKey::from_base64_secret(&key.replace('-', "+").replace('_', "/")).expect("base64");
        let verify = |message: &str| jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, Algorithm::HS256);
        assert!(verify(header_and_claims).expect("checked"));
        assert!(!verify(&header_and_claims.replace("eyJpc3Mi", "eyJpc3Mj")).expect("checked"));
    }

    #[test]
    fn other_algorithms_are_refused() {
        install();
        let key = EncodingKey::from_secret(b"secret");
        for algorithm in [Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            let error = jsonwebtoken::crypto::sign(b"message", &key, algorithm).expect_err("refused");
            assert!(matches!(error.kind(), ErrorKind::InvalidAlgorithm), "{algorithm:?}: {error}");
        }
    }
}
