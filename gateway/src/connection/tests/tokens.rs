//! Tokens whose `exp` is close to the present time, tested through a connection. The node's `tokens.leeway` is 5 s.

use super::*;
use crate::auth::sign_json;
use std::time::SystemTime;

/// The time in `from_now` seconds, in seconds since 1970.
fn in_seconds(from_now: f64) -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64() + from_now
}

fn token(claims: &Value) -> String {
    sign_json("secret", claims)
}

fn connect(exp: &Value) -> String {
    json!({"id": 1, "connect": {"token": token(&json!({"sub": "alice", "exp": exp}))}}).to_string()
}

fn refresh(exp: &Value) -> String {
    json!({"id": 2, "refresh": {"token": token(&json!({"sub": "alice", "exp": exp}))}}).to_string()
}

fn channel_token(exp: &Value) -> String {
    token(&json!({"sub": "alice", "channel": "open:a", "exp": exp}))
}

fn subscribe(exp: &Value) -> String {
    json!({"id": 3, "subscribe": {"channel": "open:a", "token": channel_token(exp)}}).to_string()
}

fn sub_refresh(exp: &Value) -> String {
    json!({"id": 4, "sub_refresh": {"channel": "open:a", "token": channel_token(exp)}}).to_string()
}

/// The `ttl` of a reply, in seconds. An error holds any other reply.
fn ttl(received: &[String], method: &str) -> Result<u64, String> {
    let reply: Value = received.first().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    reply[method]["ttl"].as_u64().ok_or_else(|| received.join(" "))
}

fn code(received: &[String]) -> Option<u64> {
    received.first().and_then(|line| serde_json::from_str::<Value>(line).ok()).and_then(|reply| reply["error"]["code"].as_u64())
}

#[test]
fn a_token_is_valid_until_its_leeway_has_passed() {
    run(default_bounds(), |world| async move {
        let late = || json!(in_seconds(-1.5));
        let alice = world.open();
        assert!(matches!(ttl(&alice.request(&connect(&late())).await, "connect"), Ok(3..=4)));
        assert!(matches!(ttl(&alice.request(&refresh(&late())).await, "refresh"), Ok(3..=4)));
        assert!(matches!(ttl(&alice.request(&subscribe(&late())).await, "subscribe"), Ok(3..=4)));
        assert!(matches!(ttl(&alice.request(&sub_refresh(&late())).await, "sub_refresh"), Ok(3..=4)));
        // The rest of the token's leeway, and the 20 s that a client has to refresh.
        elapse(25.0).await;
        assert!(alice.receive().await.contains(&"close 3005 connection expired".to_owned()));
    });
}

#[test]
fn a_token_is_invalid_after_its_leeway() {
    run(default_bounds(), |world| async move {
        let too_late = || json!(in_seconds(-5.1));
        assert_eq!(code(&world.open().request(&connect(&too_late())).await), Some(109));
        let alice = world.user("alice").await;
        assert_eq!(code(&alice.request(&subscribe(&too_late())).await), Some(109));
        assert!(ttl(&alice.request(&subscribe(&json!(in_seconds(60.0)))).await, "subscribe").is_ok());
        let ended = alice.request(&sub_refresh(&too_late())).await;
        assert!(ended[0].contains(r#""code":2501"#) && ended[1].contains(r#""code":109"#), "{ended:?}");
        assert_eq!(alice.request(&refresh(&too_late())).await, ["close 3005 connection expired"]);
    });
}

#[test]
fn an_expiry_may_be_any_number() {
    run(default_bounds(), |world| async move {
        for far in [json!(1_u64 << 53), json!(u64::MAX), json!(1e300)] {
            let alice = world.open();
            assert_eq!(ttl(&alice.request(&connect(&far)).await, "connect"), Ok(u64::from(u32::MAX)), "{far}");
            assert_eq!(ttl(&alice.request(&refresh(&far)).await, "refresh"), Ok(u64::from(u32::MAX)), "{far}");
            assert_eq!(ttl(&alice.request(&subscribe(&far)).await, "subscribe"), Ok(u64::from(u32::MAX)), "{far}");
            assert_eq!(ttl(&alice.request(&sub_refresh(&far)).await, "sub_refresh"), Ok(u64::from(u32::MAX)), "{far}");
            elapse(3600.0).await;
            assert_eq!(alice.receive().await, [""; 0], "nothing expires for {far}");
        }
        for past in [json!(0), json!(-1), json!(-1e300)] {
            assert_eq!(code(&world.open().request(&connect(&past)).await), Some(109), "{past}");
        }
    });
}
