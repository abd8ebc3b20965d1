//! A fake gateway that remembers idempotency keys and can inject faults.

use actix_web::web::{self, Bytes, Data, Path};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// A publication that the gateway stored.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) target: String,
    pub(crate) id: String,
}

#[derive(Default)]
struct State {
    keys: Mutex<HashSet<(String, String)>>,
    publications: Mutex<Vec<Publication>>,
    injects_faults: AtomicBool,
    loses_next_answer: AtomicBool,
    answers_not_found: AtomicBool,
    has_no_paths: AtomicBool,
    restarts: AtomicU64,
    requests: AtomicU64,
    repeats: AtomicU64,
}

pub(crate) struct FakeGateway {
    address: SocketAddr,
    state: Arc<State>,
}

impl FakeGateway {
    /// Listens at this address.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let state = Arc::<State>::default();
        let shared = Data::from(state.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/v1/nodes", web::get().to(nodes))
                .route("/v1/channels/{channel}", web::get().to(channel))
                .route("/v1/users/{target}/messages", web::post().to(publish))
                .route("/v1/channels/{target}/publications", web::post().to(publish))
        })
        .workers(1)
        .disable_signals()
        .bind(address)
        .expect("a free port");
        actix_web::rt::spawn(server.run());
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets whether some requests are answered late, with errors, or not in time.
    pub(crate) fn inject_faults(&self, on: bool) {
        self.state.injects_faults.store(on, Ordering::Relaxed);
    }

    /// Stores the next publication, answers 504, and forgets all idempotency keys.
    pub(crate) fn lose_next_answer_and_keys(&self) {
        self.state.loses_next_answer.store(true, Ordering::Relaxed);
    }

    /// Sets whether all publications get a 404 that is not from a gateway, such as from a proxy during a deployment.
    pub(crate) fn answer_not_found(&self, answers_not_found: bool) {
        self.state.answers_not_found.store(answers_not_found, Ordering::Relaxed);
    }

    /// Answers all publications with the 404 of a gateway that does not have these paths.
    pub(crate) fn remove_paths(&self) {
        self.state.has_no_paths.store(true, Ordering::Relaxed);
    }

    pub(crate) fn publications(&self) -> Vec<Publication> {
        self.state.publications.lock().expect("not poisoned").clone()
    }

    /// Starts a new epoch and forgets all idempotency keys, like a gateway that was killed and restarted.
    pub(crate) fn restart_empty(&self) {
        self.state.restarts.fetch_add(1, Ordering::Relaxed);
        self.state.keys.lock().expect("not poisoned").clear();
    }

    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// Returns the number of publications with an idempotency key that was already known.
    pub(crate) fn repeats(&self) -> u64 {
        self.state.repeats.load(Ordering::Relaxed)
    }
}

async fn publish(state: Data<State>, request: HttpRequest, target: Path<String>, body: Bytes) -> HttpResponse {
    let number = state.requests.fetch_add(1, Ordering::Relaxed);
    if state.answers_not_found.load(Ordering::Relaxed) {
        return HttpResponse::NotFound().finish();
    }
    if state.has_no_paths.load(Ordering::Relaxed) {
        let problem = json!({"type": "about:blank", "title": "", "status": 404, "code": "not_found", "retryable": false, "detail": ""});
        return HttpResponse::NotFound().content_type("application/problem+json").body(problem.to_string());
    }
    let injects_faults = state.injects_faults.load(Ordering::Relaxed);
    if injects_faults && number % 7 == 3 {
        let problem = json!({"type": "about:blank", "title": "", "status": 503, "code": "unavailable", "retryable": true, "detail": ""});
        return HttpResponse::ServiceUnavailable().content_type("application/problem+json").body(problem.to_string());
    }
    store(&state, &request, target.into_inner(), &body);
    if injects_faults {
        match number % 5 {
            1 => sleep(Duration::from_millis(15)).await,
            // Longer than the notifier's time limit.
            4 if number.is_multiple_of(3) => sleep(Duration::from_millis(400)).await,
            _ => {}
        }
    }
    if state.loses_next_answer.swap(false, Ordering::Relaxed) {
        state.keys.lock().expect("not poisoned").clear();
        return HttpResponse::GatewayTimeout().finish();
    }
    HttpResponse::Ok().json(json!({"epoch": epoch(&state), "offset": number + 1}))
}

fn epoch(state: &State) -> String {
    format!("e{}", state.restarts.load(Ordering::Relaxed))
}

async fn nodes(state: Data<State>) -> HttpResponse {
    let since = state.restarts.load(Ordering::Relaxed);
    HttpResponse::Ok().json(json!({"nodes": [{"name": "n1", "since": since, "workers": 1}]}))
}

async fn channel(state: Data<State>, name: Path<String>) -> HttpResponse {
    let position = json!({"epoch": epoch(&state), "offset": 0});
    HttpResponse::Ok().json(json!({"channel": name.into_inner(), "subscribers": 0, "position": position}))
}

fn store(state: &State, request: &HttpRequest, target: String, body: &[u8]) {
    let key = request.headers().get("idempotency-key").expect("a key").to_str().expect("text").to_owned();
    if !state.keys.lock().expect("not poisoned").insert((target.clone(), key)) {
        state.repeats.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let body: Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(body["data"]["kind"], "notification");
    let id = body["data"]["id"].as_str().expect("an id").to_owned();
    state.publications.lock().expect("not poisoned").push(Publication { target, id });
}
