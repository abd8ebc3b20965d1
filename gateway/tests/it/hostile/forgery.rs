//! Tokens that the issuer did not sign.

use super::support::{Entrance, enter, user_of};
use crate::public::start_with;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use shared_proto::json::base64::encode_url;
use std::time::{SystemTime, UNIX_EPOCH};

const OURS: &str = "https://login.example.com";
const OTHER: &str = "https://other.example.com";
const SECRET: &[u8] = b"a secret of more than thirty-two bytes";

/// Signs the message of a token.
type Sign<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

fn token(header: Value, claims: &Value, sign: Sign<'_>) -> String {
    let message = [header.to_string(), claims.to_string()].map(|part| encode_url(part.as_bytes())).join(".");
    format!("{message}.{}", encode_url(&sign(message.as_bytes())))
}

fn hmac_of(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// What signs with HS256, with any key.
fn hs(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    move |message| hmac_of(secret, message)
}

#[test]
fn a_token_counts_only_with_the_signature_of_its_issuer() {
    let ours = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("random");
    let ours = Ed25519KeyPair::from_pkcs8(ours.as_ref()).expect("a key");
    let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let other = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("random");
    let other = EcdsaKeyPair::from_pkcs8(kind, other.as_ref(), &random).expect("a key");
    let point = other.public_key().as_ref();
    let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "ours", "x": encode_url(ours.public_key().as_ref())});
    let key_of_other = json!({"kty": "EC", "crv": "P-256", "kid": "other", "x": encode_url(&point[1..33]), "y": encode_url(&point[33..])});
    let settings = format!(
        "[tokens]\nhmac_secret = {:?}\n[[tokens.issuers]]\nissuer = {OURS:?}\nkeys = [{:?}]\n[[tokens.issuers]]\nissuer = {OTHER:?}\nkeys = [{:?}]\n\
         [[api_keys]]\nname = \"dev\"\nkey = \"dev\"",
        String::from_utf8_lossy(SECRET),
        key.to_string(),
        key_of_other.to_string(),
    );
    let (public, internal) = start_with(settings);

    let exp = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    let claims = |iss: &str| json!({"sub": "alice", "iss": iss, "exp": exp});
    let own_claims = json!({"sub": "alice", "exp": exp});
    let sign_ours = |message: &[u8]| ours.sign(message).as_ref().to_vec();
    let sign_other = |message: &[u8]| other.sign(&random, message).expect("random").as_ref().to_vec();
    let nothing = |_: &[u8]| Vec::new();

    let public_key = ours.public_key().as_ref().to_vec();
    let key_text = key.to_string();
    for (what, honest) in [
        ("our issuer", token(json!({"alg": "EdDSA", "kid": "ours"}), &claims(OURS), &sign_ours)),
        ("our issuer, without a kid", token(json!({"alg": "EdDSA"}), &claims(OURS), &sign_ours)),
        ("the other issuer", token(json!({"alg": "ES256", "kid": "other"}), &claims(OTHER), &sign_other)),
        ("our own secret", token(json!({"alg": "HS256"}), &own_claims, &hs(SECRET))),
        (
            "a header that brings a key, which does not count",
            token(json!({"alg": "EdDSA", "jwk": key_of_other}), &claims(OURS), &sign_ours),
        ),
    ] {
        let (_client, entrance) = enter(public, &honest);
        let Entrance::In(connection) = entrance else { panic!("{what}: {entrance:?}") };
        assert_eq!(user_of(internal, &connection), "alice", "{what}");
    }

    let other_jwk = json!({"alg": "ES256", "kid": "other", "jwk": key_of_other});
    let set_of_other = "https://evil.example/keys.json";
    for (what, forged) in [
        ("no signature", token(json!({"alg": "none"}), &claims(OURS), &nothing)),
        ("no signature, in other letters", token(json!({"alg": "nOnE"}), &own_claims, &nothing)),
        ("an empty signature", token(json!({"alg": "EdDSA", "kid": "ours"}), &claims(OURS), &nothing)),
        ("no algorithm", token(json!({"typ": "JWT"}), &claims(OURS), &sign_ours)),
        ("HS256 with the bytes of the public key", token(json!({"alg": "HS256", "kid": "ours"}), &claims(OURS), &hs(&public_key))),
        ("HS256 with the text of the public key", token(json!({"alg": "HS256"}), &claims(OURS), &hs(key_text.as_bytes()))),
        ("HS256 with nothing", token(json!({"alg": "HS256", "kid": "../../../dev/null"}), &own_claims, &hs(b"\0"))),
        ("the key of another issuer", token(json!({"alg": "ES256", "kid": "other"}), &claims(OURS), &sign_other)),
        ("the key of another issuer under our name", token(json!({"alg": "ES256", "kid": "ours"}), &claims(OURS), &sign_other)),
        ("our own secret for an issuer", token(json!({"alg": "HS256"}), &claims(OURS), &hs(SECRET))),
        ("an issuer's key for our own tokens", token(json!({"alg": "EdDSA", "kid": "ours"}), &own_claims, &sign_ours)),
        ("an issuer nobody knows", token(json!({"alg": "EdDSA", "kid": "ours"}), &claims("https://login.example.com/"), &sign_ours)),
        ("a key in the header", token(other_jwk, &claims(OURS), &sign_other)),
        ("an address of keys", token(json!({"alg": "ES256", "kid": "x", "jku": set_of_other}), &claims(OURS), &sign_other)),
        ("an address of a certificate", token(json!({"alg": "ES256", "x5u": set_of_other}), &claims(OURS), &sign_other)),
        ("a critical header", token(json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}), &claims(OURS), &sign_ours)),
        ("the signature of other claims", {
            let honest = token(json!({"alg": "EdDSA"}), &json!({"sub": "mallory", "iss": OURS, "exp": exp}), &sign_ours);
            let (header, signature) = (honest.split('.').next().expect("first"), honest.rsplit('.').next().expect("last"));
            format!("{header}.{}.{signature}", encode_url(claims(OURS).to_string().as_bytes()))
        }),
    ] {
        assert_eq!(enter(public, &forged).1, Entrance::Closed(3500), "{what}");
    }
}
