//! An issuer: its keys, the server that publishes them, and gateways that trust it.

use super::connect::{Connected, connect};
use crate::{
    public::{ask, start_with},
    store_errors::until,
};
use redis_testing::Certificate;
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use shared_proto::json::base64;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

/// The `iss` of all tokens.
pub(super) const ISSUER: &str = "https://login.example.com";

/// A key pair of the issuer.
pub(super) struct Key {
    kid: &'static str,
    pair: Ed25519KeyPair,
}

impl Key {
    pub(super) fn new(kid: &'static str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("random");
        Self { kid, pair: Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key") }
    }

    pub(super) fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "use": "sig", "x": base64::encode_url(self.pair.public_key().as_ref())})
    }

    /// A token of this user that is valid for an hour.
    pub(super) fn token(&self, user: &str) -> String {
        self.token_with(user, json!({}))
    }

    /// The same, with further claims.
    pub(super) fn token_with(&self, user: &str, more: Value) -> String {
        let mut claims = json!({"iss": ISSUER, "sub": user, "exp": in_an_hour()});
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let part = |json: Value| base64::encode_url(json.to_string().as_bytes());
        let message = format!("{}.{}", part(json!({"alg": "EdDSA", "kid": self.kid})), part(claims));
        format!("{message}.{}", base64::encode_url(self.pair.sign(message.as_bytes()).as_ref()))
    }
}

/// What the server answers.
#[derive(Clone)]
pub(super) enum Answer {
    /// Keys, after this time.
    Keys(Vec<Value>, Duration),
    /// These bytes, and then nothing: the connection stays open.
    Bytes(Vec<u8>),
    /// This text over and over, for ever.
    Endless(&'static str, Vec<u8>),
    /// It closes each connection before it answers.
    Away,
}

impl Answer {
    /// Keys, at once.
    pub(super) fn keys(keys: &[&Key]) -> Self {
        Self::Keys(keys.iter().map(|key| key.jwk()).collect(), Duration::ZERO)
    }
}

/// A server that publishes keys. It runs until the test process ends.
pub(super) struct Source {
    pub(super) address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    requests: Arc<AtomicUsize>,
}

impl Source {
    pub(super) fn start(answer: Answer) -> Self {
        Self::serve(answer, None)
    }

    pub(super) fn with_tls(answer: Answer, certificate: &Certificate) -> Self {
        let chain = CertificateDer::pem_file_iter(&certificate.certificate).expect("a file").collect::<Result<_, _>>().expect("PEM");
        let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("PEM");
        let config =
            ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().expect("known");
        let config = config.with_no_client_auth().with_single_cert(chain, key).expect("they fit");
        Self::serve(answer, Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn serve(answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let (answer, requests) = (Arc::new(Mutex::new(answer)), Arc::new(AtomicUsize::new(0)));
        let (report, reported) = mpsc::sync_channel(1);
        let (state, counter) = (answer.clone(), requests.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                report.send(listener.local_addr().expect("an address")).expect("awaited");
                loop {
                    let (socket, _) = listener.accept().await.expect("a connection");
                    counter.fetch_add(1, Relaxed);
                    let (answer, tls) = (state.lock().expect("no panic").clone(), tls.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => respond(socket, answer).await,
                            Some(tls) => respond(tls.accept(socket).await?, answer).await,
                        }
                    });
                }
            });
        });
        Self { address: reported.recv().expect("it starts"), answer, requests }
    }

    /// What it answers from now on.
    pub(super) fn set(&self, answer: Answer) {
        *self.answer.lock().expect("no panic") = answer;
    }

    /// The number of connections so far.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }

    /// Settings that trust this issuer. `table` has lines for `[tokens]`, `issuer` further lines of the issuer.
    pub(super) fn settings(&self, table: &str, issuer: &str) -> String {
        format!(
            "[tokens]\nhmac_secret = \"secret\"\n{table}\n[[tokens.issuers]]\nissuer = {ISSUER:?}\njwks_url = \"http://{}/keys\"\n{issuer}",
            self.address
        )
    }

    /// A gateway that trusts this issuer, with further lines for `[tokens]`.
    pub(super) fn gateway(&self, table: &str) -> Node {
        Node::start(self.settings(table, ""))
    }
}

async fn respond(mut socket: impl AsyncRead + AsyncWrite + Unpin, answer: Answer) -> std::io::Result<()> {
    if matches!(answer, Answer::Away) {
        return Ok(());
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    match answer {
        Answer::Away => {}
        Answer::Keys(keys, delay) => {
            sleep(delay).await;
            let body = json!({ "keys": keys }).to_string();
            socket.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
            socket.flush().await?;
        }
        Answer::Bytes(bytes) => {
            socket.write_all(&bytes).await?;
            socket.flush().await?;
            socket.read_u8().await?;
        }
        Answer::Endless(head, part) => {
            socket.write_all(head.as_bytes()).await?;
            loop {
                socket.write_all(&part).await?;
            }
        }
    }
    Ok(())
}

/// A gateway in this process.
pub(super) struct Node {
    pub(super) public: SocketAddr,
    pub(super) internal: SocketAddr,
}

impl Node {
    pub(super) fn start(settings: String) -> Self {
        let (public, internal) = start_with(settings);
        Self { public, internal }
    }

    /// The value of a series of the metrics, such as `jwks_fetches_total{result="fetched"}`. 0: it is not there.
    pub(super) fn counted(&self, series: &str) -> u64 {
        let (_, metrics) = ask(self.internal, "GET", "/metrics", "", "");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels: Vec<_> = labels.trim_end_matches('}').split(',').collect();
        let is_wanted = |line: &&str| line.starts_with(&format!("switchboard_{name}{{")) && labels.iter().all(|label| line.contains(label));
        metrics.lines().find(is_wanted).and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    }

    /// The number of fetches with this result.
    pub(super) fn fetches(&self, result: &str) -> u64 {
        self.counted(&format!("jwks_fetches_total{{result=\"{result}\"}}"))
    }

    /// Waits until the keys are there.
    pub(super) fn wait_for_first_fetch(&self) {
        until("the first fetch", || self.fetches("fetched") > 0);
    }

    /// Waits for a fetch with this result after the present moment.
    pub(super) fn wait_for_fetch(&self, result: &str) {
        let before = self.fetches(result);
        until("a fetch", || self.fetches(result) > before);
    }

    /// The body of the answer of the readiness probe, which is 200.
    pub(super) fn readiness(&self) -> Value {
        let (head, body) = ask(self.internal, "GET", "/readyz", "", "");
        assert!(head.starts_with("http/1.1 200 "), "{head}{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// The reason why a frontend that connects with this token is refused. `None`: it is connected.
    pub(super) fn refuses(&self, token: &str) -> Option<String> {
        match connect(self.public, vec![token.to_owned()]).remove(0).0 {
            Connected::In => None,
            other => Some(format!("{other:?}")),
        }
    }
}

/// In seconds since 1970.
pub(super) fn in_an_hour() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 3600
}
