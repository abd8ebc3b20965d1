//! An issuer of tokens whose keys have a URL, and its server, on the thread of the generator.

use crate::{result::Result, server::Binaries};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use shared_proto::json::base64;
use std::{
    cell::{Cell, RefCell},
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    rc::Rc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};

const ISSUER: &str = "https://login.bench";
/// How long a token is valid.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A key pair of the issuer.
pub(crate) struct Key {
    kid: String,
    pair: Ed25519KeyPair,
}

impl Key {
    pub(crate) fn new(kid: &str) -> Result<Self> {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no random numbers")?;
        Ok(Self { kid: kid.to_owned(), pair: Ed25519KeyPair::from_pkcs8(key.as_ref()).map_err(|_| "no key")? })
    }

    pub(crate) fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": base64::encode_url(self.pair.public_key().as_ref())})
    }

    pub(crate) fn token(&self, user: usize) -> String {
        let part = |json: Value| base64::encode_url(json.to_string().as_bytes());
        let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + LIFETIME;
        let claims = json!({"iss": ISSUER, "sub": format!("user{user}"), "exp": until.as_secs()});
        let message = format!("{}.{}", part(json!({"alg": "EdDSA", "kid": self.kid})), part(claims));
        format!("{message}.{}", base64::encode_url(self.pair.sign(message.as_bytes()).as_ref()))
    }
}

/// What the source does with its next request.
pub(crate) enum Behavior {
    Keys(Vec<Value>),
    /// It answers so long after the clients have connected.
    Slow(Vec<Value>),
    Away,
}

/// The server of the issuer, on the thread of the generator.
pub(crate) struct Source {
    address: SocketAddr,
    pub(crate) behavior: Rc<RefCell<Behavior>>,
    pub(crate) requests: Rc<Cell<usize>>,
    /// When a slow source answers; none: not yet.
    pub(crate) answers_at: Rc<Cell<Option<Instant>>>,
}

impl Source {
    pub(crate) async fn start(behavior: Behavior) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let source = Self {
            address: listener.local_addr()?,
            behavior: Rc::new(RefCell::new(behavior)),
            requests: Rc::default(),
            answers_at: Rc::default(),
        };
        let (behavior, requests, answers_at) = (source.behavior.clone(), source.requests.clone(), source.answers_at.clone());
        spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                requests.set(requests.get() + 1);
                let (keys, is_slow) = match &*behavior.borrow() {
                    Behavior::Away => continue,
                    Behavior::Keys(keys) => (keys.clone(), false),
                    Behavior::Slow(keys) => (keys.clone(), true),
                };
                spawn_local(respond(socket, keys, is_slow.then(|| answers_at.clone())));
            }
        });
        Ok(source)
    }

    /// Waits until it has so many requests.
    pub(crate) async fn requested(&self, number: usize) {
        while self.requests.get() < number {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// A file with the settings of the generator's gateway, and with this issuer.
    pub(crate) fn settings(&self, binaries: &Binaries) -> Result<SettingsFile> {
        let file = SettingsFile(env::temp_dir().join(format!("bench-issuer-{}.toml", std::process::id())));
        let settings = format!(
            "{}\n[[tokens.issuers]]\nissuer = {ISSUER:?}\njwks_url = \"http://{}/keys\"\n",
            fs::read_to_string(binaries.config())?,
            self.address
        );
        fs::write(&file.0, settings)?;
        Ok(file)
    }
}

/// A file that is deleted with this value.
pub(crate) struct SettingsFile(pub(crate) PathBuf);

impl Drop for SettingsFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn respond(mut socket: TcpStream, keys: Vec<Value>, slow: Option<Rc<Cell<Option<Instant>>>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    if let Some(at) = slow {
        let at = loop {
            match at.get() {
                Some(at) => break at,
                None => sleep(Duration::from_millis(1)).await,
            }
        };
        sleep_until(at).await;
    }
    let body = json!({ "keys": keys }).to_string();
    socket.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
}
