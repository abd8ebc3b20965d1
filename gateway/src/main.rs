//! The gateway's process.

use gateway::{server, settings};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().init();
    let file = std::env::args().nth(2).expect("--config FILE");
    let layers = settings::Layers { file: Some(std::path::Path::new(&file)), ..settings::Layers::default() };
    let settings = settings::Settings::load(&layers).unwrap_or_else(|problems| panic!("{problems}"));
    if let Err(error) = server::run(settings, Box::new(String::new)).await {
        eprintln!("{error}");
        std::process::exit(70);
    }
}
