//! A gateway with one worker in a thread of this process.

use gateway::{
    server::{Listeners, start},
    settings::Settings,
    telemetry::Telemetry,
};
use std::{
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
};

/// The settings of `bench memory`: for development, and without pings.
const SETTINGS: &str = concat!("workers = 1\n", include_str!("../../config/dev.toml"), "\n[connection]\nping_interval = \"10m\"\n");

/// Where a gateway listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
}

/// Starts a gateway for the life of the process, with these further settings.
pub(crate) fn run(more: &str) -> Addresses {
    let (report, reported) = mpsc::sync_channel(1);
    let settings = Settings::from_toml(&format!("{SETTINGS}{more}")).expect("valid");
    thread::spawn(move || {
        let telemetry = Telemetry::without_logs(&settings).expect("no endpoint");
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.set_nonblocking(true).expect("settable");
            listener
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listeners = Listeners { public: Some(free()), internal: free() };
            let running = start(&settings, listeners, telemetry.metrics()).expect("it starts");
            let (public, internal) = running.addresses();
            report.send(Addresses { public: public.expect("a full node"), internal }).expect("awaited");
            std::future::pending::<()>().await;
        });
    });
    reported.recv().expect("it starts")
}
