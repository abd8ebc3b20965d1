use super::{super::test_keys::TestKey, *};
use crate::{
    auth::{TokenError, Tokens},
    settings::Settings,
};
use futures_util::FutureExt as _;
use gateway_core::model::{ClaimDigest, RevocableClaim, Revocation, RevocationTarget};
use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

const ISSUER: &str = "https://one";
const NOW: u64 = 1_800_000_000;
const CLOCK: Duration = Duration::from_secs(NOW);
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Settings with an issuer that may send logout tokens, and one that may not.
fn tokens(key: &TestKey, more: &str) -> Tokens {
    let issuer =
        |name: &str, more: &str| format!("[[tokens.issuers]]\nissuer = {name:?}\nkeys = ['''{}''']\n{more}\n", key.jwk(&json!({})));
    let logout = "backchannel_logout = true\nlogout_audiences = [\"spa\"]\nuser_claim = \"/oid\"";
    let toml = format!("[tokens]\nhmac_secret = \"s\"\nleeway = \"5s\"\n{more}\n{}{}", issuer(ISSUER, logout), issuer("https://two", ""));
    Tokens::try_from(&Settings::from_toml(&toml).expect("valid")).expect("good keys")
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "spa", "iat": NOW, "exp": NOW + 120, "jti": "l1", "sub": "alice", "sid": "s1", "events": {EVENT: {}}})
}

/// The claims with one that is changed, or removed.
fn with(name: &str, value: Option<Value>) -> Value {
    let mut claims = claims();
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().expect("an object").remove(name)),
    }
    claims
}

fn target(claim: RevocableClaim, value: &str) -> RevocationTarget {
    RevocationTarget::Claim(claim, ClaimDigest::new(ISSUER, claim, value))
}

struct Provider {
    key: TestKey,
    tokens: Tokens,
}

impl Provider {
    fn new() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        let key = TestKey::ed25519();
        Self { tokens: tokens(&key, more), key }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.key.sign(Algorithm::EdDSA, header, claims)
    }

    fn check(&self, header: &Value, claims: &Value) -> Result<LogoutToken, LogoutError> {
        self.verify(&self.sign(header, claims), CLOCK)
    }

    /// These keys are in the settings, so nothing has to be fetched.
    fn verify(&self, token: &str, now: Duration) -> Result<LogoutToken, LogoutError> {
        self.tokens.verify_logout(token, now).now_or_never().expect("no wait")
    }

    /// Why a token is refused.
    fn refusal(&self, header: &Value, claims: &Value) -> String {
        self.check(header, claims).expect_err("refused").to_string()
    }
}

#[test]
fn a_logout_token_names_a_session_or_a_subject() {
    let provider = Provider::new();
    let both = LogoutToken {
        target: target(RevocableClaim::Session, "s1"),
        until: Revocation::ALWAYS,
        id: target(RevocableClaim::Token, "l1"),
        expires_in: Duration::from_secs(125),
    };
    for header in [json!({}), json!({"typ": "JWT"}), json!({"typ": "logout+jwt"}), json!({"typ": "application/LOGOUT+jwt"})] {
        assert_eq!(provider.check(&header, &claims()), Ok(both.clone()), "{header}");
    }
    assert_eq!(provider.check(&json!({}), &with("sub", None)), Ok(both.clone()));
    assert_eq!(provider.check(&json!({}), &with("aud", Some(json!(["other", "spa"])))), Ok(both.clone()));
    let subject = LogoutToken { target: target(RevocableClaim::Subject, "alice"), until: NOW, ..both };
    for without in [None, Some(json!(null)), Some(json!(""))] {
        assert_eq!(provider.check(&json!({}), &with("sid", without)), Ok(subject.clone()));
    }
}

#[test]
fn each_check_of_the_specification_refuses() {
    let provider = Provider::new();
    let plain = json!({});
    for (header, claims, why) in [
        (json!({"typ": "at+jwt"}), claims(), "typ of another kind"),
        (json!({"typ": "id_token"}), claims(), "typ of another kind"),
        (json!({"crit": ["x"]}), claims(), "critical headers"),
        (plain.clone(), with("iss", None), "may not send logout tokens"),
        (plain.clone(), with("iss", Some(json!("https://two"))), "may not send logout tokens"),
        (plain.clone(), with("iss", Some(json!("https://none"))), "may not send logout tokens"),
        (plain.clone(), with("aud", None), "another audience"),
        (plain.clone(), with("aud", Some(json!("spa2"))), "another audience"),
        (plain.clone(), with("iat", None), "has no iat"),
        (plain.clone(), with("iat", Some(json!(NOW + 6))), "iat in the future"),
        (plain.clone(), with("exp", None), "has no exp"),
        (plain.clone(), with("exp", Some(json!(null))), "has no exp"),
        (plain.clone(), with("exp", Some(json!(NOW - 5))), "has expired"),
        (plain.clone(), with("exp", Some(json!(NOW + 86_411))), "too late"),
        (plain.clone(), with("nbf", Some(json!(NOW + 6))), "not valid yet"),
        (plain.clone(), with("jti", None), "has no jti"),
        (plain.clone(), with("jti", Some(json!(""))), "has no jti"),
        (plain.clone(), with("events", None), "no logout event"),
        (plain.clone(), with("events", Some(json!({}))), "no logout event"),
        (plain.clone(), with("events", Some(json!({"http://schemas.openid.net/event/other": {}}))), "no logout event"),
        (plain.clone(), with("events", Some(json!({EVENT: true}))), "no logout event"),
        (plain.clone(), with("events", Some(json!([EVENT]))), "wrong type: events"),
        (plain.clone(), with("nonce", Some(json!("n"))), "has a nonce"),
        (plain.clone(), with("nonce", Some(json!(null))), "has a nonce"),
    ] {
        let found = provider.refusal(&header, &claims);
        assert!(found.contains(why), "{header} {claims}: {found}");
    }
    let mut nobody = with("sid", None);
    nobody.as_object_mut().expect("an object").remove("sub");
    assert!(provider.refusal(&plain, &nobody).contains("neither sid nor sub"));
    assert!(provider.refusal(&plain, &with("padding", Some(json!("x".repeat(16 << 10))))).contains("longer than"));
}

#[test]
fn forged_logout_tokens_are_refused() {
    let provider = Provider::new();
    let good = provider.sign(&json!({}), &claims());
    let foreign = TestKey::ed25519().sign(Algorithm::EdDSA, &json!({}), &claims());
    let secret = TestKey::secret(provider.key.jwk(&json!({})).to_string().as_bytes()).sign(Algorithm::HS256, &json!({}), &claims());
    let (message, _) = good.rsplit_once('.').expect("three parts");
    let (_, payload) = message.split_once('.').expect("two parts");
    // {"alg":"none"}
    let none = format!("eyJhbGciOiJub25lIn0.{payload}.");
    for (forged, why) in [
        (foreign, "wrong signature"),
        (secret, "another algorithm"),
        (none, "unknown algorithm"),
        (format!("{message}."), "wrong signature"),
        (message.to_owned(), ""),
        (String::new(), "is missing"),
        ("a.b.c.d.e".into(), ""),
    ] {
        let found = provider.verify(&forged, CLOCK).expect_err(&forged).to_string();
        assert!(found.contains(why), "{forged}: {found}");
    }
    assert!(provider.tokens.verify_connection(&good, CLOCK).is_err_and(|error| error.to_string().contains("is a logout token")));
}

#[test]
fn an_access_token_or_id_token_is_no_logout_token() {
    let provider = Provider::new();
    let access = json!({"iss": ISSUER, "aud": "spa", "iat": NOW, "exp": NOW + 120, "jti": "a1", "sub": "alice", "oid": "7", "sid": "s1"});
    assert!(provider.refusal(&json!({}), &access).contains("no logout event"));
    let claims = provider.tokens.verify_connection(&provider.sign(&json!({}), &access), CLOCK).expect("good").claims;
    let found =
        claims.revocable.expect("all three").iter().map(|(claim, digest)| RevocationTarget::Claim(claim, digest)).collect::<Vec<_>>();
    let expected = [target(RevocableClaim::Subject, "alice"), target(RevocableClaim::Session, "s1"), target(RevocableClaim::Token, "a1")];
    assert_eq!((claims.user.as_str(), &*found), ("7", &expected[..]), "a logout token names the sub, whatever the user is");
}

#[test]
fn the_number_of_signature_checks_is_limited() {
    let provider = Provider::with("logouts_per_second = 2");
    let foreign = TestKey::ed25519().sign(Algorithm::EdDSA, &json!({}), &claims());
    let unknown = provider.sign(&json!({}), &with("iss", Some(json!("https://two"))));
    for _ in 0..10 {
        assert!(matches!(provider.verify(&unknown, CLOCK), Err(LogoutError::Invalid(TokenError::Invalid(_)))), "costs nothing");
    }
    let forged = || provider.verify(&foreign, CLOCK);
    assert!(matches!([forged(), forged()], [Err(LogoutError::Invalid(_)), Err(LogoutError::Invalid(_))]));
    assert_eq!((forged(), provider.check(&json!({}), &claims())), (Err(LogoutError::TooMany), Err(LogoutError::TooMany)));
    assert!(provider.verify(&provider.sign(&json!({}), &claims()), CLOCK + Duration::from_secs(1)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_limit_counts_before_a_key_is_looked_for() {
    let issuer = format!("issuer = {ISSUER:?}\njwks_url = \"https://one/keys\"\nbackchannel_logout = true\nlogout_audiences = [\"spa\"]");
    let toml = format!("[tokens]\nhmac_secret = \"s\"\nlogouts_per_second = 1\n[[tokens.issuers]]\n{issuer}\n");
    let tokens = Tokens::try_from(&Settings::from_toml(&toml).expect("valid")).expect("good settings");
    let token = TestKey::ed25519().sign(Algorithm::EdDSA, &json!({}), &claims());
    let refusal = async || tokens.verify_logout(&token, CLOCK).await.expect_err("nobody fetches keys");
    assert_eq!(refusal().await, LogoutError::Invalid(TokenError::KeysAway));
    assert_eq!(refusal().await, LogoutError::TooMany);
}

/// Values that a claim may have, right or wrong.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(ISSUER)),
        Just(json!("spa")),
        Just(json!(["spa"])),
        Just(json!({EVENT: {}})),
        Just(json!({EVENT: []})),
        (NOW - 200..NOW + 200).prop_map(|at| json!(at)),
        "[a-z]{0,3}".prop_map(|text| json!(text)),
        any::<i32>().prop_map(|number| json!(number)),
        Just(json!(true)),
    ]
}

/// The rules once more, as a reader of the specification would write them.
fn should_be_accepted(claims: &Value) -> bool {
    let text = |name: &str| claims[name].as_str().is_some_and(|text| !text.is_empty());
    let id = |name: &str| text(name) || claims[name].is_number();
    let date = |name: &str| claims[name].as_i64();
    let (is_absent, optional_text) = (|name: &str| claims[name].is_null(), |name: &str| claims[name].is_null() || claims[name].is_string());
    claims["iss"] == ISSUER
        && (claims["aud"] == "spa" || claims["aud"] == json!(["spa"]))
        && date("iat").is_some_and(|iat| iat <= NOW.cast_signed() + 5)
        && date("exp").is_some_and(|exp| exp > NOW.cast_signed() - 5 && exp <= NOW.cast_signed() + 86_405)
        && (is_absent("nbf") || date("nbf").is_some_and(|nbf| nbf <= NOW.cast_signed() + 5))
        && id("jti")
        && (id("sid") || text("sub"))
        && (is_absent("sid") || claims["sid"].is_string() || claims["sid"].is_number())
        && optional_text("sub")
        && claims["events"][EVENT].is_object()
        && claims.get("nonce").is_none()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn exactly_the_tokens_of_the_specification_are_accepted(
        changes in proptest::collection::vec((0..10_usize, proptest::option::of(value())), 0..4),
        typ in proptest::option::of("(JWT|logout\\+jwt|at\\+jwt|[a-z]{0,4})"),
    ) {
        let provider = Provider::new();
        let names = ["iss", "aud", "iat", "exp", "nbf", "jti", "sid", "sub", "events", "nonce"];
        let mut claims = claims();
        for (at, change) in changes {
            match change {
                Some(value) => claims[names[at]] = value,
                None => drop(claims.as_object_mut().expect("an object").remove(names[at])),
            }
        }
        let is_typed = typ.as_deref().is_none_or(|typ| ["JWT", "logout+jwt"].iter().any(|known| known.eq_ignore_ascii_case(typ)));
        let header = typ.map_or_else(|| json!({}), |typ| json!({"typ": typ}));
        let found = provider.check(&header, &claims);
        prop_assert_eq!(found.is_ok(), is_typed && should_be_accepted(&claims), "{} {}: {:?}", header, claims, found);
    }

    #[test]
    fn no_text_makes_the_check_panic(token in "[a-zA-Z0-9_=.\\-]{0,80}") {
        prop_assert!(Provider::new().verify(&token, CLOCK).is_err());
    }
}
