//! Many clients connect at once with tokens of an issuer whose keys have a URL: the source is slow, away, or back again.

use crate::{
    client::Client,
    result::Result,
    server::{Binaries, Server},
};
use futures_util::future::join_all;
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use shared_proto::base64;
use std::{
    cell::{Cell, RefCell},
    fs,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, sleep_until},
};

const ISSUER: &str = "https://login.bench";
/// How long a slow source takes.
const SLOW: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Clients that connect at once
    #[arg(long, default_value_t = 5000)]
    clients: usize,
}

/// A key pair of the issuer.
struct Key {
    kid: &'static str,
    pair: Ed25519KeyPair,
}

impl Key {
    fn new(kid: &'static str) -> Result<Self> {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no random numbers")?;
        Ok(Self { kid, pair: Ed25519KeyPair::from_pkcs8(key.as_ref()).map_err(|_| "no key")? })
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": base64::encode_url(self.pair.public_key().as_ref())})
    }

    fn token(&self, user: usize) -> String {
        let part = |json: Value| base64::encode_url(json.to_string().as_bytes());
        let claims = json!({"iss": ISSUER, "sub": format!("user{user}")});
        let message = format!("{}.{}", part(json!({"alg": "EdDSA", "kid": self.kid})), part(claims));
        format!("{message}.{}", base64::encode_url(self.pair.sign(message.as_bytes()).as_ref()))
    }
}

/// What the source does with its next request.
enum Behavior {
    Keys(Vec<Value>),
    /// It answers so long after the clients have connected.
    Slow(Vec<Value>),
    Away,
}

/// The server of the issuer, on the thread of the generator.
struct Source {
    address: SocketAddr,
    behavior: Rc<RefCell<Behavior>>,
    requests: Rc<Cell<usize>>,
    /// When a slow source answers; none: not yet.
    answers_at: Rc<Cell<Option<Instant>>>,
}

impl Source {
    async fn start(behavior: Behavior) -> Result<Self> {
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
    async fn requested(&self, number: usize) {
        while self.requests.get() < number {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// A gateway that trusts this issuer.
    async fn gateway(&self, binaries: &Binaries, refresh: Duration) -> Result<Server> {
        let settings = format!(
            "{}\n[[tokens.issuers]]\nissuer = {ISSUER:?}\njwks_url = \"http://{}/keys\"\n",
            fs::read_to_string(binaries.config())?,
            self.address
        );
        let seconds = |time: Duration| format!("{}s", time.as_secs());
        let times = [
            ("TOKENS__JWKS_REFRESH", &*seconds(refresh)),
            ("TOKENS__JWKS_INTERVAL", &seconds(INTERVAL)),
            ("TOKENS__JWKS_TIMEOUT", &seconds(INTERVAL)),
            ("CONNECTION__CONNECT_TIMEOUT", "1m"),
        ];
        let file = std::env::temp_dir().join(format!("bench-issuers-{}.toml", std::process::id()));
        fs::write(&file, settings)?;
        let server = binaries.start_gateway_with(&file, &times).await;
        fs::remove_file(&file)?;
        server
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

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    LocalSet::new().run_until(run_all(binaries, arguments.clients)).await
}

async fn run_all(binaries: &Binaries, clients: usize) -> Result {
    let (old, new) = (Key::new("old")?, Key::new("new")?);
    println!("{:<40} connected  fetches  p99, s  longest, s", format!("{clients} clients at once"));

    // The clients are there before the source answers its first request.
    let source = Source::start(Behavior::Slow(vec![old.jwk()])).await?;
    let server = source.gateway(binaries, INTERVAL * 100).await?;
    let waiting = open(&server, clients).await?;
    let answers_at = source.answers_at.clone();
    report("source is slow (1 s)", &source, 1, connect(waiting, &old, || answers_at.set(Some(Instant::now() + SLOW))).await?)?;
    drop(server);

    let source = Source::start(Behavior::Keys(vec![old.jwk()])).await?;
    let server = source.gateway(binaries, INTERVAL).await?;
    source.requested(1).await;
    let waiting = open(&server, clients).await?;
    *source.behavior.borrow_mut() = Behavior::Away;
    source.requested(source.requests.get() + 1).await;
    report("source is away, known key", &source, usize::MAX, connect(waiting, &old, || ()).await?)?;

    // A try while it is away; then, one interval after the return, the first try of all the others.
    let early = connect(open(&server, 1).await?, &new, || ()).await;
    if early.is_ok() {
        return Err("a token with a key that was never published is accepted".into());
    }
    let waiting = open(&server, clients).await?;
    *source.behavior.borrow_mut() = Behavior::Keys(vec![old.jwk(), new.jwk()]);
    sleep(INTERVAL).await;
    report("back since an interval, unknown key", &source, usize::MAX, connect(waiting, &new, || ()).await?)
}

async fn open(server: &Server, clients: usize) -> Result<Vec<Client>> {
    let mut all = Vec::with_capacity(clients);
    for number in 0..clients {
        all.push(server.open_connection(number, None).await?);
    }
    Ok(all)
}

/// All clients connect at the same time, after `at_start`. Returns how long each took. Fails if one is refused.
async fn connect(waiting: Vec<Client>, key: &Key, at_start: impl FnOnce()) -> Result<Vec<f64>> {
    let commands: Vec<_> =
        (0..waiting.len()).map(|number| format!(r#"{{"id":1,"connect":{{"token":"{}"}}}}"#, key.token(number))).collect();
    at_start();
    let begun = Instant::now();
    let each = waiting.into_iter().zip(commands).enumerate().map(async |(number, (mut client, sent))| {
        client.send(&sent).await?;
        let reply = client.expect(r#""id":1"#).await?;
        if reply.contains(r#""connect":"#) {
            Ok((begun.elapsed().as_secs_f64(), client))
        } else {
            Err(format!("client {number} got {reply}").into())
        }
    });
    let mut took = Vec::new();
    let mut open = Vec::new();
    for answer in join_all(each).await {
        let (seconds, client) = answer.map_err(|error: Box<dyn std::error::Error>| error)?;
        took.push(seconds);
        open.push(client);
    }
    took.sort_by(f64::total_cmp);
    Ok(took)
}

fn report(name: &str, source: &Source, most: usize, took: Vec<f64>) -> Result {
    let (p99, longest) = (took.get(took.len() * 99 / 100).or(took.last()), took.last());
    let (p99, longest) = (p99.copied().unwrap_or(f64::NAN), longest.copied().unwrap_or(f64::NAN));
    let fetches = source.requests.get();
    println!("{name:<40} {:>9} {fetches:>8} {p99:>7.2} {longest:>11.2}", took.len());
    if fetches > most {
        return Err(format!("{name}: {fetches} fetches, at most {most} are right").into());
    }
    if p99 >= 3.0 { Err(format!("{name}: p99 is {p99:.2} s").into()) } else { Ok(()) }
}
