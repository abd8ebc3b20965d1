use super::super::{
    test_keys::TestKey,
    token_key::{KeyOrigin, TokenKey},
};
use super::*;
use serde_json::{Value, json};

fn key(jwk: &Value) -> TokenKey {
    TokenKey::from_jwk(&serde_json::from_value(jwk.clone()).expect("a JWK"), KeyOrigin::File).expect("a good key")
}

/// Whether the key has signed a token.
fn has_signed(key: &TokenKey, token: &str) -> bool {
    install();
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    key.has_signed(message, signature)
}

/// Examples of RFC 7515 (appendix A.1) and RFC 8037 (appendix A.4).
#[test]
fn the_examples_of_the_rfcs_are_verified_and_changed_ones_are_not() {
    let hmac = json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"});
    let hs256 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
         eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
         dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
         hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    for (jwk, token) in [(hmac, hs256), (ed25519, eddsa)] {
        let key = key(&jwk);
        assert!(has_signed(&key, token), "{jwk}");
        assert!(!has_signed(&key, &token.replacen("JleHAi", "JleHAj", 1).replacen("RXhhb", "RXhhc", 1)), "{jwk}");
    }
}

#[test]
fn every_algorithm_verifies_what_its_key_signed_and_nothing_else() {
    use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
    let (rsa, p256, p384, ed25519, secret) =
        (TestKey::rsa(), TestKey::p256(), TestKey::p384(), TestKey::ed25519(), TestKey::secret(b"0123456789abcdef0123456789abcdef"));
    let all = [
        (&rsa, RS256),
        (&rsa, RS384),
        (&rsa, RS512),
        (&rsa, PS256),
        (&rsa, PS384),
        (&rsa, PS512),
        (&p256, ES256),
        (&p384, ES384),
        (&ed25519, EdDSA),
        (&secret, HS256),
        (&secret, HS384),
        (&secret, HS512),
    ];
    for (own, algorithm) in all {
        let verifying = key(&own.jwk(&json!({"alg": format!("{algorithm:?}")})));
        assert_eq!(verifying.algorithm, algorithm);
        for (other, its) in all {
            let token = other.sign(its, &json!({}), &json!({"sub": "alice"}));
            assert_eq!(has_signed(&verifying, &token), its == algorithm, "{algorithm:?} verifies {its:?}");
        }
        let token = own.sign(algorithm, &json!({}), &json!({"sub": "alice"}));
        for wrong in ["", "AAAA", "!"] {
            assert!(!verifying.has_signed(&token[..token.rfind('.').expect("three parts")], wrong), "{algorithm:?} {wrong:?}");
        }
    }
}

#[test]
fn only_secrets_sign() {
    install();
    let key = EncodingKey::from_secret(b"secret");
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let error = jsonwebtoken::crypto::sign(b"message", &key, algorithm).expect_err("refused");
        assert!(matches!(error.kind(), ErrorKind::InvalidAlgorithm), "{algorithm:?}: {error}");
    }
}
