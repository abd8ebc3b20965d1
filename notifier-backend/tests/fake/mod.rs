//! A gateway that remembers idempotency keys, and misbehaves when it is told to.

use actix_web::web::{self, Bytes, Data, Path};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// A publication that the gateway applied.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) target: String,
    pub(crate) id: String,
}

#[derive(Default)]
struct State {
    keys: Mutex<HashSet<(String, String)>>,
    applied: Mutex<Vec<Applied>>,
    misbehaves: AtomicBool,
    forgets: AtomicBool,
    elsewhere: AtomicBool,
    knows_no_paths: AtomicBool,
    lives: AtomicU64,
    requests: AtomicU64,
    repeats: AtomicU64,
}

pub(crate) struct FakeGateway {
    port: u16,
    state: Arc<State>,
}

impl FakeGateway {
    /// Listens on `port`, or on a free one for 0.
    pub(crate) fn start(port: u16) -> Self {
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
        .bind(("127.0.0.1", port))
        .expect("a free port");
        let port = server.addrs()[0].port();
        actix_web::rt::spawn(server.run());
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether it answers late, with errors, or not at all, now and then.
    pub(crate) fn misbehave(&self, on: bool) {
        self.state.misbehaves.store(on, Ordering::Relaxed);
    }

    pub(crate) fn lose_next_answer_and_forget(&self) {
        self.state.forgets.store(true, Ordering::Relaxed);
    }

    /// Whether something else answers under its address, as a proxy does during a deploy.
    pub(crate) fn is_elsewhere(&self, elsewhere: bool) {
        self.state.elsewhere.store(elsewhere, Ordering::Relaxed);
    }

    /// It has none of the paths that publish, and says so itself.
    pub(crate) fn knows_no_paths(&self) {
        self.state.knows_no_paths.store(true, Ordering::Relaxed);
    }

    pub(crate) fn applied(&self) -> Vec<Applied> {
        self.state.applied.lock().expect("not poisoned").clone()
    }

    /// It was killed and is back, with nothing of what it knew.
    pub(crate) fn begin_anew(&self) {
        self.state.lives.fetch_add(1, Ordering::Relaxed);
        self.state.keys.lock().expect("not poisoned").clear();
    }

    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// Publications that came again under a key that was known.
    pub(crate) fn repeats(&self) -> u64 {
        self.state.repeats.load(Ordering::Relaxed)
    }
}

async fn publish(state: Data<State>, request: HttpRequest, target: Path<String>, body: Bytes) -> HttpResponse {
    let turn = state.requests.fetch_add(1, Ordering::Relaxed);
    if state.elsewhere.load(Ordering::Relaxed) {
        return HttpResponse::NotFound().finish();
    }
    if state.knows_no_paths.load(Ordering::Relaxed) {
        let problem = json!({"type": "about:blank", "title": "", "status": 404, "code": "not_found", "retryable": false, "detail": ""});
        return HttpResponse::NotFound().content_type("application/problem+json").body(problem.to_string());
    }
    let misbehaves = state.misbehaves.load(Ordering::Relaxed);
    if misbehaves && turn % 7 == 3 {
        let problem = json!({"type": "about:blank", "title": "", "status": 503, "code": "unavailable", "retryable": true, "detail": ""});
        return HttpResponse::ServiceUnavailable().content_type("application/problem+json").body(problem.to_string());
    }
    apply(&state, &request, target.into_inner(), &body);
    if misbehaves {
        match turn % 5 {
            1 => sleep(Duration::from_millis(15)).await,
            // Longer than the notifier waits.
            4 if turn.is_multiple_of(3) => sleep(Duration::from_millis(400)).await,
            _ => {}
        }
    }
    if state.forgets.swap(false, Ordering::Relaxed) {
        state.keys.lock().expect("not poisoned").clear();
        return HttpResponse::GatewayTimeout().finish();
    }
    HttpResponse::Ok().json(json!({"epoch": epoch(&state), "offset": turn + 1}))
}

fn epoch(state: &State) -> String {
    format!("e{}", state.lives.load(Ordering::Relaxed))
}

async fn nodes(state: Data<State>) -> HttpResponse {
    let since = state.lives.load(Ordering::Relaxed);
    HttpResponse::Ok().json(json!({"nodes": [{"name": "n1", "since": since, "workers": 1}]}))
}

async fn channel(state: Data<State>, name: Path<String>) -> HttpResponse {
    let position = json!({"epoch": epoch(&state), "offset": 0});
    HttpResponse::Ok().json(json!({"channel": name.into_inner(), "subscribers": 0, "position": position}))
}

fn apply(state: &State, request: &HttpRequest, target: String, body: &[u8]) {
    let key = request.headers().get("idempotency-key").expect("a key").to_str().expect("text").to_owned();
    if !state.keys.lock().expect("not poisoned").insert((target.clone(), key)) {
        state.repeats.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let body: Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(body["data"]["kind"], "notification");
    let id = body["data"]["id"].as_str().expect("an id").to_owned();
    state.applied.lock().expect("not poisoned").push(Applied { target, id });
}
