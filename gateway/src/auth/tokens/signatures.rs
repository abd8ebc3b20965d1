//! The signatures of tokens, by ring (docs/decisions/0037-tokens-are-signed-by-ring.md).

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Signer, Verifier},
};
use ring::{
    hmac,
    signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm},
};

/// HS256, HS384 and HS512: HMAC with SHA-2 (RFC 7518 section 3.2).
struct Hmac {
    algorithm: Algorithm,
    key: hmac::Key,
}

impl Hmac {
    fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self> {
        let digest = match algorithm {
            Algorithm::HS256 => hmac::HMAC_SHA256,
            Algorithm::HS384 => hmac::HMAC_SHA384,
            Algorithm::HS512 => hmac::HMAC_SHA512,
            _ => return Err(ErrorKind::InvalidAlgorithm.into()),
        };
        Ok(Self { algorithm, key: hmac::Key::new(digest, secret) })
    }
}

impl Signer<Vec<u8>> for Hmac {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.key, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hmac {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Hmac {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        hmac::verify(&self.key, message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for Hmac {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// A public key: ECDSA (RFC 7518 section 3.4), Ed25519 (RFC 8037), or RSA from 2,048 to 8,192 bits (RFC 7518 sections 3.3 and 3.5).
enum PublicKey {
    Bytes { algorithm: &'static dyn VerificationAlgorithm, bytes: Vec<u8> },
    Rsa { parameters: &'static RsaParameters, n: Vec<u8>, e: Vec<u8> },
}

struct PublicKeyVerifier {
    algorithm: Algorithm,
    key: PublicKey,
}

impl PublicKeyVerifier {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self> {
        let bytes = |of: &'static dyn VerificationAlgorithm| match key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => Ok(PublicKey::Bytes { algorithm: of, bytes: bytes.clone() }),
            DecodingKeyKind::RsaModulusExponent { .. } => Err(ErrorKind::InvalidKeyFormat),
        };
        let rsa = |parameters: &'static RsaParameters| match key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => Ok(PublicKey::Rsa { parameters, n: n.clone(), e: e.clone() }),
            DecodingKeyKind::SecretOrDer(_) => Err(ErrorKind::InvalidKeyFormat),
        };
        let key = match algorithm {
            Algorithm::ES256 => bytes(&signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => bytes(&signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => bytes(&signature::ED25519),
            Algorithm::RS256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => rsa(&signature::RSA_PSS_2048_8192_SHA512),
            _ => Err(ErrorKind::InvalidAlgorithm),
        }?;
        Ok(Self { algorithm, key })
    }
}

impl Verifier<Vec<u8>> for PublicKeyVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let verified = match &self.key {
            PublicKey::Bytes { algorithm, bytes } => UnparsedPublicKey::new(*algorithm, bytes).verify(message, signature),
            PublicKey::Rsa { parameters, n, e } => RsaPublicKeyComponents { n, e }.verify(parameters, message, signature),
        };
        verified.map_err(|_| Error::new())
    }
}

impl JwtVerifier for PublicKeyVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn verifier(algorithm: Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    // A public key is never the secret of an HMAC, and the other way round (RFC 8725 section 3.1).
    if algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Box::new(Hmac::new(algorithm, key.try_get_as_bytes()?)?),
        _ => Box::new(PublicKeyVerifier::new(algorithm, key)?),
    })
}

/// The gateway only verifies by JWKs, so the utilities that make JWKs are never called.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key: &EncodingKey| Ok(Box::new(Hmac::new(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key: &DecodingKey| verifier(*algorithm, key),
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
mod tests;
