//! An issuer whose tokens the gateway believes, and tokens that only look like its own.

use crate::result::Result;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use shared_proto::json::base64;

const ISSUER: &str = "https://login.bench";

fn key() -> Result<EcdsaKeyPair> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(|_| "no random numbers")?;
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).map_err(|_| "no key".into())
}

/// The settings of the issuer.
pub(super) fn issuer() -> Result<String> {
    let key = key()?;
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": base64::encode_url(x), "y": base64::encode_url(y)});
    Ok(format!("\n[[tokens.issuers]]\nissuer = {ISSUER:?}\nkeys = ['{jwk}']\n"))
}

/// A token of this issuer that a new key has signed.
pub(super) fn token() -> Result<String> {
    let part = |json: Value| base64::encode_url(json.to_string().as_bytes());
    let message = format!("{}.{}", part(json!({"alg": "ES256"})), part(json!({"iss": ISSUER, "sub": "admin", "exp": 4_000_000_000_u64})));
    let signature = key()?.sign(&SystemRandom::new(), message.as_bytes()).map_err(|_| "no signature")?;
    Ok(format!("{message}.{}", base64::encode_url(signature.as_ref())))
}
