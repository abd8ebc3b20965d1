mod issuers;

use super::super::sign_json;
use super::*;
use crate::settings::Settings;
use gateway_core::model::{ErrorCode, Refusal};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;
const CLOCK: Duration = Duration::from_secs(NOW);

/// A verifier that accepts tokens of any life.
fn tokens(toml: &str) -> Tokens {
    bounded(&format!("unbounded = true\n{toml}"))
}

fn bounded(toml: &str) -> Tokens {
    (&Settings::from_toml(&format!("[tokens]\n{toml}")).expect("valid").tokens).into()
}

fn plain() -> Tokens {
    tokens("hmac_secret = \"secret\"")
}

fn signed(claims: &Value) -> String {
    sign_json("secret", claims)
}

fn invalid(fragment: &str) -> impl Fn(TokenError) -> bool {
    move |error| matches!(&error, TokenError::Invalid(reason) if reason.contains(fragment))
}

#[test]
fn a_valid_token_has_user_and_expiry() {
    let claims = json!({"sub": "alice", "exp": NOW + 60, "info": {"name": "Alice A."}, "channels": ["news:world", "#alice"]});
    let VerifiedToken { claims: found, expires_in } = plain().verify_connection(&signed(&claims), CLOCK).expect("good");
    assert_eq!((found.user.as_str(), expires_in), ("alice", Some(Duration::from_secs(65))), "60 s, and 5 s of leeway");
    assert_eq!(found.info.as_ref().map(Data::get), Some(r#"{"name":"Alice A."}"#));
    assert_eq!(found.channels.iter().map(ChannelName::as_str).collect::<Vec<_>>(), ["news:world", "#alice"]);
    let bob = VerifiedToken { claims: ConnectionClaims::of("bob".parse().expect("valid")), expires_in: None };
    assert_eq!(plain().verify_connection(&signed(&json!({"sub": "bob"})), CLOCK), Ok(bob));
}

#[test]
fn capabilities_are_read_and_have_to_allow_the_channels_of_the_token() {
    let verify = |claims: &Value| plain().verify_connection(&signed(claims), CLOCK).map(|verified| verified.claims.capabilities);
    let all = verify(&json!({"sub": "a", "channels": ["chat:x"], "capabilities": {"chat:*": ["subscribe"]}})).expect("good");
    let (all, chat) = (all.expect("given"), "chat:y".parse().expect("a channel"));
    assert!(all.allow(&chat, Capability::Subscribe) && !all.allow(&chat, Capability::Publish));
    assert_eq!(verify(&json!({"sub": "a"})), Ok(None));
    for (claims, reason) in [
        (json!({"capabilities": null}), "has capabilities that are no object with lists of strings"),
        (json!({"capabilities": []}), "has capabilities that are no object with lists of strings"),
        (json!({"capabilities": "chat:*"}), "has capabilities that are no object with lists of strings"),
        (json!({"capabilities": {"chat:*": ["read"]}}), "has capabilities that have an action other than subscribe, publish, presence"),
        (json!({"capabilities": {"*:a": []}}), "has capabilities that have a pattern that is no channel"),
        (
            json!({"channels": ["news:a"], "capabilities": {"chat:*": ["subscribe"]}}),
            "has a channel to which its capabilities do not allow",
        ),
        (json!({"channels": ["chat:a"], "capabilities": {"chat:*": ["publish"]}}), "has a channel to which its capabilities do not allow"),
        (json!({"channels": ["chat:a"], "capabilities": {}}), "has a channel to which its capabilities do not allow"),
    ] {
        let mut claims = claims;
        claims["sub"] = "a".into();
        let error = verify(&claims).expect_err("refused");
        assert!(invalid(reason)(error.clone()), "{claims}: {error}");
        let verdict = plain().explain(&signed(&claims), CLOCK).verdict;
        assert_eq!(verdict, Err(error), "an operator learns the same");
    }
    let report = plain().explain(&signed(&json!({"sub": "a", "capabilities": {"b": [], "a": ["history", "publish"]}})), CLOCK).to_string();
    assert!(report.contains("allows     {\"a\":[\"publish\",\"history\"],\"b\":[]}\n"), "{report}");
}

#[test]
fn dates_are_checked_with_the_leeway() {
    let exact = tokens("hmac_secret = \"secret\"\nleeway = \"0s\"");
    let lenient = tokens("hmac_secret = \"secret\"\nleeway = \"10s\"");
    let token = |claim: &str, date: Value| signed(&json!({"sub": "a", claim: date}));
    for (tokens, claim, date, good) in [
        (&exact, "exp", json!(NOW + 1), true),
        (&exact, "exp", json!(NOW), false),
        (&lenient, "exp", json!(NOW - 9), true),
        (&lenient, "exp", json!(NOW - 10), false),
        (&exact, "nbf", json!(NOW), true),
        (&exact, "nbf", json!(NOW + 1), false),
        (&lenient, "nbf", json!(NOW + 10), true),
        (&lenient, "nbf", json!(NOW + 11), false),
        (&exact, "exp", json!(NOW as f64 + 1.5), true),
        (&exact, "exp", json!(NOW as f64 + 0.25), true),
        (&exact, "exp", json!(NOW as f64 - 0.25), false),
        (&lenient, "exp", json!(NOW as f64 - 9.75), true),
        (&lenient, "exp", json!(NOW as f64 - 10.25), false),
        (&lenient, "nbf", json!(NOW as f64 + 10.25), false),
        (&exact, "exp", json!(1_u64 << 53), true),
        (&exact, "exp", json!(u64::MAX), true),
        (&lenient, "exp", json!(1e300), true),
        (&exact, "nbf", json!(u64::MAX), false),
        (&exact, "nbf", json!(-1), true),
        (&exact, "exp", json!("tomorrow"), false),
        (&exact, "exp", Value::Null, true),
        (&exact, "nbf", Value::Null, true),
    ] {
        assert_eq!(tokens.verify_connection(&token(claim, date.clone()), CLOCK).is_ok(), good, "{claim} {date}");
    }
    for past in [json!(NOW), json!(0), json!(-1), json!(i64::MIN), json!(-1e300)] {
        assert_eq!(exact.verify_connection(&token("exp", past.clone()), CLOCK), Err(TokenError::Expired), "{past}");
    }
    assert_eq!(Refusal::from(TokenError::Expired).code, ErrorCode::TokenExpired);
}

#[test]
fn a_token_that_may_outlive_its_revocation_is_refused() {
    const HOUR: u64 = 3600;
    let settings = "hmac_secret = \"secret\"\nrevocation_ttl = \"1h\"\nleeway = \"5s\"";
    let (strict, any) = (bounded(settings), bounded(&format!("{settings}\nunbounded = true")));
    let none = "has no exp: sign it with an exp, or set tokens.unbounded";
    let late = "has an exp that is too late for tokens.revocation_ttl";
    for (claims, refused) in [
        (json!({}), Some(none)),
        (json!({"exp": null}), Some(none)),
        (json!({"iat": NOW}), Some(none)),
        (json!({"exp": NOW + HOUR + 5}), None),
        (json!({"exp": NOW + HOUR + 6}), Some(late)),
        (json!({"exp": u64::MAX}), Some(late)),
        (json!({"iat": NOW, "exp": NOW + HOUR + 5}), None),
        // Revoked when it was issued, it would be forgotten by now.
        (json!({"iat": NOW - 10 * HOUR, "exp": NOW + 60}), Some(late)),
        (json!({"iat": NOW - HOUR + 60, "exp": NOW + 60}), None),
        (json!({"iat": 0, "exp": NOW + 60}), Some(late)),
        (json!({"iat": NOW + 10 * HOUR, "exp": NOW + 2 * HOUR}), Some(late)),
    ] {
        for subscription in [false, true] {
            let mut claims = claims.clone();
            claims["sub"] = "alice".into();
            let verify = |tokens: &Tokens, claims: &Value| {
                if subscription {
                    tokens.verify_subscription(&signed(claims), CLOCK).map(|_| ())
                } else {
                    tokens.verify_connection(&signed(claims), CLOCK).map(|_| ())
                }
            };
            if subscription {
                claims["channel"] = "chat:x".into();
            }
            assert_eq!(verify(&any, &claims), Ok(()), "{claims}");
            match (verify(&strict, &claims), refused) {
                (Err(error), Some(why)) => {
                    assert!(error.to_string().contains(why) && error.to_string().len() <= 123, "{claims}: {error}");
                }
                (found, why) => assert_eq!((found.is_ok(), why), (true, None), "{claims}"),
            }
        }
    }
}

#[test]
fn tokens_can_be_revoked_by_session_and_id_for_each_issuer() {
    use gateway_core::model::{ClaimDigest, RevocableClaim::*};
    let claims = |claims: Value| {
        let of = plain().verify_connection(&signed(&claims), CLOCK).map(|token| token.claims.revocable);
        of.map(|of| of.map(|of| of.iter().collect::<Vec<_>>()).unwrap_or_default())
    };
    let digest = |issuer, claim, value| (claim, ClaimDigest::new(issuer, claim, value));
    for (given, expected) in [
        (json!({"sub": "a"}), vec![]),
        (json!({"sub": "a", "sid": null, "jti": ""}), vec![]),
        (json!({"sub": "a", "sid": "s", "jti": "j"}), vec![digest("", Session, "s"), digest("", Token, "j")]),
        (json!({"sub": "a", "iss": "i", "jti": "j"}), vec![digest("i", Token, "j")]),
        (json!({"sub": "a", "iss": "i", "sid": 17}), vec![digest("i", Session, "17")]),
    ] {
        assert_eq!(claims(given.clone()), Ok(expected), "{given}");
    }
    for wrong in [json!({"sub": "a", "sid": ["s"]}), json!({"sub": "a", "jti": {}}), json!({"sub": "a", "jti": true})] {
        assert!(claims(wrong.clone()).is_err_and(invalid("wrong type")), "{wrong}");
    }
    let token = signed(&json!({"sub": "a", "channel": "c", "jti": "j"}));
    let found = plain().verify_subscription(&token, CLOCK).expect("good").claims.revocable.expect("a jti");
    assert_eq!(found.iter().collect::<Vec<_>>(), [digest("", Token, "j")]);
}

#[test]
fn forged_and_malformed_tokens_are_refused_with_a_reason() {
    let good = signed(&json!({"sub": "alice"}));
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = message.split_once('.').expect("three parts");
    // The headers are {"alg":"none"} and {"alg":"RS256"}.
    let none = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let other = format!("eyJhbGciOiJSUzI1NiJ9.{payload}.{signature}");
    let critical = Header { crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::HS256) };
    let critical = encode(&critical, &json!({"sub": "alice"}), &EncodingKey::from_secret(b"secret")).expect("signed");
    let swapped = signed(&json!({"sub": "mallory"}));
    let swapped = format!("{header}.{}.{signature}", swapped.split('.').nth(1).expect("three parts"));
    // A valid HS512 token with the gateway's secret.
    let hs512 = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhbGljZSJ9.\
         WhrddLNc_Zksppka8DkNGPmqrL0iGYLZREVda8eo4BVwkLSDykSHzluS7J0Z10ahM1BaqA\
         nFIVyOGhaUCy_dDg";
    for (token, fragment) in [
        (sign_json("other", &json!({"sub": "alice"})), "wrong signature"),
        (hs512.to_owned(), "another algorithm"),
        (none, "an unknown algorithm"),
        (critical, "critical headers"),
        (other, "another algorithm"),
        (swapped, "wrong signature"),
        (message.to_owned(), "no JSON Web Token"),
        (format!("{message}."), "wrong signature"),
        (format!("{good}.x"), ""),
        ("x".into(), "no JSON Web Token"),
        ("..".into(), ""),
        (String::new(), "is missing"),
        (signed(&json!({"sub": 7})), "wrong type: sub"),
        (signed(&json!(["alice"])), "no JSON object"),
        (signed(&json!({"sub": "a\n"})), "has a sub that"),
        (signed(&json!({"sub": ".."})), "has a sub that"),
        (signed(&json!({"sub": ""})), "has no sub"),
        (signed(&json!({})), "has no sub"),
        (signed(&json!({"sub": "a", "channels": ["a b"]})), "has a channel that"),
        (signed(&json!({"sub": "a", "channels": "news"})), "wrong type: channels"),
        (signed(&json!({"sub": "a", "channels": ["news", 7]})), "wrong type: channels[1]"),
        (signed(&json!({"sub": "a", "exp": "tomorrow"})), "wrong type: exp"),
        (signed(&json!({"sub": "a", "aud": {}})), "wrong type: aud"),
        (signed(&json!({"sub": "a", "channels": ["#a", "#b"]})), "channel of another user"),
        (signed(&json!({"sub": "a", "channel": "news:x"})), "for a subscription"),
        (signed(&json!({"sub": "a", "meta": "x".repeat(1023)})), "has a meta that has 1025 bytes"),
    ] {
        let found = plain().verify_connection(&token, CLOCK).expect_err(&token);
        assert!(invalid(fragment)(found.clone()), "{token}: {found}");
    }
}

#[test]
fn configured_audience_and_issuer_are_required() {
    let tokens = tokens("hmac_secret = \"secret\"\naudience = \"chat\"\nissuer = \"login\"");
    for (claims, good) in [
        (json!({"sub": "a", "aud": "chat", "iss": "login"}), true),
        (json!({"sub": "a", "aud": ["x", "chat"], "iss": "login"}), true),
        (json!({"sub": "a", "iss": "login"}), false),
        (json!({"sub": "a", "aud": "chat"}), false),
        (json!({"sub": "a", "aud": [], "iss": "login"}), false),
        (json!({"sub": "a", "aud": "chat", "iss": "log"}), false),
    ] {
        assert_eq!(tokens.verify_connection(&signed(&claims), CLOCK).is_ok(), good, "{claims}");
    }
    let own = tokens.sign_connection(&ConnectionClaims::of("a".parse().expect("valid")), NOW).expect("a key");
    assert!(tokens.verify_connection(&own, CLOCK).is_ok());
}

#[test]
fn anonymous_connections_need_the_setting() {
    let open = tokens("hmac_secret = \"secret\"\nanonymous = true");
    assert!(open.verify_connection("", CLOCK).expect("allowed").claims.user.is_anonymous());
    assert!(open.verify_connection(&signed(&json!({"sub": ""})), CLOCK).expect("allowed").claims.user.is_anonymous());
    assert!(open.verify_connection("x", CLOCK).is_err());
    assert!(open.verify_subscription("", CLOCK).is_err());
    assert!(plain().verify_connection("", CLOCK).is_err());
}

#[test]
fn without_a_secret_every_token_is_refused_even_one_signed_with_the_empty_key() {
    let none = tokens("");
    assert!(none.verify_connection(&signed(&json!({"sub": "a"})), CLOCK).is_err_and(invalid("no key")));
    assert!(none.verify_connection(&sign_json("", &json!({"sub": "a"})), CLOCK).is_err());
    assert_eq!(none.sign_connection(&ConnectionClaims::of("a".parse().expect("valid")), NOW), Err(NoSigningKey));
}

#[test]
fn a_connection_token_is_no_subscription_token() {
    let found = plain().verify_subscription(&signed(&json!({"sub": "a", "channels": ["chat:x"]})), CLOCK);
    assert!(found.is_err_and(invalid("has no channel")));
}

#[test]
fn debug_output_contains_no_secret() {
    assert!(!format!("{:?}", tokens("hmac_secret = \"hush\"")).contains("hush"));
}

proptest! {
    #[test]
    fn a_signed_token_has_its_claims(user in "[a-z0-9|:#/%ü][a-z0-9|:#/%ü \"{}.@-]{0,20}[a-z0-9]", ttl in proptest::option::of(1u64..1 << 40), info in "[a-z ]{0,9}") {
        let user: UserId = user.parse().expect("valid");
        let info = Data::parse(&RawValue::from_string(json!({"n": info}).to_string()).expect("JSON")).expect("flat");
        let expires = ttl.map(|ttl| CLOCK + Duration::from_secs(ttl));
        let expires_in = ttl.map(|ttl| Duration::from_secs(ttl + 5));
        let channel = ChannelName::personal(&user).expect("not anonymous");
        let tokens = plain();

        let capabilities = Capabilities::parse(&to_raw_value(&json!({"*": ["subscribe"], "a:*": ["history"]})).expect("JSON")).expect("valid");
        let claims = ConnectionClaims {
            expires,
            info: Some(info.clone()),
            meta: Meta::check(info.clone()).expect("short"),
            channels: vec![channel.clone()],
            issued: Some(NOW),
            capabilities: Some(Box::new(capabilities)),
            ..ConnectionClaims::of(user.clone())
        };
        let token = tokens.sign_connection(&claims, NOW).expect("a key");
        prop_assert_eq!(tokens.verify_connection(&token, CLOCK), Ok(VerifiedToken { claims, expires_in }));

        let claims = SubscriptionClaims { user, channel, issued: Some(NOW), expires, revocable: None, info: Some(info) };
        let token = tokens.sign_subscription(&claims, NOW).expect("a key");
        prop_assert_eq!(tokens.verify_subscription(&token, CLOCK), Ok(VerifiedToken { claims, expires_in }));
    }

    #[test]
    fn no_text_makes_the_check_panic(token in "[a-zA-Z0-9_=.\\-]{0,80}") {
        prop_assert!(plain().verify_connection(&token, CLOCK).is_err());
    }
}
