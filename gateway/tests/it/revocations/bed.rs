//! Gateways, their tokens, and requests to them.

use crate::public::{ask, start_with};
use ring::hmac;
use serde_json::{Value, json};
use shared_proto::json::base64;
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

/// The issuer of most tokens.
pub(super) const ISSUER: &str = "https://login.example.com";

const SETTINGS: &str = r#"
[[api_keys]]
name = "dev"
key = "dev"
[namespaces.open]
subscribe = "anyone"
[connection]
ping_interval = "10m"
"#;

/// A gateway.
#[derive(Clone, Copy)]
pub(super) struct Gateway {
    pub(super) public: SocketAddr,
    pub(super) internal: SocketAddr,
}

impl Gateway {
    /// A gateway with a memory broker and these further settings of `[tokens]`.
    pub(super) fn memory(tokens: &str) -> Self {
        Self::start(&format!("[tokens]\nhmac_secret = \"s\"\n{tokens}"))
    }

    /// A gateway that uses a Redis, with these further settings.
    pub(super) fn redis(name: &str, redis: SocketAddr, tokens: &str) -> Self {
        let redis = format!("[broker]\nkind = \"redis\"\n[redis]\nurl = \"redis://{redis}\"\nresponse_timeout = \"1s\"\ndeadline = \"3s\"");
        let gateway = Self::start(&format!("[node]\nname = \"{name}\"\n{redis}\n[tokens]\nhmac_secret = \"s\"\n{tokens}"));
        gateway.ready();
        gateway
    }

    fn start(more: &str) -> Self {
        let (public, internal) = start_with(format!("{more}\n{SETTINGS}"));
        Self { public, internal }
    }

    pub(super) fn is_ready(self) -> bool {
        ask(self.internal, "GET", "/readyz", "", "").0.starts_with("http/1.1 200 ")
    }

    pub(super) fn ready(self) {
        crate::store_errors::until("the gateway's start", || self.is_ready());
    }

    /// Revokes tokens. Returns the status, and the answer.
    pub(super) fn try_revoke(self, body: &Value) -> (u16, Value) {
        let lines = "Authorization: Bearer dev\r\nContent-Type: application/json\r\n";
        let (head, answer) = ask(self.internal, "POST", "/v1/revocations", lines, &body.to_string());
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        (status, serde_json::from_str(&answer).unwrap_or_default())
    }

    /// Revokes tokens. Returns the number of their connections.
    pub(super) fn revoke(self, body: &Value) -> u64 {
        let (status, answer) = self.try_revoke(body);
        assert_eq!(status, 200, "{body}: {answer}");
        answer["connections"].as_u64().expect("a number")
    }

    /// Sends a logout token. Returns the head, in lower case, and the body of the answer.
    pub(super) fn log_out(self, token: &str) -> (String, String) {
        let lines = "Content-Type: application/x-www-form-urlencoded\r\n";
        ask(self.public, "POST", "/oidc/backchannel-logout", lines, &format!("logout_token={token}"))
    }

    /// The value of a series.
    pub(super) fn metric(self, series: &str) -> u64 {
        let (_, metrics) = ask(self.internal, "GET", "/metrics", "", "");
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series} in {metrics}"));
        line.trim().parse().expect("a number")
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Signs claims with the key of all gateways.
pub(super) fn sign(claims: &Value) -> String {
    sign_with(b"s", claims)
}

/// Signs claims with a key.
pub(super) fn sign_with(key: &[u8], claims: &Value) -> String {
    let signed = format!("{}.{}", base64::encode_url(br#"{"alg":"HS256"}"#), base64::encode_url(claims.to_string().as_bytes()));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", base64::encode_url(signature.as_ref()))
}

/// A token of a user, with a session and an id.
pub(super) fn token(user: &str, sid: &str, jti: &str) -> String {
    sign(&json!({"sub": user, "iss": ISSUER, "iat": now() - 10, "exp": now() + 600, "sid": sid, "jti": jti}))
}

/// What revokes a token of [`token`], in three ways.
pub(super) fn revocations(user: &str, sid: &str, jti: &str) -> [Value; 3] {
    [json!({"user": user}), json!({"sid": sid, "issuer": ISSUER}), json!({"jti": jti, "issuer": ISSUER})]
}
