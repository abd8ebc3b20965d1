//! The real process from its start to its end.

use crate::fake_gateway::TIMEOUT;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use shared_proto::http::testing::{NotifySocket, Process, free_address};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

const CHATBOT: &str = env!("CARGO_BIN_EXE_chatbot-backend");

/// Welcomes each instance that opens a link, and reports the key of the first one.
async fn welcome(listener: TcpListener, key: mpsc::SyncSender<String>) {
    let mut links = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        #[expect(clippy::result_large_err, reason = "the signature of the library")]
        let report = |request: &Request, response: Response| {
            let _reported_before = key.try_send(request.headers()["authorization"].to_str().expect("text").to_owned());
            Ok(response)
        };
        // A request over REST is no handshake.
        let Ok(mut link) = accept_hdr_async(stream, report).await else { continue };
        let _hello = link.next().await;
        let limits = json!({"message_size": 65536, "publishes_in_flight": 64, "heartbeat": 30});
        let welcome = json!({"welcome": {"node": "a", "peers": [], "limits": limits}});
        let _gone = link.send(Message::text(welcome.to_string())).await;
        links.push(link);
    }
}

fn health(address: SocketAddr) -> (Option<i32>, String) {
    let asked = Command::new(CHATBOT).args(["health", "--set", &format!("http.address={address}")]).output().expect("run");
    (asked.status.code(), String::from_utf8([asked.stdout, asked.stderr].concat()).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_learns_that_the_bot_is_ready_once_a_gateway_welcomes_it() {
    let (address, gateway, supervisor) = (free_address(), free_address(), NotifySocket::bind());
    let key = std::env::temp_dir().join(format!("switchboard-chatbot-key-{}", std::process::id()));
    std::fs::write(&key, "of-file\n").expect("written");
    let mut command = Command::new(CHATBOT);
    command.env("CHATBOT__HTTP__ADDRESS", address.to_string()).env("CHATBOT__GATEWAY__URLS", format!("http://{gateway}"));
    command.env("CHATBOT__GATEWAY__API_KEY_FILE", &key).env("NOTIFY_SOCKET", &supervisor.name);
    let mut bot = Process::start(&mut command, address);
    std::fs::remove_file(key).expect("it is there");
    let reason = "not ready: no gateway node has welcomed this instance";
    assert_eq!(supervisor.next(), format!("STATUS={reason}"));
    assert_eq!(health(address), (Some(1), format!("{reason}\n")));

    let (report, reported) = mpsc::sync_channel(1);
    tokio::spawn(welcome(TcpListener::bind(gateway).await.expect("free"), report));
    assert_eq!(supervisor.next(), "READY=1\nSTATUS=ready");
    assert_eq!(health(address), (Some(0), "ready\n".into()));
    assert_eq!(reported.recv_timeout(TIMEOUT).expect("a link"), "Bearer of-file");

    assert_eq!(bot.terminate(), Some(0));
    assert_eq!(supervisor.next(), "STOPPING=1\nSTATUS=shutting down");
    let (code, text) = health(address);
    assert!(code == Some(1) && text.starts_with("no chatbot-backend answers at ") && text.contains("--set http.address="), "{text}");
}

#[test]
fn wrong_settings_stop_the_start_and_name_key_and_cure() {
    for (setting, says) in [
        (
            "gateway.api_key_file=/nowhere/key",
            "the file \"/nowhere/key\" does not exist; create or mount it, or set gateway.api_key instead",
        ),
        ("http.address=8100", "http.address"),
    ] {
        for command in [&["--set", setting][..], &["--check", "--set", setting], &["health", "--set", setting]] {
            let ended = Command::new(CHATBOT).args(command).output().expect("run");
            let text = String::from_utf8(ended.stderr).expect("text");
            assert!(ended.status.code() == Some(64) && text.contains(says), "{command:?}: {text}");
        }
    }
}

#[test]
fn a_check_shows_the_settings_without_secrets() {
    let mut check = Command::new(CHATBOT);
    let checked = check.arg("--check").env("CHATBOT__GATEWAY__API_KEY", "hush").env("CHATBOT__BOT__CREDIT", "7").output().expect("run");
    let text = String::from_utf8([checked.stdout, checked.stderr].concat()).expect("text");
    assert!(checked.status.success() && text.contains("bot.credit = 7\n") && text.contains("gateway.api_key = (a secret)\n"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}
