//! A test server with a few paths.

use super::super::{HttpOptions, serve};
use actix_web::{App, HttpRequest, HttpResponse, web};
use std::net::{SocketAddr, TcpListener};
use std::sync::LazyLock;

/// The address of a server that most tests share.
pub(super) fn shared() -> SocketAddr {
    static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| start(&HttpOptions::default()));
    *SERVER
}

/// Starts a separate server, which runs until the test process ends. `/echo` returns the request's body, `/refuse` reads no body, and
/// `/socket` accepts WebSocket upgrades.
pub(super) fn start(options: &HttpOptions) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let options = options.clone();
    std::thread::spawn(move || {
        let app = || {
            App::new()
                .route("/hello", web::get().to(async || "hello"))
                .route("/livez", web::get().to(async || "alive"))
                .route("/echo", web::post().to(async |body: String| body))
                .route("/refuse", web::post().to(async || HttpResponse::Unauthorized().body("no")))
                .route("/socket", web::get().to(socket))
        };
        let server = serve("test", listener, &options, |path| path == "/socket", app).expect("it listens");
        actix_web::rt::System::new().block_on(server).expect("it serves");
    });
    address
}

/// Answers with the values of the `Upgrade` headers that arrived here.
async fn socket(request: HttpRequest) -> String {
    let all: Vec<_> = request.headers().get_all("upgrade").filter_map(|value| value.to_str().ok()).collect();
    format!("{all:?}")
}
