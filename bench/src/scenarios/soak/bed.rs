//! The gateway with TLS, an issuer whose keys change, and a certificate that changes.

use crate::{
    client::endpoint::Endpoint,
    issuer::{Behavior, Key, Source},
    result::Result,
    server::{Binaries, Server},
    tls::{Identity, Tickets},
};
use std::{
    cell::{Cell, RefCell},
    env, fs,
    net::Ipv4Addr,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Longest wait until the gateway uses a new certificate, or has fetched a new key.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Before the first of the clients, in a private network.
const FIRST_CLIENT: u32 = u32::from_be_bytes([10, 0, 0, 0]);
const SETTINGS: &[(&str, &str)] = &[
    ("WORKERS", "1"),
    // The generator is a proxy that tells addresses.
    ("PUBLIC__TRUSTED_PROXIES", "127.0.0.0/8"),
    ("TOKENS__JWKS_REFRESH", "2s"),
    ("TOKENS__JWKS_INTERVAL", "1s"),
    ("TOKENS__JWKS_TIMEOUT", "1s"),
    // The histories are full long before the memory is compared.
    ("NAMESPACES__CHAT__HISTORY_SIZE", "100"),
    ("CONNECTION__MESSAGE_TIMEOUT", "5s"),
    // The instance answers no pings.
    ("LINK__HEARTBEAT", "10m"),
    ("SERVICES__CHATBOT__ORDER", "none"),
];

pub(super) struct Bed {
    pub(super) server: Server,
    endpoint: Endpoint,
    identity: Identity,
    /// Certificate and key, in one file.
    pair: PathBuf,
    source: Source,
    key: RefCell<Key>,
    /// Addresses of clients so far.
    pub(super) clients: Cell<u32>,
    /// Connections so far.
    connections: Cell<usize>,
    pub(super) changes: Cell<u64>,
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.pair);
    }
}

impl Bed {
    pub(super) async fn start(binaries: &Binaries) -> Result<Rc<Self>> {
        let (identity, key) = (Identity::new(), Key::new("key-0")?);
        let source = Source::start(Behavior::Keys(vec![key.jwk()])).await?;
        let pair = env::temp_dir().join(format!("bench-soak-{}.pem", std::process::id()));
        fs::write(&pair, pem(&identity.certificate)?)?;
        let pairs = format!("{0}={0}", pair.display());
        let settings = [&[("PUBLIC__TLS__PAIRS", &*pairs)], SETTINGS].concat();
        let server = binaries.start_gateway_with(&source.settings(binaries)?.0, &settings).await?;
        let endpoint = server.endpoint.clone().with_tls(identity.client(Tickets::Used)?);
        let (key, clients, connections, changes) = (RefCell::new(key), Cell::new(0), Cell::new(0), Cell::new(0));
        source.requested(1).await;
        Ok(Rc::new(Self { server, endpoint, identity, pair, source, key, clients, connections, changes }))
    }

    /// The gateway, for a client with an address of its own.
    pub(super) fn endpoint(&self) -> Endpoint {
        self.clients.set(self.clients.get() + 1);
        self.endpoint.on_behalf_of(Ipv4Addr::from(FIRST_CLIENT + self.clients.get()))
    }

    /// The number of a new connection.
    pub(super) fn number(&self) -> usize {
        self.connections.set(self.connections.get() + 1);
        self.connections.get()
    }

    pub(super) fn token(&self, user: usize) -> String {
        self.key.borrow().token(user)
    }

    /// Replaces the certificate and the key of the issuer. Returns when the gateway uses both.
    pub(super) async fn change(&self) -> Result {
        let number = self.changes.get() + 1;
        self.changes.set(number);
        let new = self.pair.with_extension("new");
        fs::write(&new, pem(&self.identity.renew())?)?;
        fs::rename(&new, &self.pair)?;
        let key = Key::new(&format!("key-{number}"))?;
        *self.source.behavior.borrow_mut() = Behavior::Keys(vec![self.key.borrow().jwk(), key.jwk()]);
        // The fetch after the next one has begun after the change.
        self.source.requested(self.source.requests.get() + 2).await;
        self.key.replace(key);
        let begun = Instant::now();
        while self.server.count("switchboard_tls_reloads_total").await? < number {
            if begun.elapsed() > CHANGE_TIMEOUT {
                return Err(format!("certificate number {number} is not used").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

fn pem(certificate: &redis_testing::Certificate) -> Result<String> {
    Ok(fs::read_to_string(&certificate.certificate)? + &fs::read_to_string(&certificate.key)?)
}
