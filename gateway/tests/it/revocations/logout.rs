//! Logout tokens of an issuer (OpenID Connect Back-Channel Logout 1.0), over HTTP.

use super::{
    bed::{Gateway, now, sign_with},
    frontend::{Frontend, Protocol},
};
use crate::public::ask;
use serde_json::{Value, json};
use shared_proto::json::base64;
use std::{io::Write as _, net::SocketAddr, time::Duration};

const IDP: &str = "https://idp.example.com";
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
const PATH: &str = "/oidc/backchannel-logout";

/// A file with the key of the issuer, and the settings that name it.
fn issuer(more: &str) -> (tempfile::NamedTempFile, String) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "{}", json!({"kty": "oct", "k": base64::encode_url(KEY)})).expect("written");
    let path = file.path().to_str().expect("UTF-8");
    let settings = format!("[[tokens.issuers]]\nissuer = {IDP:?}\naudiences = [\"api\"]\nkey_files = [{path:?}]\n{more}\n");
    (file, settings)
}

const LOGOUT: &str = "backchannel_logout = true\nlogout_audiences = [\"spa\"]\nuser_claim = \"/email\"";

fn access(sub: &str, sid: Option<&str>) -> String {
    let claims = json!({"iss": IDP, "aud": "api", "sub": sub, "email": "a@example.com", "iat": now() - 10, "exp": now() + 600, "sid": sid});
    sign_with(KEY, &claims)
}

fn logout(jti: &str, more: &Value) -> String {
    let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let mut claims = json!({"iss": IDP, "aud": "spa", "iat": now(), "exp": now() + 120, "jti": jti, "events": event});
    claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    sign_with(KEY, &claims)
}

fn connect(address: SocketAddr, token: &str) -> Result<Frontend, String> {
    Frontend::connect(Protocol::Json, address, token)
}

#[test]
fn an_issuer_ends_a_session_or_all_of_a_subject() {
    let (_file, settings) = issuer(LOGOUT);
    let gateway = Gateway::memory(&settings);
    let mut of_session = connect(gateway.public, &access("17", Some("s1"))).expect("accepted");
    let mut of_subject = connect(gateway.public, &access("17", None)).expect("accepted");
    let mut other = connect(gateway.public, &access("18", Some("s2"))).expect("accepted");

    let token = logout("l1", &json!({"sid": "s1", "sub": "17"}));
    let (head, body) = gateway.log_out(&token);
    assert!(head.starts_with("http/1.1 200 ") && head.contains("cache-control: no-store\r\n") && body.is_empty(), "{head}{body}");
    assert_eq!(of_session.end(), (3503, "logged out".into()));
    assert!(!of_subject.has_news(Duration::from_millis(50)), "its token is of no session");

    let (head, body) = gateway.log_out(&token);
    let refused: Value = serde_json::from_str(&body).expect("JSON");
    assert!(head.starts_with("http/1.1 400 ") && head.contains("cache-control: no-store\r\n"), "a repeat: {head}");
    assert_eq!((&refused["error"], &refused["error_description"]), (&"invalid_request".into(), &"The token has come before.".into()));

    assert!(gateway.log_out(&logout("l2", &json!({"sub": "17"}))).0.starts_with("http/1.1 200 "));
    assert_eq!(of_subject.end(), (3503, "logged out".into()), "by the sub of the issuer, although the user is another claim");
    assert!(!other.has_news(Duration::from_millis(50)));
    for token in [access("19", Some("s1")), access("17", None)] {
        assert_eq!(connect(gateway.public, &token).err().as_deref(), Some("109"));
    }
    assert!(connect(gateway.public, &access("18", Some("s2"))).is_ok());
    for (result, number) in [("done", 2), ("repeated", 1), ("invalid", 0)] {
        assert_eq!(gateway.metric(&format!("switchboard_logouts_total{{result=\"{result}\"}}")), number, "{result}");
    }
}

#[test]
fn requests_that_are_no_logout_are_answered_400_and_end_nothing() {
    let (_file, settings) = issuer(LOGOUT);
    let gateway = Gateway::memory(&settings);
    let mut frontend = connect(gateway.public, &access("17", Some("s1"))).expect("accepted");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let good = logout("l1", &json!({"sid": "s1"}));
    let forged = sign_with(b"another key of the same length!!", &json!({"iss": IDP}));
    let long = format!("logout_token={good}&padding={}", "x".repeat(16 << 10));
    for (lines, body, says) in [
        (form, String::new(), "logout_token"),
        (form, "token=x".into(), "logout_token"),
        (form, format!("logout_token={good}&logout_token={good}"), "logout_token"),
        (form, format!("logout_token={forged}"), "wrong signature"),
        (form, format!("logout_token={}", access("17", Some("s1"))), "another audience"),
        (form, format!("logout_token={}", logout("l1", &json!({"sid": "s1", "nonce": "n"}))), "nonce"),
        (form, long, "form"),
        ("Content-Type: application/json\r\n", json!({"logout_token": good}).to_string(), "form"),
        ("", format!("logout_token={good}"), "form"),
    ] {
        let (head, answer) = ask(gateway.public, "POST", PATH, lines, &body);
        assert!(head.starts_with("http/1.1 400 ") && head.contains("cache-control: no-store\r\n"), "{body}: {head}");
        let refused: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!(refused["error"], "invalid_request", "{body}");
        let description = refused["error_description"].as_str().expect("a text");
        assert!(description.contains(says) && !description.contains(&good), "{body}: {description}");
    }
    assert!(ask(gateway.public, "GET", PATH, "", "").0.starts_with("http/1.1 405 "));
    assert!(!frontend.has_news(Duration::from_millis(50)));
    assert!(gateway.log_out(&good).0.starts_with("http/1.1 200 "), "none of these counted");
    assert_eq!(frontend.end().0, 3503);
}

#[test]
fn without_an_issuer_that_may_log_out_there_is_no_such_path() {
    let (_file, settings) = issuer("");
    let gateway = Gateway::memory(&settings);
    assert!(gateway.log_out(&logout("l1", &json!({"sid": "s1"}))).0.starts_with("http/1.1 404 "));
}

#[test]
fn too_many_logout_tokens_are_refused_for_a_while() {
    let (_file, settings) = issuer(LOGOUT);
    let gateway = Gateway::memory(&format!("logouts_per_second = 1\n{settings}"));
    let forged = sign_with(b"another key of the same length!!", &json!({"iss": IDP}));
    let refused = (0..5).map(|_| gateway.log_out(&forged)).filter(|(_, body)| body.contains("temporarily_unavailable"));
    assert!(refused.count() > 0);
    assert!(gateway.metric("switchboard_logouts_total{result=\"too_many\"}") > 0);
}
