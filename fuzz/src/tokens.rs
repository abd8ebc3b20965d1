//! The invariants of tokens and of keys of issuers.

use gateway::{auth::Tokens, settings::Settings};
use ring::hmac;
use shared_proto::json::base64::encode_url;
use std::{sync::LazyLock, time::Duration};

const NOW: Duration = Duration::from_secs(1_700_000_000);
const SECRET: &str = "a secret of more than thirty-two bytes";
const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----";

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let toml = format!("[tokens]\nhmac_secret = {SECRET:?}\n[[tokens.issuers]]\nissuer = \"a\"\nkeys = [{KEY:?}]");
    Tokens::try_from(&Settings::from_toml(&toml).expect("valid")).expect("valid")
});
/// Accepts each signature of its secret, and nothing else.
static OWN: LazyLock<Tokens> = LazyLock::new(|| {
    let toml = format!("[tokens]\nhmac_secret = {SECRET:?}\nunbounded = true");
    let settings = Settings::from_toml(&toml).or_else(|_| Settings::from_toml(&format!("[tokens]\nhmac_secret = {SECRET:?}")));
    Tokens::from(&settings.expect("valid").tokens)
});

/// Checks that no bytes are a token, as nobody has signed them; that claims with a good signature are read without a panic, and name a user
/// or are refused; and that a text that is no key is refused with a reason.
///
/// The first byte of `data` is what the rest is: a token, claims, or a key.
pub fn check(data: &[u8]) {
    let [kind, rest @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match kind % 3 {
        0 => {
            assert!(TOKENS.verify_connection(text, NOW).is_err(), "{text}");
            assert!(TOKENS.verify_subscription(text, NOW).is_err(), "{text}");
            assert!(!TOKENS.explain(text, NOW).to_string().is_empty());
        }
        1 => check_claims(text),
        _ => {
            let toml = format!("[[tokens.issuers]]\nissuer = \"a\"\nkeys = [{}]", serde_json::Value::from(text));
            if let Ok(settings) = Settings::from_toml(&toml)
                && let Err(problems) = Tokens::try_from(&settings)
            {
                assert!(!problems.to_string().is_empty());
            }
        }
    }
}

fn check_claims(claims: &str) {
    let token = sign(claims);
    if let Ok(verified) = OWN.verify_connection(&token, NOW) {
        assert!(!verified.claims.user.is_anonymous() && verified.claims.user.len() <= 254);
        assert!(verified.expires_in.is_none_or(|left| !left.is_zero()));
        assert!(verified.claims.channels.iter().all(|channel| channel.is_of(&verified.claims.user)));
        assert!(OWN.verify_subscription(&token, NOW).is_err(), "a token has one purpose");
    }
}

/// Signs any text as the claims of a token.
fn sign(claims: &str) -> String {
    let message = [r#"{"alg":"HS256"}"#, claims].map(|part| encode_url(part.as_bytes())).join(".");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), message.as_bytes());
    format!("{message}.{}", encode_url(signature.as_ref()))
}
