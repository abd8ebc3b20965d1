//! Sources that send what they should not.

use super::source::{Answer, Key, Node, Source};
use crate::{listeners::Gateway, store_errors::until};
use ring::hmac;
use serde_json::json;
use shared_proto::json::base64;
use std::io::Write as _;

#[test]
fn a_bomb_is_bounded_and_other_issuers_do_not_notice() {
    let good = Key::new("k1");
    let key = good.jwk().to_string();
    for (bomb, says) in [
        (Answer::Endless("HTTP/1.1 200 OK\r\n\r\n", vec![b' '; 1 << 16]), "more than 262144 bytes"),
        (Answer::Endless("HTTP/1.1 200 OK\r\n\r\n{\"keys\":[", b"[".repeat(1 << 12)), "more than 262144 bytes"),
        (Answer::Endless("HTTP/1.1 200 OK\r\n", b"x: y\r\n".to_vec()), "the connection broke"),
        (Answer::Keys(vec![serde_json::from_str(&key).expect("JSON"); 101], std::time::Duration::ZERO), "more than 100 keys"),
        (Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()), "no whole answer within 1s"),
        (Answer::Bytes(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n\r\n".to_vec()), "redirects are not followed"),
    ] {
        let (bad, fine) = (Source::start(bomb), Source::start(Answer::keys(&[&good])));
        let other = format!("[[tokens.issuers]]\nissuer = \"https://other\"\njwks_url = \"http://{}/keys\"", bad.address);
        let gateway = Node::start(fine.settings("jwks_timeout = \"1s\"", &other));
        until("the end of both fetches, of which only the other issuer's failed", || {
            let reasons = gateway.readiness()["reasons"].clone();
            let text = reasons.to_string();
            reasons.as_array().is_some_and(|all| all.len() == 1) && text.contains("https://other") && text.contains(says)
        });
        assert_eq!(gateway.refuses(&good.token("alice")), None);
        assert_eq!(gateway.refuses(&good.token_with("alice", json!({"iss": "https://other"}))), Some("Refused(100, true)".into()));
    }
}

/// A token that is signed with the secret of a set that everybody can read.
fn signed_by_secret(secret: &[u8]) -> String {
    let part = |json: serde_json::Value| base64::encode_url(json.to_string().as_bytes());
    let claims = json!({"iss": super::source::ISSUER, "sub": "mallory", "exp": super::source::in_an_hour()});
    let message = format!("{}.{}", part(json!({"alg": "HS256", "kid": "secret"})), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", base64::encode_url(signature.as_ref()))
}

#[test]
fn bad_keys_of_a_set_are_skipped_by_name_and_sign_nothing() {
    let (good, encrypts) = (Key::new("good"), Key::new("encrypts"));
    let mut for_encryption = encrypts.jwk();
    for_encryption["use"] = "enc".into();
    let secret = json!({"kty": "oct", "kid": "secret", "k": base64::encode_url(b"public")});
    let short = json!({"kty": "RSA", "kid": "short", "n": base64::encode_url(&[0xff; 128]), "e": "AQAB"});
    let keys = vec![secret, short, for_encryption, good.jwk()];
    let source = Source::start(Answer::Keys(keys, std::time::Duration::ZERO));
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").expect("a file");
    file.write_all(source.settings("jwks_refresh = \"2s\"\njwks_interval = \"1s\"\njwks_timeout = \"1s\"", "").as_bytes())
        .expect("written");
    let gateway = Gateway::with_file(file.path());
    let log = gateway.wait_for_log(|log| log.contains("the key encrypts"));
    for skipped in [
        "the key secret is a secret: only a file of key_files may have it",
        "the key short has 1024 bits: an RSA key needs 2048 to 8192",
        "the key encrypts is for enc, not for signatures",
    ] {
        assert!(log.contains(skipped), "{skipped} in {log}");
    }
    let node = Node { public: gateway.public, internal: gateway.internal };
    assert_eq!(node.refuses(&good.token("alice")), None);
    for forged in [signed_by_secret(b"public"), encrypts.token("mallory")] {
        // Its key is unknown: until a fetch shows that there is none, the refusal is temporary.
        until("the end of the forged token", || match node.refuses(&forged).expect("never accepted").as_str() {
            "Refused(100, true)" => false,
            "Closed(3500)" => true,
            other => panic!("{other}"),
        });
    }
    let before = node.fetches("fetched");
    until("three more fetches", || node.fetches("fetched") >= before + 3);
    let log = gateway.wait_for_log(|_| true);
    assert_eq!(log.matches("the key encrypts is for enc").count(), 1, "once, not with each fetch");
}
