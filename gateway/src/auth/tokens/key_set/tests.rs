use super::super::{signatures::install, test_keys::TestKey};
use super::*;
use serde_json::{Value, json};
use shared_proto::json::base64;

fn parse(text: &str) -> (KeySet, Vec<String>) {
    install();
    let (keys, skipped) = KeySet::parse(text, KeyOrigin::Settings).expect("a text with keys");
    (keys, skipped.iter().map(ToString::to_string).collect())
}

fn refused(jwk: &Value) -> String {
    let (keys, skipped) = parse(&jwk.to_string());
    assert!(keys.is_empty());
    skipped.concat()
}

#[test]
fn keys_in_pem_format_are_for_the_algorithm_of_their_kind() {
    let all = [TestKey::rsa(), TestKey::p256(), TestKey::p384(), TestKey::ed25519()];
    let text = all.iter().map(TestKey::pem).collect::<Vec<_>>().join("a line between them\n");
    let (keys, skipped) = parse(&text);
    let algorithms: Vec<_> = keys.0.iter().map(|key| key.algorithm).collect();
    assert_eq!(algorithms, [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA]);
    assert!(skipped.is_empty());
    for (own, key) in all.iter().zip(&keys.0) {
        let token = own.sign(key.algorithm, &json!({}), &json!({}));
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        assert!(key.has_signed(message, signature), "{:?}", key.algorithm);
    }
}

#[test]
fn the_key_of_a_certificate_is_used() {
    let certificate = rcgen::generate_simple_self_signed(["issuer".to_owned()]).expect("a certificate");
    let (keys, skipped) = parse(&certificate.cert.pem());
    assert_eq!((keys.len(), skipped.len(), keys.0[0].algorithm), (1, 0, Algorithm::ES256));
    assert_eq!(parse(&certificate.signing_key.serialize_pem()).1, ["the key 1 is a private key: use its public key"]);
}

#[test]
fn texts_without_keys_are_refused() {
    for (text, why) in [
        ("", NoKeys::UnknownFormat),
        ("hello", NoKeys::UnknownFormat),
        ("{}\n{}", NoKeys::UnknownFormat),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", NoKeys::UnknownFormat),
        ("-----BEGIN PUBLIC KEY-----\nMCow", NoKeys::UnknownFormat),
        ("{\"keys\":[]}", NoKeys::Empty),
        (&json!({"keys": vec![json!({}); KEYS + 1]}).to_string(), NoKeys::TooMany(KEYS)),
    ] {
        assert_eq!(KeySet::parse(text, KeyOrigin::File).err(), Some(why), "{text}");
    }
    assert_eq!(parse("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----").1, ["the key 1 is no public key"]);
}

#[test]
fn bad_keys_of_a_set_are_left_out_by_name() {
    let (good, other) = (TestKey::p256(), TestKey::ed25519());
    let set = json!({"keys": [
        good.jwk(&json!({"kid": "good", "use": "sig", "x5t": "ignored"})),
        other.jwk(&json!({"kid": "encrypts", "use": "enc"})),
        {"kty": "new", "kid": "future"},
        3,
        good.jwk(&json!({"kid": 4})),
    ]});
    let (keys, skipped) = parse(&set.to_string());
    assert_eq!(keys.0.iter().map(|key| key.kid.as_deref()).collect::<Vec<_>>(), [Some("good")]);
    let expected = [
        "the key encrypts is for enc, not for signatures",
        "the key future is of a kind",
        "the key 4 is no public key",
        "the key 5 is no public key",
    ];
    assert!(skipped.len() == 4 && skipped.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{skipped:?}");
}

#[test]
fn weak_foreign_and_contradictory_keys_are_refused() {
    let (rsa, p256, ed25519) = (TestKey::rsa(), TestKey::p256(), TestKey::ed25519());
    let n = |bytes: usize| base64::encode_url(&vec![0xff; bytes]);
    for (jwk, why) in [
        (json!({"kty": "RSA", "n": n(128), "e": "AQAB"}), "has 1024 bits"),
        (json!({"kty": "RSA", "n": n(255), "e": "AQAB"}), "has 2040 bits"),
        (json!({"kty": "RSA", "n": n(1025), "e": "AQAB"}), "has 8200 bits"),
        (json!({"kty": "RSA", "n": "", "e": "AQAB"}), "has 0 bits"),
        (json!({"kty": "EC", "crv": "P-521", "x": n(66), "y": n(66)}), "is of a kind"),
        (json!({"kty": "EC", "crv": "secp256k1", "x": n(32), "y": n(32)}), "is of a kind"),
        (json!({"kty": "EC", "crv": "P-256", "x": n(48), "y": n(48)}), "is no public key"),
        (json!({"kty": "OKP", "crv": "Ed448", "x": n(57)}), "is of a kind"),
        (json!({"kty": "OKP", "crv": "Ed25519", "x": n(31)}), "is no public key"),
        (json!({"kty": "oct", "k": n(32)}), "is a secret"),
        (rsa.jwk(&json!({"use": "enc"})), "is for enc"),
        (rsa.jwk(&json!({"use": "tls"})), "is for tls"),
        (rsa.jwk(&json!({"alg": "RSA-OAEP"})), "has the algorithm RSA_OAEP"),
        (rsa.jwk(&json!({"alg": "none"})), "has the algorithm"),
        (rsa.jwk(&json!({"alg": "HS256"})), "has the algorithm HS256"),
        (p256.jwk(&json!({"alg": "ES384"})), "has the algorithm ES384"),
        (ed25519.jwk(&json!({"alg": "ES256"})), "has the algorithm ES256"),
    ] {
        let found = refused(&jwk);
        assert!(found.contains(why), "{jwk}: {found}");
    }
}

#[test]
fn zeros_before_the_numbers_of_an_rsa_key_do_not_matter() {
    let mut jwk = TestKey::rsa().jwk(&json!({}));
    let plain = parse(&jwk.to_string()).0;
    jwk["n"] = format!("AA{}", jwk["n"].as_str().expect("text")).into();
    assert!(jwk["n"].as_str().expect("text").len() % 4 != 1);
    let (padded, skipped) = parse(&jwk.to_string());
    assert_eq!((padded.len(), plain.len(), skipped.len()), (1, 1, 0), "{skipped:?}");
}

#[test]
fn a_token_is_tried_with_the_keys_that_it_names_or_with_few() {
    let keys: Vec<_> = (0..6).map(|at| TestKey::p256().jwk(&json!({"kid": format!("k{at}")}))).collect();
    let (named, _) = parse(&json!({"keys": keys}).to_string());
    let tried = |set: &KeySet, kid: Option<&str>, algorithm| set.candidates(kid, algorithm).map(|key| key.kid.clone()).collect::<Vec<_>>();
    assert_eq!(tried(&named, Some("k5"), Algorithm::ES256), [Some("k5".into())]);
    assert_eq!(tried(&named, Some("k5"), Algorithm::RS256), []);
    assert_eq!(tried(&named, Some("k9"), Algorithm::ES256), [], "an unknown name");
    assert_eq!(tried(&named, None, Algorithm::ES256).len(), TRIED);
    let (mixed, _) = parse(&json!({"keys": [TestKey::p256().jwk(&json!({"kid": "k0"})), TestKey::p256().jwk(&json!({}))]}).to_string());
    assert_eq!(tried(&mixed, Some("k9"), Algorithm::ES256), [None], "a key without a name may be any");
    assert_eq!(tried(&mixed, Some("k0"), Algorithm::ES256), [Some("k0".into())]);
}
