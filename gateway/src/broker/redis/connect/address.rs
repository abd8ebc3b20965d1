//! Where Redis is: what `redis.url`, and the settings about TLS and sentinels beside it, say once they are checked.

use crate::settings::{self, Problems};
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo, TlsCertificates,
    io::tcp::TcpSettings,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::ExposeSecret as _;
use std::{fmt, fs, sync::Arc};

/// Where Redis is, and how it is spoken with. Shows no password.
#[derive(Clone, Debug)]
pub enum Address {
    /// One server.
    Server(Peer),
    /// The master of a service, wherever it is now.
    Sentinels {
        /// Who knows it. At least one.
        sentinels: Vec<Peer>,
        /// Its name among them.
        service: Box<str>,
        /// How the service's servers are spoken with; [`Peer::at`] makes one of it.
        server: Peer,
    },
    /// A Redis Cluster: some of its servers, at least one; they know the others.
    Cluster(Vec<Peer>),
}

/// A server and how it is spoken with: login, database, certificates.
#[derive(Clone, Debug)]
pub struct Peer {
    info: ConnectionInfo,
    /// What vouches for its certificate.
    authority: Arc<str>,
}

impl Peer {
    /// Another server, spoken with in the same way.
    pub(in super::super) fn at(&self, host: String, port: u16) -> Self {
        let address = match self.info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Self { info: self.info.clone().set_addr(address), authority: self.authority.clone() }
    }

    /// Its host; empty where it has none.
    pub(in super::super) fn host(&self) -> &str {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        }
    }

    /// What the client library connects to, with these socket options.
    pub(super) fn info(&self, tcp: TcpSettings) -> ConnectionInfo {
        self.info.clone().set_tcp_settings(tcp)
    }

    pub(super) fn uses_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// What vouches for its certificate.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

/// Host and port, or the path of a socket.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.addr().fmt(f)
    }
}

impl TryFrom<&settings::Redis> for Address {
    type Error = Problems;

    fn try_from(redis: &settings::Redis) -> Result<Self, Problems> {
        let url = Url::split(redis.url.expose_secret()).map_err(of_url)?;
        without_effect(redis, &url)?;
        let tls = url.tls.then(|| certificates(redis)).transpose()?;
        url.address(tls.as_ref(), sentinel_login(redis)).map_err(of_url)
    }
}

/// What is wrong with `redis.url`. Quotes nothing of it: any part may be one of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Wrong {
    #[error(
        "expected redis://[[user]:password@]host[:port][/database], rediss:// for the same with TLS, redis+unix:///path, \
         redis+sentinel://host[:port],…/service[/database] or redis+cluster://host[:port],… (docs/redis.md)"
    )]
    Form,
    #[error("expected host[:port] of one server; in user and password write what is no letter or digit as %xx")]
    Server,
    #[error("expected the number of a database, or nothing, at the end")]
    Database,
    #[error("expected the name of the service that the sentinels watch behind them: redis+sentinel://host[:port],…/service")]
    Service,
    #[error("a Redis Cluster has one database only: end with the last host")]
    ClusterDatabase,
    #[error("takes nothing behind '?' or '#'")]
    Options,
    #[error("a certificate for TLS cannot be used: redis.ca_file, redis.cert_file and redis.key_file have to be in PEM")]
    Certificates,
}

fn of_url(wrong: Wrong) -> Problems {
    Problems::of("redis.url", wrong.to_string())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Server,
    Socket,
    Sentinels,
    Cluster,
}

/// A URL in its parts.
struct Url<'a> {
    whole: &'a str,
    form: Form,
    tls: bool,
    /// With its `@`.
    login: &'a str,
    hosts: &'a str,
    path: &'a str,
}

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

impl<'a> Url<'a> {
    fn split(whole: &'a str) -> Result<Self, Wrong> {
        let (scheme, rest) = whole.split_once("://").ok_or(Wrong::Form)?;
        let (form, tls) = match scheme {
            "redis" => (Form::Server, false),
            "rediss" => (Form::Server, true),
            "redis+unix" => (Form::Socket, false),
            "redis+sentinel" => (Form::Sentinels, false),
            "rediss+sentinel" => (Form::Sentinels, true),
            "redis+cluster" => (Form::Cluster, false),
            "rediss+cluster" => (Form::Cluster, true),
            _ => return Err(Wrong::Form),
        };
        if form != Form::Socket && rest.contains(['?', '#']) {
            return Err(Wrong::Options);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if form != Form::Socket && path.contains('@') {
            return Err(Wrong::Server);
        }
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Ok(Self { whole, form, tls, login, hosts, path })
    }

    fn address(&self, tls: Option<&Tls>, sentinel: RedisConnectionInfo) -> Result<Address, Wrong> {
        Ok(match self.form {
            Form::Server => {
                let [server] = <[Peer; 1]>::try_from(self.peers(self.login, REDIS_PORT, self.path, tls)?).map_err(|_| Wrong::Server)?;
                Address::Server(server)
            }
            Form::Socket => Address::Server(peer(self.whole, None).map_err(|_| Wrong::Form)?),
            Form::Sentinels => {
                let (service, database) = self.path.split_once('/').unwrap_or((self.path, ""));
                if service.is_empty() || !service.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
                    return Err(Wrong::Service);
                }
                let servers = self.peers(self.login, REDIS_PORT, database, tls)?;
                let sentinels = self.peers("", SENTINEL_PORT, "", tls)?;
                let log_in = |peer: Peer| Peer { info: peer.info.set_redis_settings(sentinel.clone()), ..peer };
                Address::Sentinels {
                    sentinels: sentinels.into_iter().map(log_in).collect(),
                    service: service.into(),
                    server: servers.into_iter().next().ok_or(Wrong::Server)?,
                }
            }
            Form::Cluster if !matches!(self.path, "" | "0") => return Err(Wrong::ClusterDatabase),
            Form::Cluster => Address::Cluster(self.peers(self.login, REDIS_PORT, "", tls)?),
        })
    }

    /// A peer for each host.
    fn peers(&self, login: &str, port: u16, database: &str, tls: Option<&Tls>) -> Result<Vec<Peer>, Wrong> {
        let database: u16 = if database.is_empty() { 0 } else { database.parse().map_err(|_| Wrong::Database)? };
        let scheme = if tls.is_some() { "rediss" } else { "redis" };
        let one = |host: &str| {
            // An IPv6 address has colons of its own, in brackets.
            let has_port = host.rsplit_once(']').map_or(host, |(_, rest)| rest).contains(':');
            let port = if has_port { String::new() } else { format!(":{port}") };
            let url = format!("{scheme}://{login}{host}{port}/{database}");
            peer(&url, tls)
        };
        self.hosts.split(',').map(one).collect()
    }
}

fn peer(url: &str, tls: Option<&Tls>) -> Result<Peer, Wrong> {
    let info = url.into_connection_info().map_err(|_| Wrong::Server)?;
    let Some(tls) = tls else { return Ok(Peer { info, authority: "".into() }) };
    let client = Client::build_with_tls(info, tls.certificates.clone()).map_err(|_| Wrong::Certificates)?;
    Ok(Peer { info: client.get_connection_info().clone(), authority: tls.authority.clone() })
}

/// How servers and we prove who we are.
struct Tls {
    certificates: TlsCertificates,
    authority: Arc<str>,
}

fn certificates(redis: &settings::Redis) -> Result<Tls, Problems> {
    // Fails if that was done before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if redis.cert_file.is_empty() != redis.key_file.is_empty() {
        return Err(Problems::of("redis.cert_file", "a certificate is of use with its redis.key_file only: set both, or none"));
    }
    let read = |key: &str, path: &str| match path {
        "" => Ok(None),
        path => fs::read(path).map(Some).map_err(|error| Problems::of(key, format!("{path} cannot be read: {error}"))),
    };
    let root_cert = read("redis.ca_file", &redis.ca_file)?;
    if root_cert.as_ref().is_some_and(|pem| CertificateDer::pem_slice_iter(pem).next().is_none()) {
        return Err(Problems::of("redis.ca_file", format!("{} holds no certificate in PEM", redis.ca_file)));
    }
    let own = read("redis.cert_file", &redis.cert_file)?.zip(read("redis.key_file", &redis.key_file)?);
    let client_tls = own.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    let authority = match &*redis.ca_file {
        "" => "this machine's list of authorities (or redis.ca_file, once it is set)".into(),
        file => format!("redis.ca_file ({file})").into(),
    };
    Ok(Tls { certificates: TlsCertificates { client_tls, root_cert }, authority })
}

fn sentinel_login(redis: &settings::Redis) -> RedisConnectionInfo {
    let (user, password) = (&redis.sentinel_user, redis.sentinel_password.expose_secret());
    let login = RedisConnectionInfo::default();
    let login = if user.is_empty() { login } else { login.set_username(user) };
    if password.is_empty() { login } else { login.set_password(password) }
}

/// Refuses what looks as if it protected something and does not.
fn without_effect(redis: &settings::Redis, url: &Url<'_>) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for (key, file) in [("redis.ca_file", &redis.ca_file), ("redis.cert_file", &redis.cert_file), ("redis.key_file", &redis.key_file)] {
        if !url.tls && !file.is_empty() {
            problems.add(key, "has no effect without TLS: begin redis.url with rediss");
        }
    }
    let password = redis.sentinel_password.expose_secret();
    for (key, text) in [("redis.sentinel_user", &*redis.sentinel_user), ("redis.sentinel_password", password)] {
        if url.form != Form::Sentinels && !text.is_empty() {
            problems.add(key, "has no effect without sentinels: begin redis.url with redis+sentinel, or rediss+sentinel");
        }
    }
    problems.none_or(())
}

#[cfg(test)]
pub(super) mod tests;
