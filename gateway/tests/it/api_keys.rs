//! What the scopes of API keys allow at a whole gateway, and what the audit log says about it.

use super::{
    client::{Client, handshake},
    listeners::Gateway,
    public::ask,
    store_errors::says,
};
use serde_json::{Value, json};
use std::process::Command;

/// Keys as a variable has them: each with a name, and its scopes after a space.
const KEYS: &str =
    "api_keys=dev=dev,orders=narrow publish:news:* link:bot publish:#alice,reader=reads read:news:*,ops=ops users revoke admin";

/// Status and problem code of a request.
pub(super) fn asked(gateway: &Gateway, key: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let lines = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\nX-Request-Id: r-7\r\n");
    let (head, body) = ask(gateway.internal, method, path, &lines, body);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}"));
    let code = serde_json::from_str::<Value>(&body).unwrap_or_default()["code"].as_str().unwrap_or_default().to_owned();
    (status, code)
}

/// A request for a link of a service: the client, and the head of the answer.
pub(super) fn link(gateway: &Gateway, key: &str, service: &str) -> (Client, String) {
    let mut client = Client::connect(gateway.internal);
    let request = handshake(&format!("/v1/services/{service}/link"));
    client.send(request.replacen("\r\n\r\n", &format!("\r\nAuthorization: Bearer {key}\r\n\r\n"), 1).as_bytes());
    let head = client.head();
    (client, head)
}

/// The lines of the audit log.
fn audit(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|line| line["target"] == "audit").collect()
}

#[test]
fn a_narrow_key_does_its_work_and_nothing_else() {
    let gateway = Gateway::start(&[KEYS, "services.bot.reach=link", "services.other.reach=link"]);
    let publish = r#"{"data":1}"#;
    let publications = |channel: &str| format!("/v1/channels/{channel}/publications");
    for (key, method, path, body, status) in [
        ("narrow", "POST", publications("news:a"), publish, 200),
        ("narrow", "POST", publications("chat:a"), publish, 403),
        ("narrow", "POST", publications("newsletter:a"), publish, 403),
        ("narrow", "POST", "/v1/users/alice/messages".into(), publish, 200),
        ("narrow", "POST", "/v1/users/bob/messages".into(), publish, 403),
        ("reads", "GET", publications("news:a"), "", 200),
        ("narrow", "GET", publications("news:a"), "", 403),
        ("reads", "POST", publications("news:a"), publish, 403),
        ("reads", "GET", "/v1/nodes".into(), "", 200),
        ("ops", "GET", "/v1/services".into(), "", 200),
        ("narrow", "GET", "/v1/services".into(), "", 403),
        ("ops", "DELETE", "/v1/users/alice/connections".into(), "", 200),
        ("narrow", "DELETE", "/v1/users/alice/connections".into(), "", 403),
        ("ops", "DELETE", publications("news:a"), "", 204),
        ("narrow", "DELETE", publications("news:a"), "", 403),
        ("dev", "GET", "/v1/nodes".into(), "", 200),
        ("wrong", "GET", "/v1/nodes".into(), "", 401),
    ] {
        let answer = asked(&gateway, key, method, &path, body);
        let code = match status {
            403 => "permission_denied",
            401 => "unauthorized",
            _ => "",
        };
        assert_eq!(answer, (status, code.into()), "{key} {method} {path}");
    }
}

#[test]
fn a_link_is_limited_to_its_service_and_to_the_channels_of_its_key() {
    let gateway = Gateway::start(&[KEYS, "services.bot.reach=link", "services.other.reach=link"]);
    let (_, foreign) = link(&gateway, "narrow", "other");
    assert!(foreign.starts_with("HTTP/1.1 403 "), "{foreign}");
    assert!(link(&gateway, "reads", "bot").1.starts_with("HTTP/1.1 403 "));
    assert!(link(&gateway, "dev", "other").1.starts_with("HTTP/1.1 101 "));
    let (mut bot, own) = link(&gateway, "narrow", "bot");
    assert!(own.starts_with("HTTP/1.1 101 "), "{own}");
    let welcome = says(&mut bot, &json!({"hello": {"service": "bot", "instance": "i1", "credit": 8}}));
    assert!(welcome.starts_with("{\"welcome\":"), "{welcome}");
    let mut publish = |channel: &str| says(&mut bot, &json!({"publish": {"id": 1, "channel": channel, "data": "x"}}));
    let refused: Value = serde_json::from_str(&publish("chat:lobby")).expect("JSON");
    assert_eq!(refused["nack"]["error"]["code"], "permission_denied", "{refused}");
    assert!(refused["nack"]["error"]["message"].to_string().contains("`publish:chat:lobby`"), "{refused}");
    assert!(publish("news:a").starts_with("{\"ack\":"), "the link goes on");
    let log = gateway.wait_for_log(|log| log.contains("\"chat:lobby\"") || log.contains("subject=chat:lobby"));
    assert!(log.lines().any(|line| line.contains("key=\"orders\"") && line.contains("outcome=\"refused\"")), "{log}");
    assert_eq!(asked(&gateway, "reads", "GET", "/v1/channels/chat:lobby/publications", "").0, 403);
    let (_, history) = ask(gateway.internal, "GET", "/v1/channels/chat:lobby/publications", "Authorization: Bearer dev\r\n", "");
    assert!(history.contains("\"publications\":[]"), "{history}");
}

#[test]
fn the_audit_log_says_who_did_what_and_who_was_refused() {
    let gateway = Gateway::start(&[KEYS, "services.bot.events=queue", "telemetry.log_format=json", "internal.audit_refusals=2"]);
    let evil = "/v1/users/a%0Aaudit%20outcome=done/connections";
    asked(&gateway, "ops", "DELETE", &format!("{evil}?code=3000&reason=hush-1"), "");
    asked(&gateway, "ops", "DELETE", "/v1/users/alice/connections", "");
    asked(&gateway, "dev", "PATCH", "/v1/services/bot/queue", r#"{"paused":true}"#);
    asked(&gateway, "dev", "PATCH", "/v1/services/bot/queue", r#"{"paused":false}"#);
    asked(&gateway, "dev", "PATCH", "/v1/services/nobody/queue", r#"{"paused":true}"#);
    asked(&gateway, "dev", "POST", "/v1/channels/news:a/publications", r#"{"data":"hush-2"}"#);
    for key in ["hush-3", "narrow", "narrow", "narrow"] {
        asked(&gateway, key, "DELETE", "/v1/channels/news:a/publications", "");
    }
    let (_, metrics) = ask(gateway.internal, "GET", "/metrics", "", "");
    assert!(metrics.contains("switchboard_key_refusals_total{result=\"left_out\"} 2\n"), "{metrics}");
    assert!(metrics.contains("switchboard_key_refusals_total{result=\"logged\"} 2\n"), "{metrics}");
    let log = gateway.wait_for_log(|log| audit(log).len() >= 7);
    assert!(!log.contains("hush"), "{log}");
    let lines: Vec<_> = audit(&log)
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {} {}", text("key"), text("action"), text("subject"), text("outcome"), line["status"])
        })
        .collect();
    assert_eq!(
        lines,
        [
            &format!("ops user.disconnect {evil} failed 400"),
            "ops user.revoke /v1/users/alice/connections done 200",
            "dev queue.pause /v1/services/bot/queue done 200",
            "dev queue.resume /v1/services/bot/queue done 200",
            "dev queue.pause /v1/services/nobody/queue failed 404",
            "- history.delete /v1/channels/news:a/publications refused 401",
            "orders history.delete /v1/channels/news:a/publications refused 403",
        ]
    );
    let first = &audit(&log)[0];
    assert_eq!((&first["request_id"], &first["level"]), (&json!("r-7"), &json!("INFO")), "{first}");
    assert!(first["from"].as_str().is_some_and(|from| from.starts_with("127.")), "{first}");
}

#[test]
fn an_administrative_request_whose_caller_leaves_is_in_the_audit_log() {
    let gateway = Gateway::start(&[KEYS, "services.bot.events=queue", "telemetry.log_format=json"]);
    let mut client = Client::connect(gateway.internal);
    let head = "PATCH /v1/services/bot/queue HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\n";
    client.send(format!("{head}Content-Length: 15\r\n\r\n{{").as_bytes());
    drop(client);
    let log = gateway.wait_for_log(|log| !audit(log).is_empty());
    let line = &audit(&log)[0];
    assert_eq!((&line["key"], &line["action"]), (&json!("dev"), &json!("queue.pause")), "{line}");
    assert!(line["outcome"] == "failed" || line["outcome"] == "abandoned", "{line}");
}

#[test]
fn a_new_key_works_with_the_entry_that_is_printed_beside_it() {
    let program = || Command::new(env!("CARGO_BIN_EXE_gateway"));
    let made = program().args(["new-key", "--name", "orders"]).output().expect("run");
    let text = String::from_utf8(made.stdout).expect("text");
    assert!(made.status.success() && made.stderr.is_empty());
    let key = text.lines().find(|line| line.starts_with("sbk_")).unwrap_or_else(|| panic!("{text}"));
    let entry = &text[text.find("[[api_keys]]").expect("an entry")..];
    assert!(!entry.contains(key) && entry.contains("name = \"orders\"\nkey_hash = \"sha256:"), "{text}");
    let scopes = entry.lines().find_map(|line| line.strip_prefix("# scopes")).expect("an example");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, format!("{entry}scopes{scopes}\n[namespaces.orders]\nhistory_size = 10\n[namespaces.chat]\n")).expect("written");
    let gateway = Gateway::with_file(&file);
    assert_eq!(asked(&gateway, key, "POST", "/v1/channels/orders:7/publications", r#"{"data":1}"#).0, 200);
    assert_eq!(asked(&gateway, key, "POST", "/v1/channels/chat:7/publications", r#"{"data":1}"#).0, 403);
    assert_eq!(asked(&gateway, &key[1..], "POST", "/v1/channels/orders:7/publications", r#"{"data":1}"#).0, 401);
    assert_eq!(asked(&gateway, "dev", "POST", "/v1/channels/orders:7/publications", r#"{"data":1}"#).0, 401);

    let refused = program().args(["new-key", "--name", "two words"]).output().expect("run");
    assert!(refused.status.code() == Some(64) && String::from_utf8_lossy(&refused.stderr).contains("1 to 64 characters"));
    let help = program().arg("--help").output().expect("run");
    assert!(String::from_utf8_lossy(&help.stdout).contains("new-key      Make an API key for a service"));
}

#[test]
fn a_check_refuses_keys_that_cannot_be_used_and_warns_of_keys_for_everything() {
    let check = |keys: &str, address: &str| {
        let arguments = ["--check", "--set", &format!("api_keys={keys}"), "--set", &format!("internal.address={address}:8001")];
        let checked = Command::new(env!("CARGO_BIN_EXE_gateway")).args(arguments).output().expect("run");
        (checked.status.code(), String::from_utf8(checked.stderr).expect("text"))
    };
    let local = "127.0.0.1";
    for (keys, says) in [
        ("a=hush-1 publsh:x:*", "api_keys[0].scopes: \"publsh:x:*\" is no scope; the scopes are publish"),
        ("a=hush-1 read,a=hush-1", "api_keys[1]: has the same key as api_keys[0]"),
        ("a=hush-1 link", "write link:<service>"),
        ("a", "api_keys[0]: has neither key nor key_hash"),
    ] {
        let (code, problem) = check(keys, local);
        assert!(code == Some(64) && problem.contains(says) && !problem.contains("hush"), "{keys}: {problem}");
    }
    assert_eq!(check("a=hush-1,a=hush-2 read", local), (Some(0), String::new()));
    let (code, warning) = check("a=hush-1,a=hush-2,b=hush-3 read", "0.0.0.0");
    assert!(code == Some(0) && warning.starts_with("gateway: warning: api_keys: the key \"a\" has no scopes"), "{warning}");
    assert_eq!(warning.lines().count(), 1, "once for each name: {warning}");
}
