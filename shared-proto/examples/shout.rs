//! A complete service. It answers calls of `shout.say` from all gateway nodes. Its argument is the address of one node.

use serde_json::{json, value::to_raw_value};
use shared_proto::client::link::{CallFailure, CallResult, Config, Link};
use shared_proto::link::Call;
use std::{collections::HashMap, env, error::Error, time::Duration};
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

async fn say(call: Call) -> CallResult {
    let data: HashMap<String, String> =
        serde_json::from_str(call.data.get()).map_err(|error| CallFailure::refused(400, error.to_string()))?;
    let text = data.get("text").ok_or_else(|| CallFailure::refused(400, "text is missing"))?;
    to_raw_value(&json!({ "text": text.to_uppercase() })).map_err(|error| CallFailure::refused(500, error.to_string()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let gateway = env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:8001".to_owned());
    let link = Link::start(Config::new("shout", vec![gateway], "dev"), say)?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = ctrl_c() => interrupted?,
    }
    link.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
