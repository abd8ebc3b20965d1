//! Node's `ws` over http and https.

use crate::{
    result::Result,
    server::{Binaries, Server},
    tls::Identity,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const PORT: u16 = 9003;
/// Where `ws` is installed.
const FOLDER: &str = "target/bench-node";
const FILES: [(&str, &str); 2] =
    [("package.json", include_str!("../../../node/package.json")), ("server.mjs", include_str!("../../../node/server.mjs"))];

/// A program that can be started with or without TLS.
pub(super) struct Node {
    program: PathBuf,
    pub(super) version: String,
}

impl Node {
    /// Installs `ws` once.
    pub(super) fn install() -> Result<Self> {
        let version = output("node", &["--version"], Path::new("."))?;
        fs::create_dir_all(FOLDER)?;
        for (name, text) in FILES {
            fs::write(Path::new(FOLDER).join(name), text)?;
        }
        let folder = fs::canonicalize(FOLDER)?;
        if !folder.join("node_modules/ws").exists() {
            output("npm", &["install", "--no-audit", "--no-fund", "--no-package-lock"], &folder)?;
        }
        let package = fs::read_to_string(folder.join("node_modules/ws/package.json"))?;
        let package: serde_json::Value = serde_json::from_str(&package)?;
        let ws = package["version"].as_str().unwrap_or("?");
        Ok(Self { program: folder.join("server.mjs"), version: format!("Node {version}, ws {ws}") })
    }

    /// Starts it, with TLS if there is an identity.
    pub(super) async fn start(&self, binaries: &Binaries, identity: Option<&Identity>) -> Result<Server> {
        let mut words = vec!["node".to_owned(), self.program.display().to_string(), PORT.to_string()];
        words
            .extend(identity.into_iter().flat_map(|identity| [identity.certificate.certificate.clone(), identity.certificate.key.clone()]));
        binaries.start_program(&words, PORT).await
    }
}

fn output(program: &str, arguments: &[&str], folder: &Path) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output
        .map_err(|error| format!("{program}: {error}; install Node 18 or newer (./justw setup), or leave Node out with --no-node"))?;
    if !output.status.success() {
        return Err(format!("{program} {arguments:?}: {}{}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
