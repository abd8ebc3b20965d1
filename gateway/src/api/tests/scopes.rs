//! What the scopes of a key allow, for every operation of the document.

use super::{
    super::{
        guarded::Rule,
        openapi::{self, scopes},
        paths::guarded,
    },
    *,
};
use crate::auth::Scope;
use std::collections::BTreeSet;

/// An operation of the interface, with its rule.
struct Operation {
    method: Method,
    pattern: String,
    rule: Rule,
}

impl Operation {
    fn uri(&self, fixture: &Fixture) -> String {
        let id = if self.pattern.contains("/dead/") { "0:1-0".to_owned() } else { fixture.alice.to_string() };
        let names =
            [("{channel}", "news:a"), ("{user}", "alice"), ("{service}", "bot"), ("{instance}", "i1"), ("{target}", "0"), ("{id}", &id)];
        names.into_iter().fold(self.pattern.clone(), |uri, (segment, name)| uri.replace(segment, name))
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.pattern)
    }

    /// A body that the operation accepts.
    fn body(&self) -> &'static str {
        match (self.method.as_str(), self.pattern.as_str()) {
            ("POST", "/v1/publications") => r#"{"publications":[]}"#,
            ("POST", "/v1/broadcasts") => r#"{"data":1,"channels":[]}"#,
            ("POST", "/v1/revocations") => r#"{"user":"alice"}"#,
            ("POST", pattern) if !pattern.ends_with("/replay") => r#"{"data":1}"#,
            ("PUT", _) => "{}",
            ("PATCH", pattern) if pattern.contains("/queue") || pattern == "/v1/ingest" => r#"{"paused":true}"#,
            ("PATCH", _) => r#"{"draining":true}"#,
            _ => "",
        }
    }
}

fn operations() -> Vec<Operation> {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let each = |path: super::super::guarded::Guarded| {
        let of = |method: Method| Some(Operation { pattern: path.path().pattern.to_string(), rule: path.rule(&method)?.clone(), method });
        methods.clone().into_iter().filter_map(of).collect::<Vec<_>>()
    };
    guarded().into_iter().flat_map(each).collect()
}

/// `scopes` of a key that has these, each for everything or for the service `bot`.
fn list(scopes: impl IntoIterator<Item = Scope>) -> String {
    let each = scopes.into_iter().map(|scope| if scope == Scope::Link { "\"link:bot\"".to_owned() } else { format!("\"{scope}\"") });
    each.collect::<Vec<_>>().join(", ")
}

#[test]
fn every_operation_of_the_document_names_the_scope_that_it_needs() {
    let mut enforced: BTreeSet<_> = operations().iter().map(|it| (it.name(), vec![it.rule.scope.to_string()])).collect();
    let mut described = BTreeSet::new();
    for (path, item) in openapi::api().paths.paths {
        let all = [("GET", item.get), ("POST", item.post), ("PUT", item.put), ("PATCH", item.patch), ("DELETE", item.delete)];
        for (method, operation) in all.into_iter().filter_map(|(method, operation)| Some((method, operation?))) {
            if path.starts_with("/v1/") {
                assert!(operation.responses.responses.contains_key("403"), "{method} {path}");
                described.insert((format!("{method} {path}"), scopes(&operation)));
            }
        }
    }
    let both: BTreeSet<_> = enforced.intersection(&described).cloned().collect();
    enforced.retain(|it| !both.contains(it));
    described.retain(|it| !both.contains(it));
    assert!(enforced.is_empty() && described.is_empty(), "the guard says {enforced:?}, the document {described:?}");
}

#[actix_web::test]
async fn each_operation_needs_its_scope_and_no_other() {
    let names: Vec<_> = Scope::ALL.iter().map(|scope| (format!("only-{scope}"), list([*scope]))).collect();
    let others = Scope::ALL.map(|scope| (format!("not-{scope}"), list(Scope::ALL.into_iter().filter(|other| *other != scope))));
    let keys: Vec<_> = names.iter().chain(&others).map(|(name, scopes)| (name.as_str(), scopes.as_str())).collect();
    for operation in operations() {
        let (fixture, scope) = (Fixture::with_scopes(&keys), operation.rule.scope);
        let (method, uri, name) = (operation.method.as_str(), operation.uri(&fixture), operation.name());
        let refused = fixture.ask_as(&format!("not-{scope}"), method, &uri, operation.body()).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &"permission_denied".into()), "{name}");
        let detail = refused.json()["detail"].to_string();
        assert!(detail.contains(&format!("`{scope}")) && detail.contains("not-"), "{name}: {detail}");
        assert!(fixture.commands.borrow().is_empty(), "{name}");
        // Only this one depends on its query as well.
        let uri = if name == "DELETE /v1/users/{user}/connections" { format!("{uri}?code=3000") } else { uri };
        let admitted = fixture.ask_as(&format!("only-{scope}"), method, &uri, operation.body()).await;
        assert!(![401, 403].contains(&admitted.status.as_u16()), "{name}: {} {}", admitted.status, String::from_utf8_lossy(&admitted.body));
    }
}

#[actix_web::test]
async fn operations_in_a_channel_need_its_scope_for_that_channel() {
    let here = r#""publish:news:*", "publish:#alice", "read:news:*", "presence:news:*", "link:bot""#;
    let elsewhere = r#""publish:other:*", "read:other:*", "presence:other:*", "link:other""#;
    let mut checked = Vec::new();
    for operation in operations() {
        if !matches!(operation.rule.scope, Scope::Publish | Scope::Read | Scope::Presence | Scope::Link) {
            continue;
        }
        let fixture = Fixture::with_scopes(&[("here", here), ("elsewhere", elsewhere)]);
        let (method, name) = (operation.method.as_str(), operation.name());
        // The first three have tests of their own, because they have several channels or a pattern. The last one has no channel.
        if ["POST /v1/publications", "POST /v1/broadcasts", "GET /v1/channels", "GET /v1/nodes"].contains(&name.as_str()) {
            continue;
        }
        let uri = operation.uri(&fixture);
        let refused = fixture.ask_as("elsewhere", method, &uri, operation.body()).await;
        assert_eq!(refused.json()["code"], "permission_denied", "{name}");
        let admitted = fixture.ask_as("here", method, &uri, operation.body()).await;
        assert_ne!(admitted.status.as_u16(), 403, "{name}");
        checked.push(name);
    }
    assert_eq!(checked.len(), 6, "{checked:?}");
}

#[actix_web::test]
async fn one_forbidden_channel_of_many_has_its_own_refusal() {
    let fixture = Fixture::with_scopes(&[("k", r#""publish:news:*", "publish:#alice""#)]);
    let item = |channel: &str| format!(r#"{{"channel":"{channel}","data":1}}"#);
    let batch = format!(r#"{{"publications":[{},{},{}]}}"#, item("news:a"), item("chat:a"), item("#alice"));
    let channels = r##"{"data":1,"channels":["news:a","chat:a","#alice"]}"##;
    let users = r#"{"data":1,"users":["alice","bob"]}"#;
    for (path, body, codes) in [
        ("/v1/publications", &*batch, &[None, Some("permission_denied"), None][..]),
        ("/v1/broadcasts", channels, &[None, Some("permission_denied"), None]),
        ("/v1/broadcasts", users, &[None, Some("permission_denied")]),
    ] {
        let answer = fixture.ask_as("k", "POST", path, body).await;
        assert_eq!(answer.status, StatusCode::OK);
        let results = answer.json()["results"].clone();
        let found: Vec<_> = results.as_array().expect("a list").iter().map(|result| result["error"]["code"].as_str()).collect();
        assert_eq!(found, codes, "{results}");
    }
    assert_eq!(fixture.node.audit.refusals(), [("logged", 3), ("left_out", 0)]);
    assert!(fixture.node.broker.channels("chat:*", None, 10).await.expect("listed").is_empty(), "nothing was published there");
}

#[actix_web::test]
async fn a_list_of_channels_shows_only_what_the_key_may_read() {
    let fixture = Fixture::with_scopes(&[("all", "\"read\", \"publish\""), ("chat", "\"read:chat:*\"")]);
    for channel in ["chat:a", "news:a"] {
        fixture.ask_as("all", "POST", &format!("/v1/channels/{channel}/publications"), r#"{"data":1}"#).await;
    }
    let list = async |key: &str, query: &str| {
        let answer = fixture.ask_as(key, "GET", &format!("/v1/channels{query}"), "").await.json();
        answer["channels"].as_array().map(Vec::len).ok_or_else(|| answer["code"].to_string())
    };
    assert_eq!((list("all", "").await, list("all", "?pattern=chat:*").await), (Ok(2), Ok(1)));
    assert_eq!((list("chat", "?pattern=chat:*").await, list("chat", "?pattern=chat:?").await), (Ok(1), Ok(1)));
    for query in ["", "?pattern=*", "?pattern=cha?:*", "?pattern=news:*"] {
        assert_eq!(list("chat", query).await, Err("\"permission_denied\"".into()), "{query}");
    }
}

#[actix_web::test]
async fn a_disconnect_for_good_needs_revoke_as_well() {
    let fixture = Fixture::with_scopes(&[("users", "\"users\""), ("both", "\"users\", \"revoke\"")]);
    let path = "/v1/users/alice/connections";
    let refused = fixture.ask_as("users", "DELETE", path, "").await;
    assert!(refused.status == 403 && refused.json()["detail"].to_string().contains("`revoke`"));
    assert!(fixture.commands.borrow().is_empty());
    assert_eq!(fixture.ask_as("users", "DELETE", &format!("{path}?code=3000"), "").await.status, 200);
    assert_eq!(fixture.ask_as("both", "DELETE", path, "").await.status, 200);
    assert_eq!(fixture.commands.borrow().len(), 2);
}

#[test]
fn every_change_but_publishing_is_an_administrative_action() {
    let mut actions = BTreeSet::new();
    for operation in operations() {
        let is_message = operation.rule.scope == Scope::Publish || operation.pattern == "/v1/connections/{id}/messages";
        let expected = operation.method != Method::GET && !is_message;
        assert_eq!(operation.rule.action.is_some(), expected, "{}", operation.name());
        assert!(operation.rule.action.is_none_or(|action| actions.insert(action)), "{} has the action of another", operation.name());
    }
}

#[actix_web::test]
async fn refusals_are_counted_wherever_they_are_decided() {
    let fixture = Fixture::with_scopes(&[("k", "\"publish:news:*\", \"users\"")]);
    let refused = || fixture.node.audit.refusals()[0].1;
    for (key, method, path, body, counted) in [
        ("wrong", "GET", "/v1/nodes", "", 1),
        ("k", "GET", "/v1/nodes", "", 2),
        ("k", "POST", "/v1/channels/chat:a/publications", r#"{"data":1}"#, 3),
        ("k", "DELETE", "/v1/users/alice/connections", "", 4),
        ("k", "POST", "/v1/channels/news:a/publications", r#"{"data":1}"#, 4),
        ("k", "POST", "/v1/channels/news:a/publications", "{", 4),
        ("k", "DELETE", "/v1/users/alice/connections?code=3000", "", 4),
        ("k", "GET", "/v1/nothing", "", 4),
    ] {
        fixture.ask_as(key, method, path, body).await;
        assert_eq!(refused(), counted, "{key} {method} {path}");
    }
}
