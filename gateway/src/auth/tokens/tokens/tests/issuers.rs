//! Issuers of the settings: which keys count for whose tokens.

use super::super::super::{sign_json, test_keys::TestKey};
use super::{super::*, CLOCK, invalid};
use crate::settings::Settings;
use serde_json::{Value, json};

/// Settings of an issuer with one key.
fn issuer(name: &str, key: &TestKey, jwk: &Value, more: &str) -> String {
    format!("[[tokens.issuers]]\nissuer = {name:?}\nkeys = ['''{}''']\n{more}\n", key.jwk(jwk))
}

fn of(toml: &str) -> Tokens {
    let toml = if toml.contains("[tokens]") {
        toml.replacen("[tokens]", "[tokens]\nunbounded = true", 1)
    } else {
        format!("[tokens]\nunbounded = true\n{toml}")
    };
    Tokens::try_from(&Settings::from_toml(&toml).expect("valid")).expect("good keys")
}

fn user(tokens: &Tokens, token: &str) -> Result<String, TokenError> {
    tokens.verify_connection(token, CLOCK).map(|verified| verified.claims.user.to_string())
}

#[test]
fn the_issuer_of_a_token_picks_the_keys() {
    let (one, two) = (TestKey::p256(), TestKey::p256());
    let toml = format!(
        "[tokens]\nhmac_secret = \"secret\"\n{}{}",
        issuer("https://one", &one, &json!({}), ""),
        issuer("https://two", &two, &json!({}), "")
    );
    let tokens = of(&toml);
    let token = |key: &TestKey, iss: &str| key.sign(Algorithm::ES256, &json!({}), &json!({"sub": "alice", "iss": iss}));
    assert_eq!(user(&tokens, &token(&one, "https://one")), Ok("alice".into()));
    assert_eq!(user(&tokens, &token(&two, "https://two")), Ok("alice".into()));
    for (forged, why) in [
        (token(&one, "https://two"), "a wrong signature"),
        (token(&one, "https://one/"), "another algorithm"),
        (token(&one, ""), "another algorithm"),
        (sign_json("secret", &json!({"sub": "alice", "iss": "https://one"})), "another algorithm"),
    ] {
        assert!(user(&tokens, &forged).is_err_and(|error| invalid(why)(error)), "{forged}");
    }
    for own in [json!({"sub": "bob"}), json!({"sub": "bob", "iss": "https://three"})] {
        assert_eq!(user(&tokens, &sign_json("secret", &own)), Ok("bob".into()), "tokens.hmac_secret is for all others");
    }
}

#[test]
fn forgeries_are_refused() {
    let key = TestKey::rsa();
    let tokens = of(&issuer("https://one", &key, &json!({"kid": "k1"}), ""));
    let claims = json!({"sub": "alice", "iss": "https://one"});
    let header = json!({"kid": "k1"});
    assert_eq!(user(&tokens, &key.sign(Algorithm::RS256, &header, &claims)), Ok("alice".into()));
    // The public key as the secret of an HMAC, in the forms in which attackers find it.
    let pem = key.pem();
    for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), key.jwk(&json!({})).to_string().as_bytes()] {
        let forged = TestKey::secret(secret).sign(Algorithm::HS256, &header, &claims);
        assert!(user(&tokens, &forged).is_err_and(|error| invalid("another algorithm")(error)));
    }
    let message = key.sign(Algorithm::RS256, &header, &claims);
    let (message, signature) = message.rsplit_once('.').expect("three parts");
    let (_, payload) = message.split_once('.').expect("two parts");
    // {"alg":"none"}
    for none in [format!("eyJhbGciOiJub25lIn0.{payload}."), format!("eyJhbGciOiJub25lIn0.{payload}.{signature}")] {
        assert!(user(&tokens, &none).is_err_and(|error| invalid("unknown algorithm")(error)));
    }
    // The key of an attacker, and where the header says that it is.
    let foreign = TestKey::p256();
    for (header, why) in [
        (json!({"kid": "k1"}), "another algorithm"),
        (json!({"kid": "k2", "jku": "https://attacker/keys"}), "its issuer does not have"),
        (json!({"jwk": foreign.jwk(&json!({}))}), "another algorithm"),
        (json!({"kid": "../../dev/null", "x5u": "https://attacker/certificate"}), "its issuer does not have"),
    ] {
        let forged = foreign.sign(Algorithm::ES256, &header, &claims);
        assert!(user(&tokens, &forged).is_err_and(|error| invalid(why)(error)), "{header}");
    }
    let forged = key.sign(Algorithm::PS256, &header, &claims);
    assert!(user(&tokens, &forged).is_err_and(|error| invalid("another algorithm")(error)), "a key has one algorithm");
}

#[test]
fn members_that_bring_keys_have_no_effect() {
    let key = TestKey::ed25519();
    let tokens = of(&issuer("https://one", &key, &json!({}), ""));
    let header =
        json!({"jku": "https://attacker/keys", "jwk": TestKey::p256().jwk(&json!({})), "x5u": "https://attacker/", "typ": "at+jwt"});
    let token = key.sign(Algorithm::EdDSA, &header, &json!({"sub": "alice", "iss": "https://one"}));
    assert_eq!(user(&tokens, &token), Ok("alice".into()));
}

#[test]
fn tokens_of_other_kinds_are_refused() {
    let key = TestKey::ed25519();
    let tokens = of(&issuer("https://one", &key, &json!({}), ""));
    let claims = json!({"sub": "alice", "iss": "https://one"});
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    for (header, claims, why) in [
        (json!({"typ": "logout+jwt"}), claims.clone(), "is a logout token"),
        (json!({"typ": "LOGOUT+JWT"}), claims.clone(), "is a logout token"),
        (json!({}), with("events", logout), "is a logout token"),
        (json!({}), with("cnf", json!({"jkt": "x"})), "is bound to a key"),
        (json!({"crit": ["exp"]}), claims.clone(), "critical headers"),
        (json!({}), with("padding", json!("x".repeat(16 << 10))), "is longer than 16384 bytes"),
    ] {
        let found = user(&tokens, &key.sign(Algorithm::EdDSA, &header, &claims));
        assert!(found.clone().is_err_and(|error| invalid(why)(error)), "{why}: {found:?}");
    }
}

#[test]
fn users_and_audiences_are_found_where_common_providers_put_them() {
    let key = TestKey::rsa();
    for (what, settings, claims, expected) in [
        ("Keycloak", "audiences = [\"chat\"]", json!({"sub": "f:1:alice", "aud": ["account", "chat"], "azp": "shop"}), Some("f:1:alice")),
        (
            "Auth0",
            "audiences = [\"https://chat/api\"]",
            json!({"sub": "auth0|5f7c", "aud": ["https://chat/api", "https://x/userinfo"]}),
            Some("auth0|5f7c"),
        ),
        (
            "Cognito",
            "audiences = [\"7abc\"]\naudience_claim = \"/client_id\"",
            json!({"sub": "aaaa-bbbb", "client_id": "7abc"}),
            Some("aaaa-bbbb"),
        ),
        (
            "Entra",
            "audiences = [\"api://chat\"]\nuser_claim = \"/oid\"",
            json!({"sub": "x", "oid": "0000-1111", "aud": "api://chat"}),
            Some("0000-1111"),
        ),
        ("a nested claim", "user_claim = \"/ctx/user\"", json!({"ctx": {"user": 17}}), Some("17")),
        ("one of several", "audiences = [\"a\", \"b\"]", json!({"sub": "u", "aud": "b"}), Some("u")),
        ("another audience", "audiences = [\"a\"]", json!({"sub": "u", "aud": "b"}), None),
        ("no audience", "audiences = [\"a\"]", json!({"sub": "u"}), None),
        ("another client", "audiences = [\"a\"]\naudience_claim = \"/client_id\"", json!({"sub": "u", "client_id": "b", "aud": "a"}), None),
        ("no user", "user_claim = \"/oid\"", json!({"sub": "u"}), None),
        ("a user that is no text", "user_claim = \"/oid\"", json!({"oid": ["u"]}), None),
    ] {
        let tokens = of(&issuer("https://one", &key, &json!({}), settings));
        let mut claims = claims;
        claims["iss"] = "https://one".into();
        let found = user(&tokens, &key.sign(Algorithm::RS256, &json!({}), &claims));
        assert_eq!(found.as_deref().ok(), expected, "{what}: {found:?}");
    }
}

#[test]
fn bad_keys_in_the_settings_are_named() {
    let refused = |more: &str| {
        let toml = format!("[[tokens.issuers]]\nissuer = \"https://one\"\n{more}");
        let problems = Tokens::try_from(&Settings::from_toml(&toml).expect("valid")).expect_err("refused");
        problems.to_string()
    };
    for (more, key, why) in [
        ("keys = [\"x\"]", "tokens.issuers[0].keys", "entry 1 is no JSON Web Key"),
        ("keys = ['{\"kty\":\"oct\",\"k\":\"AAAA\"}']", "tokens.issuers[0].keys", "only a file of key_files may have it"),
        ("key_files = [\"/none\"]", "tokens.issuers[0].key_files", "/none cannot be read"),
    ] {
        let found = refused(more);
        assert!(found.contains(key) && found.contains(why), "{more}: {found}");
    }
}

#[test]
fn a_file_may_have_a_secret() {
    let secret = TestKey::secret(b"0123456789abcdef0123456789abcdef0123456789abcdef");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), secret.jwk(&json!({"alg": "HS384"})).to_string()).expect("written");
    let tokens = of(&format!("[[tokens.issuers]]\nissuer = \"https://one\"\nkey_files = [{:?}]", file.path()));
    let claims = json!({"sub": "alice", "iss": "https://one"});
    assert_eq!(user(&tokens, &secret.sign(Algorithm::HS384, &json!({}), &claims)), Ok("alice".into()));
    assert!(user(&tokens, &secret.sign(Algorithm::HS256, &json!({}), &claims)).is_err());
}
