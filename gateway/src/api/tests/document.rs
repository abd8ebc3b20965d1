use super::{
    super::{
        guarded::Guarded,
        openapi,
        paths::{guarded, open},
    },
    *,
};
use std::collections::BTreeSet;
use utoipa::openapi::PathItem;

fn methods(item: &PathItem) -> BTreeSet<&'static str> {
    let all = [("GET", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete), ("PATCH", &item.patch)];
    all.into_iter().filter(|(_, operation)| operation.is_some()).map(|(name, _)| name).collect()
}

#[test]
fn the_document_describes_the_registered_paths_and_methods_and_no_others() {
    let registered: BTreeSet<_> =
        guarded().iter().map(Guarded::path).chain(&open()).map(|path| (path.pattern.to_string(), path.allowed())).collect();
    let document = openapi::api();
    let described: BTreeSet<_> = document
        .paths
        .paths
        .iter()
        .map(|(path, item)| {
            let order = ["POST", "PUT", "PATCH", "GET", "DELETE"];
            let methods = methods(item);
            let names = order.into_iter().filter(|m| methods.contains(m)).map(|m| if m == "GET" { "GET, HEAD" } else { m });
            (path.clone(), names.collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert_eq!(registered, described);
}

#[actix_web::test]
async fn each_path_supports_its_described_methods_and_answers_405_to_others() {
    let fixture = Fixture::new();
    for (path, item) in &openapi::api().paths.paths {
        let uri = path
            .replace("{channel}", "news:a")
            .replace("{user}", "alice")
            .replace("{service}", "bot")
            .replace("{instance}", "i1")
            .replace("{target}", "0")
            .replace("{id}", &fixture.alice.to_string());
        let described = methods(item);
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"] {
            let answer = fixture.ask(method, &uri, "").await;
            assert_eq!(answer.status != StatusCode::METHOD_NOT_ALLOWED, described.contains(method), "{method} {path}: {}", answer.status);
            if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                let allowed: BTreeSet<_> = answer.header("allow").expect("Allow").split(", ").filter(|m| *m != "HEAD").collect();
                assert_eq!(allowed, described, "{path}");
            }
        }
    }
}

#[test]
fn the_document_describes_the_requests_to_services() {
    let document = serde_json::to_value(openapi::api()).expect("JSON");
    let request = &document["webhooks"]["service"]["post"];
    assert_eq!(request["requestBody"]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/ServiceMessage");
    for (schema, members) in [
        ("ServiceCall", &["id", "method", "data", "user", "connection", "order_key", "idempotency_key"][..]),
        ("ServiceEvent", &["id", "kind", "method", "attempt", "partition", "key", "generation", "time", "data", "user", "connection"]),
    ] {
        let members = [members, &["meta", "request"]].concat();
        let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap_or_else(|| panic!("no {schema}"));
        assert!(members.iter().all(|member| properties.contains_key(*member)) && properties.len() == members.len(), "{properties:?}");
    }
}

#[test]
fn the_document_describes_the_questions_to_guards() {
    let document = serde_json::to_value(openapi::api()).expect("JSON");
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for name in ["Connect", "Subscribe", "Publish"] {
        assert!(schemas.contains_key(&format!("{name}Question")), "{name}");
        let answer = &schemas[&format!("{name}Answer")];
        assert_eq!(answer["additionalProperties"], false, "unknown members are refused: {answer}");
        assert!(answer["properties"]["error"].to_string().contains("GuardError") && schemas.contains_key("GuardError"), "{answer}");
    }
}

#[test]
fn people_find_first_what_they_need_first_and_the_key_to_use() {
    let document = openapi::api();
    let groups: Vec<_> = document.tags.iter().flatten().map(|tag| tag.name.as_str()).collect();
    assert_eq!(groups, ["publish", "channels", "users", "connections", "services", "queues", "operations"]);
    let paths: Vec<_> = document.paths.paths.keys().map(String::as_str).collect();
    let begin = ["/v1/channels/{channel}/publications", "/v1/publications", "/v1/users/{user}/messages", "/v1/broadcasts"];
    assert_eq!(paths[..4], begin);
    assert_eq!(paths[paths.len() - 4..], ["/readyz", "/livez", "/metrics", "/openapi.json"]);
    for (path, item) in &document.paths.paths {
        for operation in [&item.get, &item.put, &item.post, &item.patch, &item.delete].into_iter().flatten() {
            let tags = operation.tags.as_deref().unwrap_or_default();
            assert!(matches!(tags, [tag] if groups.contains(&tag.as_str())), "{path}: {tags:?}");
        }
    }
    let json = serde_json::to_value(&document).expect("JSON");
    let key = json["components"]["securitySchemes"]["api_key"]["description"].as_str().expect("a description");
    assert!(key.contains("`dev` with the development settings"), "{key}");
}

#[test]
fn every_operation_has_a_description_and_every_error_is_a_problem() {
    for (path, item) in openapi::api().paths.paths {
        for operation in [item.get, item.put, item.post, item.patch, item.delete].into_iter().flatten() {
            assert!(operation.description.is_some() || operation.summary.is_some(), "{path}");
            for (status, response) in operation.responses.responses {
                let utoipa::openapi::RefOr::T(response) = response else { panic!("{path} {status}") };
                let problem = response.content.contains_key("application/problem+json");
                let error = status.starts_with(['4', '5']) && path != "/readyz";
                assert_eq!(problem, error, "{path} {status}");
            }
        }
    }
}
