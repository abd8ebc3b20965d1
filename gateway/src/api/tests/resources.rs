use super::*;
use serde_json::json;
use std::time::SystemTime;

const NEWS: &str = "/v1/channels/news:world/publications";

async fn publish(fixture: &Fixture, key: Option<&str>, body: &str) -> Answer {
    let request = request("POST", NEWS, body);
    fixture.send(key.into_iter().fold(request, |request, key| request.insert_header(("idempotency-key", key)))).await
}

#[actix_web::test]
async fn publications_can_be_read_page_by_page() {
    let fixture = Fixture::new();
    let mut epoch = String::new();
    for n in 1..=3 {
        let answer = publish(&fixture, None, &format!("{{\"data\": {{\"n\": {n}}}, \"tags\": {{\"lang\": \"en\"}}}}")).await;
        assert_eq!((answer.status, &answer.json()["offset"]), (StatusCode::OK, &json!(n)));
        epoch = answer.json()["epoch"].as_str().expect("a text").to_owned();
    }
    let all = fixture.ask("GET", NEWS, "").await.json();
    assert_eq!((&all["epoch"], &all["offset"]), (&json!(epoch), &json!(3)));
    assert_eq!(all["publications"][0]["data"], json!({"n": 1}));
    assert_eq!(all["publications"][0]["tags"], json!({"lang": "en"}));
    let offsets = |page: &Value| {
        page["publications"].as_array().expect("a list").iter().map(|p| p["offset"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    for (query, expected) in [
        (String::new(), vec![1, 2, 3]),
        ("limit=2".into(), vec![1, 2]),
        ("limit=0".into(), vec![]),
        ("order=desc&limit=2".into(), vec![3, 2]),
        (format!("since={epoch}:1"), vec![2, 3]),
        (format!("since={epoch}:3"), vec![]),
        (format!("since={epoch}:3&order=desc"), vec![2, 1]),
        ("since=:1".into(), vec![2, 3]),
        ("since=:3&order=desc".into(), vec![2, 1]),
        ("since=:0".into(), vec![1, 2, 3]),
        ("since=:0&order=desc".into(), vec![3, 2, 1]),
    ] {
        let page = fixture.ask("GET", &format!("{NEWS}?{query}"), "").await;
        assert_eq!((page.status, offsets(&page.json())), (StatusCode::OK, expected), "{query}");
    }
    assert_eq!(fixture.ask("DELETE", NEWS, "").await.status, StatusCode::NO_CONTENT);
    let empty = fixture.ask("GET", NEWS, "").await.json();
    assert_eq!((offsets(&empty), &empty["offset"], &empty["epoch"]), (vec![], &json!(3), &json!(epoch)));
}

#[actix_web::test]
async fn a_position_that_is_no_longer_stored_is_refused() {
    let fixture = Fixture::new();
    let mut epoch = String::new();
    for n in 0..8 {
        epoch = publish(&fixture, None, &format!("{{\"data\":{n}}}")).await.json()["epoch"].as_str().expect("a text").to_owned();
    }
    for since in [format!("{epoch}:1"), format!("{epoch}:9"), "AAAAAAAA:7".into(), ":1".into(), ":9".into()] {
        let answer = fixture.ask("GET", &format!("{NEWS}?since={since}"), "").await;
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::CONFLICT, &json!("unrecoverable_position")), "{since}");
    }
    for since in [format!("{epoch}:3"), ":3".into(), ":0".into()] {
        assert_eq!(fixture.ask("GET", &format!("{NEWS}?since={since}"), "").await.status, StatusCode::OK, "{since}");
    }
}

#[actix_web::test]
async fn a_repeat_with_the_same_key_publishes_nothing() {
    let fixture = Fixture::new();
    let first = publish(&fixture, Some("k1"), r#"{"data":1}"#).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = publish(&fixture, Some("k1"), r#"{ "data" : 1 }"#).await;
    assert_eq!((again.status, again.json()), (StatusCode::OK, first.json()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = publish(&fixture, Some("k1"), r#"{"data":2}"#).await;
    assert_eq!((other.status, &other.json()["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_mismatch")));
    let stranger =
        request("POST", NEWS, r#"{"data":2}"#).insert_header(("authorization", "Bearer other")).insert_header(("idempotency-key", "k1"));
    assert_eq!(fixture.send(stranger).await.json()["offset"], 2, "idempotency keys of different API keys are independent");
}

// NL-2.9
#[actix_web::test]
async fn a_batch_answers_each_in_order() {
    let fixture = Fixture::new();
    let body = json!({"publications": [
        {"channel": "news:a", "data": 1, "idempotency_key": "k"},
        {"channel": "nowhere:a", "data": 2},
        {"channel": "news:a", "data": 1, "idempotency_key": "k"},
    ]});
    let answer = fixture.ask("POST", "/v1/publications", &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let results = &answer.json()["results"];
    assert_eq!((&results[0]["position"]["offset"], &results[0]["replayed"]), (&json!(1), &json!(false)));
    assert_eq!((&results[1]["error"]["code"], &results[1]["position"]), (&json!("unknown_channel"), &Value::Null));
    assert_eq!((&results[2]["position"], &results[2]["replayed"]), (&results[0]["position"], &json!(true)));
}

#[actix_web::test]
async fn text_and_bytes_have_their_own_member() {
    let fixture = Fixture::new();
    let path = "/v1/channels/any:a/publications";
    let text = json!({"text": "ü\n{", "tags": {"a": "b"}});
    assert_eq!(fixture.ask("POST", path, &text.to_string()).await.json()["offset"], 1);
    let batch = json!({"publications": [
        {"channel": "any:a", "data_base64": "/wA=", "tags": {"content-type": "image/png"}, "idempotency_key": "k"},
        {"channel": "news:a", "text": "only JSON here"},
        {"channel": "any:a", "text": "/wA=", "tags": {"content-type": "image/png"}, "idempotency_key": "k"},
    ]});
    let results = fixture.ask("POST", "/v1/publications", &batch.to_string()).await.json()["results"].take();
    let codes: Vec<_> = results.as_array().expect("a list").iter().map(|it| it["error"]["code"].as_str().unwrap_or_default()).collect();
    assert_eq!(codes, ["", "bad_request", "idempotency_mismatch"]);
    assert_eq!(fixture.ask("POST", path, r#"{"data":null}"#).await.json()["offset"], 3);
    let mut page = fixture.ask("GET", path, "").await.json();
    for publication in page["publications"].as_array_mut().expect("a list") {
        assert!(publication["time"].take().is_u64());
    }
    let expected = json!([
        {"offset": 1, "text": "ü\n{", "tags": {"a": "b", "content-type": "text/plain"}, "time": null},
        {"offset": 2, "data_base64": "/wA=", "tags": {"content-type": "image/png"}, "time": null},
        {"offset": 3, "data": null, "time": null},
    ]);
    assert_eq!(page["publications"], expected);
}

#[actix_web::test]
async fn an_error_of_the_content_names_the_members() {
    let fixture = Fixture::new();
    for (path, body, expected) in [
        (NEWS, json!({}), &["`data`", "`text`", "`data_base64`"][..]),
        (NEWS, json!({"data": 1, "text": ""}), &["`data`", "`text`"]),
        (NEWS, json!({"data_base64": "?"}), &["`data_base64`"]),
        ("/v1/publications", json!({"publications": [{"channel": "a", "data": 1}, {"channel": "a"}]}), &["publications[1]", "`data`"]),
    ] {
        let detail = fixture.ask("POST", path, &body.to_string()).await.json()["detail"].to_string();
        assert!(expected.iter().all(|it| detail.contains(it)), "{detail}");
    }
}

#[actix_web::test]
async fn publications_that_are_not_stored_have_no_position() {
    let fixture = Fixture::new();
    for (channel, body) in [("news:world", r#"{"data":1,"ephemeral":true}"#), ("open:a", r#"{"data":1}"#), ("plain", r#"{"data":1}"#)] {
        let answer = fixture.ask("POST", &format!("/v1/channels/{channel}/publications"), body).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"epoch": "", "offset": 0})), "{channel}");
    }
}

#[actix_web::test]
async fn names_in_paths_are_percent_encoded() {
    let fixture = Fixture::new();
    for (path, name) in [
        ("news:a%2Fb", "news:a/b"),
        ("%23alice", "#alice"),
        ("news%3Aw+x", "news:w+x"),
        ("%23f%3Arealm%3Aname", "#f:realm:name"),
        ("%23auth0|a", "#auth0|a"),
        ("%23%2541", "#%41"),
        ("%23j%C3%BCrgen%20%2B%20%2F", "#jürgen + /"),
    ] {
        assert_eq!(
            fixture.ask("POST", &format!("/v1/channels/{path}/publications"), r#"{"data":1}"#).await.status,
            StatusCode::OK,
            "{path}"
        );
        assert_eq!(fixture.ask("GET", &format!("/v1/channels/{path}"), "").await.json()["channel"], name);
    }
}

#[actix_web::test]
async fn channels_are_listed_in_pages_by_name_and_pattern() {
    let fixture = Fixture::new();
    for name in ["news:a", "news:b", "news:c", "chat:a"] {
        fixture.ask("POST", &format!("/v1/channels/{name}/publications"), r#"{"data":1}"#).await;
    }
    let names = |page: &Value| {
        page["channels"].as_array().expect("a list").iter().map(|c| c["channel"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    let first = fixture.ask("GET", "/v1/channels?pattern=news:*&limit=2", "").await.json();
    assert_eq!((names(&first), &first["next"]), (vec!["news:a".to_owned(), "news:b".into()], &json!("news:b")));
    let second = fixture.ask("GET", "/v1/channels?pattern=news:*&limit=2&after=news:b", "").await.json();
    assert_eq!((names(&second), &second["next"]), (vec!["news:c".to_owned()], &Value::Null));
    assert_eq!(names(&fixture.ask("GET", "/v1/channels", "").await.json()).len(), 4);
    let one = fixture.ask("GET", "/v1/channels/news:a", "").await.json();
    assert_eq!((&one["subscribers"], &one["position"]["offset"]), (&json!(3), &json!(1)));
}

#[actix_web::test]
async fn presence_is_a_list_or_counts() {
    let fixture = Fixture::new();
    let info =
        gateway_core::model::ClientInfo { user: "alice".parse().expect("valid"), client: fixture.alice, conn_info: None, chan_info: None };
    fixture.node.broker.presence_add(&"chat:lobby".parse().expect("valid"), Arc::new(info)).await.expect("stored");
    let full = fixture.ask("GET", "/v1/channels/chat:lobby/presence", "").await.json();
    assert_eq!(full["clients"][0]["user"], "alice");
    let stats = fixture.ask("GET", "/v1/channels/chat:lobby/presence?stats=true", "").await.json();
    assert_eq!(stats, json!({"clients": 1, "users": 1}));
}

#[actix_web::test]
async fn commands_reach_all_connections_of_a_user() {
    let fixture = Fixture::new();
    let id = fixture.alice.to_string();
    assert_eq!(fixture.ask("POST", "/v1/users/alice/messages", r#"{"data":1}"#).await.json()["offset"], 1);
    assert_eq!(fixture.ask("GET", "/v1/channels/%23alice", "").await.json()["position"]["offset"], 1);
    assert_eq!(fixture.ask("GET", "/v1/users/alice/connections", "").await.json()["connections"][0]["id"], id);
    assert_eq!(fixture.ask("GET", "/v1/users/bob/connections", "").await.json(), json!({"connections": []}));
    assert_eq!(fixture.ask("DELETE", "/v1/users/alice/connections?code=4100&reason=bye", "").await.json(), json!({"connections": 1}));
    assert!(matches!(&fixture.commands.borrow()[..], [ServerCommand::Disconnect { code: 4100, reason }] if &**reason == "bye"));
}

// NL-5.8
#[actix_web::test]
async fn subscriptions_of_a_user_are_stored_and_reach_the_connections() {
    let fixture = Fixture::new();
    let path = "/v1/users/alice/subscriptions/chat:lobby";
    let user = "alice".parse().expect("valid");
    assert_eq!(fixture.ask("PUT", path, "{}").await.json(), json!({"connections": 1}));
    assert_eq!(fixture.node.broker.user_subscriptions(&user).await.expect("read").len(), 1);
    assert_eq!(fixture.ask("DELETE", path, "").await.json(), json!({"connections": 1}));
    assert_eq!(fixture.node.broker.user_subscriptions(&user).await.expect("read").len(), 0);
    let in_an_hour = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    fixture.ask("PUT", path, &json!({"expires_at": in_an_hour}).to_string()).await;
    let commands = fixture.commands.borrow();
    let [
        ServerCommand::Subscribe { expires_in: None, .. },
        ServerCommand::Unsubscribe { .. },
        ServerCommand::Subscribe { expires_in: Some(left), .. },
    ] = &commands[..]
    else {
        panic!("{commands:?}")
    };
    assert!((3590..=3600).contains(&left.as_secs()), "{left:?}");
}

#[actix_web::test]
async fn a_connection_is_found_or_gone() {
    let fixture = Fixture::new();
    let here = format!("/v1/connections/{}", fixture.alice);
    let unknown = format!("/v1/connections/{}", ConnectionId::random());
    assert_eq!(fixture.ask("GET", &here, "").await.json()["user"], "alice");
    assert_eq!(fixture.ask("POST", &format!("{here}/messages"), r#"{"data":1}"#).await.status, StatusCode::OK);
    assert_eq!(fixture.ask("DELETE", &here, "").await.status, StatusCode::OK);
    assert!(matches!(
        &fixture.commands.borrow()[..],
        [ServerCommand::Message { queue: None, .. }, ServerCommand::Disconnect { code: 3503, .. }]
    ));
    for (method, path, body) in
        [("GET", unknown.clone(), ""), ("DELETE", unknown.clone(), ""), ("POST", format!("{unknown}/messages"), r#"{"data":1}"#)]
    {
        let answer = fixture.ask(method, &path, body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::GONE, &json!("connection_gone")), "{method}");
    }
}

#[actix_web::test]
async fn messages_have_the_queue_of_stomp_clients() {
    let fixture = Fixture::new();
    let to_connection = format!("/v1/connections/{}/messages", fixture.alice);
    assert_eq!(fixture.ask("POST", &to_connection, r#"{"data":1,"queue":"mail"}"#).await.status, StatusCode::OK);
    assert!(matches!(&fixture.commands.borrow()[..], [ServerCommand::Message { queue: Some(queue), .. }] if **queue == *"mail"));
    let to_user = r#"{"data":1,"queue":"mail","tags":{"a":"b"}}"#;
    assert_eq!(fixture.ask("POST", "/v1/users/alice/messages", to_user).await.status, StatusCode::OK);
    let history = fixture.ask("GET", "/v1/channels/%23alice/publications", "").await.json();
    assert_eq!(history["publications"][0]["tags"], json!({"a": "b", "queue": "mail"}));
}

#[actix_web::test]
async fn operators_see_nodes_services_health_and_metrics() {
    let fixture = Fixture::new();
    assert_eq!(fixture.ask("GET", "/v1/nodes", "").await.json()["nodes"][0]["name"], "n1");
    assert_eq!(fixture.ask("GET", "/v1/services", "").await.json()["services"][0]["service"], "bot");
    for path in ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs/index.html"] {
        assert_eq!(fixture.send(TestRequest::with_uri(path)).await.status, StatusCode::OK, "{path} needs no key");
    }
    let docs = fixture.send(TestRequest::with_uri("/docs")).await;
    assert_eq!(
        (docs.status, docs.header("location")),
        (StatusCode::TEMPORARY_REDIRECT, Some("/docs/")),
        "the documentation names this address"
    );
    assert_eq!(fixture.send(TestRequest::with_uri("/docs/")).await.status, StatusCode::OK);
    fixture.node.health.apply(crate::node::ProcessEvent::EndRequested);
    let answer = fixture.send(TestRequest::with_uri("/readyz")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::SERVICE_UNAVAILABLE, json!({"ready": false, "reasons": ["This node is shutting down."]}))
    );
    assert_eq!(fixture.send(TestRequest::with_uri("/livez")).await.status, StatusCode::OK, "a draining process is alive");
}

#[actix_web::test]
async fn an_order_to_drain_names_what_exists() {
    let fixture = Fixture::new();
    let order = r#"{"draining":true}"#;
    for (path, body, status, code, sentence) in [
        ("bot/instances/i1", order, 404, "not_found", "No node has a link of an instance \"i1\" of bot, and none drains it."),
        ("bot/targets/0", order, 404, "not_found", "bot has links and no targets. Drain one of its instances."),
        ("bot/targets/first", order, 400, "bad_request", "beginning with 0"),
        ("none/instances/i1", order, 404, "no_service", "No service is named \"none\"."),
        ("bot/instances/i1", r#"{"drain":true}"#, 400, "bad_request", "unknown field `drain`"),
    ] {
        let answer = fixture.ask("PATCH", &format!("/v1/services/{path}"), body).await;
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), &problem["code"]), (status, &json!(code)), "{path} {body}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(sentence)), "{problem}");
    }
}
