//! One key that verifies tokens.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use x509_parser::{
    pem::Pem,
    prelude::FromDer as _,
    public_key::{PublicKey, RSAPublicKey},
    x509::SubjectPublicKeyInfo,
};

/// The shortest RSA key (RFC 7518 section 3.3), and the longest that ring verifies with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// The object identifier of Ed25519 keys (RFC 8410 section 3).
const ED25519: &str = "1.3.101.112";

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyOrigin {
    /// The settings, which the log shows.
    Settings,
    /// A file that the settings name.
    File,
    /// A server, from which others get it, too.
    Url,
}

/// A key and the only algorithm it is used with. The algorithm in a token is never trusted (RFC 8725 section 3.1).
#[derive(Clone, Debug)]
pub(super) struct TokenKey {
    /// Its name in tokens, if it has one.
    pub(super) kid: Option<Box<str>>,
    pub(super) algorithm: Algorithm,
    key: DecodingKey,
}

/// Why a key is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    #[error("is a private key: use its public key")]
    Private,
    #[error("has {0} bits: an RSA key needs 2048 to 8192")]
    RsaSize(usize),
    #[error("is of a kind that the gateway does not verify with: use RSA, P-256, P-384 or Ed25519")]
    Unsupported,
    #[error("is for {0}, not for signatures")]
    OtherUse(Box<str>),
    #[error("has the algorithm {0}, which does not fit the key")]
    OtherAlgorithm(Box<str>),
    #[error("is a secret: only a file of key_files may have it")]
    PublicSecret,
    #[error("is no public key")]
    Unreadable,
}

impl TokenKey {
    /// The secret of HS256 tokens.
    pub(super) fn hs256(secret: &[u8]) -> Self {
        Self { kid: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) }
    }

    /// A public key, or the key of a certificate. RSA keys are for RS256, the others for the algorithm of their curve.
    pub(super) fn from_pem(pem: &Pem) -> Result<Self, KeyError> {
        let key = match pem.label.as_str() {
            "PUBLIC KEY" => of_info(&SubjectPublicKeyInfo::from_der(&pem.contents).map_err(|_| KeyError::Unreadable)?.1)?,
            "CERTIFICATE" => of_info(pem.parse_x509().map_err(|_| KeyError::Unreadable)?.public_key())?,
            "RSA PUBLIC KEY" => of_rsa(&RSAPublicKey::from_der(&pem.contents).map_err(|_| KeyError::Unreadable)?.1),
            label if label.ends_with("PRIVATE KEY") => return Err(KeyError::Private),
            _ => return Err(KeyError::Unreadable),
        };
        Self::new(None, None, key)
    }

    /// A JSON Web Key (RFC 7517). Its algorithm is its `alg`, else that of its type.
    pub(super) fn from_jwk(jwk: &Jwk, origin: KeyOrigin) -> Result<Self, KeyError> {
        match &jwk.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => {}
            Some(PublicKeyUse::Encryption) => return Err(KeyError::OtherUse("enc".into())),
            Some(PublicKeyUse::Other(other)) => return Err(KeyError::OtherUse(other.as_str().into())),
        }
        let of_curve = match &jwk.algorithm {
            AlgorithmParameters::OctetKey(_) if origin != KeyOrigin::File => return Err(KeyError::PublicSecret),
            AlgorithmParameters::OctetKey(_) | AlgorithmParameters::RSA(_) => None,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Some(Algorithm::ES256),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => Some(Algorithm::ES384),
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Some(Algorithm::EdDSA),
            _ => return Err(KeyError::Unsupported),
        };
        let key = DecodingKey::from_jwk(jwk).map_err(|_| KeyError::Unreadable)?;
        if of_curve.is_some_and(|algorithm| own_algorithm(&key) != Ok(algorithm)) {
            return Err(KeyError::Unreadable);
        }
        Self::new(jwk.common.key_id.as_deref().map(Into::into), jwk.common.key_algorithm, key)
    }

    fn new(kid: Option<Box<str>>, alg: Option<KeyAlgorithm>, key: DecodingKey) -> Result<Self, KeyError> {
        let key = without_leading_zeros(key);
        let own = own_algorithm(&key)?;
        let Some(alg) = alg else { return Ok(Self { kid, algorithm: own, key }) };
        let other = || KeyError::OtherAlgorithm(alg.to_string().into());
        let algorithm = Algorithm::try_from(alg).map_err(|_| other())?;
        let fits = match own.family() {
            AlgorithmFamily::Hmac | AlgorithmFamily::Rsa => algorithm.family() == own.family(),
            AlgorithmFamily::Ec | AlgorithmFamily::Ed => algorithm == own,
        };
        if fits { Ok(Self { kid, algorithm, key }) } else { Err(other()) }
    }

    /// Whether it is a secret that is shorter than the hash of its algorithm (RFC 7518 section 3.2).
    pub(super) fn is_short_secret(&self) -> bool {
        let hash = match self.algorithm {
            Algorithm::HS256 => 32,
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => return false,
        };
        matches!(self.key.kind(), DecodingKeyKind::SecretOrDer(secret) if secret.len() < hash)
    }

    /// Whether `signature` (base64url) is that of `message` by this key.
    pub(super) fn has_signed(&self, message: &str, signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.key, self.algorithm).unwrap_or(false)
    }
}

/// The algorithm of a key without `alg`. RSA keys are for RS256, and secrets for HS256.
fn own_algorithm(key: &DecodingKey) -> Result<Algorithm, KeyError> {
    match (key.family(), key.kind()) {
        (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            let bits = bits(n);
            if RSA_BITS.contains(&bits) { Ok(Algorithm::RS256) } else { Err(KeyError::RsaSize(bits)) }
        }
        (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => match point.len() {
            65 => Ok(Algorithm::ES256),
            97 => Ok(Algorithm::ES384),
            _ => Err(KeyError::Unsupported),
        },
        (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(point)) if point.len() == 32 => Ok(Algorithm::EdDSA),
        (AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) if !secret.is_empty() => Ok(Algorithm::HS256),
        _ => Err(KeyError::Unreadable),
    }
}

/// Number of bits of a number without leading zeros.
fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

fn of_info(info: &SubjectPublicKeyInfo<'_>) -> Result<DecodingKey, KeyError> {
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => Ok(of_rsa(&key)),
        Ok(PublicKey::EC(point)) => Ok(DecodingKey::from_ec_der(point.data())),
        Ok(PublicKey::Unknown(bytes)) if info.algorithm.algorithm.to_id_string() == ED25519 => Ok(DecodingKey::from_ed_der(bytes)),
        Ok(_) => Err(KeyError::Unsupported),
        Err(_) => Err(KeyError::Unreadable),
    }
}

fn of_rsa(key: &RSAPublicKey<'_>) -> DecodingKey {
    DecodingKey::from_rsa_raw_components(key.modulus, key.exponent)
}

/// An RSA key as ring takes it. DER has a zero before a number whose first bit is set, and so do the JWKs of some issuers.
fn without_leading_zeros(key: DecodingKey) -> DecodingKey {
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else { return key };
    let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    DecodingKey::from_rsa_raw_components(&number(n), &number(e))
}
