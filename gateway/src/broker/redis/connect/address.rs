//! Where Redis is: what `redis.url`, and the settings about TLS and sentinels beside it, say once they are checked.

use super::url::{Form, Url, Wrong};
use crate::settings::{self, Problems, RedisUrl};
use redis::{ClientTlsConfig, ConnectionAddr, ConnectionInfo, RedisConnectionInfo, TlsCertificates, io::tcp::TcpSettings};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::ExposeSecret as _;
use std::{collections::BTreeMap, fmt, fs, sync::Arc};

/// Where Redis is, and how it is spoken with. Shows no password.
#[derive(Clone, Debug)]
pub enum Address {
    /// All is in one place.
    One(Site),
    /// In several that know nothing of each other, by their names, of which each has a share of the channels. At least two.
    Several(BTreeMap<Box<str>, Site>),
    /// In a Redis Cluster: some of its servers, at least one; they know the others.
    Cluster(Vec<Peer>),
}

/// A place where something is kept.
#[derive(Clone, Debug)]
pub enum Site {
    /// A server.
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
}

impl Site {
    /// Whether both lead to the same server, for all that can be seen.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Server(one), Self::Server(other)) => one.to_string() == other.to_string(),
            (Self::Sentinels { sentinels, service, .. }, Self::Sentinels { sentinels: others, service: named, .. }) => {
                let hosts: Vec<_> = others.iter().map(Peer::to_string).collect();
                service == named && sentinels.iter().any(|sentinel| hosts.contains(&sentinel.to_string()))
            }
            _ => false,
        }
    }
}

/// A server and how it is spoken with: login, database, certificates.
#[derive(Clone, Debug)]
pub struct Peer {
    info: Box<ConnectionInfo>,
    /// What vouches for its certificate.
    authority: Arc<str>,
}

impl Peer {
    pub(super) fn new(info: ConnectionInfo, authority: Arc<str>) -> Self {
        Self { info: info.into(), authority }
    }

    pub(super) fn with_login(self, login: RedisConnectionInfo) -> Self {
        Self { info: self.info.set_redis_settings(login).into(), ..self }
    }

    /// Another server, spoken with in the same way.
    pub(in super::super) fn at(&self, host: String, port: u16) -> Self {
        let address = match self.info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Self::new((*self.info).clone().set_addr(address), self.authority.clone())
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
        (*self.info).clone().set_tcp_settings(tcp)
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
        let written = match &redis.url {
            RedisUrl::One(url) => vec![(KEY.to_owned(), url)],
            RedisUrl::Several(all) => all.iter().map(|(name, url)| (format!("{KEY}.{name}"), url)).collect(),
        };
        let urls = all(&written, |url| Url::split(url.expose_secret()))?;
        without_effect(redis, &urls)?;
        let tls = urls.iter().any(|(_, url)| url.tls).then(|| certificates(redis)).transpose()?;
        let login = sentinel_login(redis);
        let mut found = all(&urls, |url| url.address(tls.as_ref().filter(|_| url.tls), &login))?;
        match &redis.url {
            RedisUrl::One(_) => found.pop().map(|(_, only)| only).ok_or_else(|| Problems::of(KEY, Wrong::Form.to_string())),
            RedisUrl::Several(names) => several(names.iter().map(|(name, _)| &**name).zip(found)),
        }
    }
}

const KEY: &str = "redis.url";

/// What is made of all of these, or everything that is wrong with them.
fn all<'a, T, U>(from: &'a [(String, T)], make: impl Fn(&'a T) -> Result<U, Wrong>) -> Result<Vec<(String, U)>, Problems> {
    let (mut good, mut problems) = (Vec::new(), Problems::default());
    for (key, one) in from {
        match make(one) {
            Ok(one) => good.push((key.clone(), one)),
            Err(wrong) => problems.add(key, wrong.to_string()),
        }
    }
    problems.none_or(good)
}

/// By name, with the key of each in the settings.
fn several<'a>(named: impl Iterator<Item = (&'a str, (String, Address))>) -> Result<Address, Problems> {
    let (mut sites, mut problems) = (BTreeMap::<Box<str>, Site>::new(), Problems::default());
    for (name, (key, address)) in named {
        let Address::One(site) = address else {
            problems.add(key, "a Redis Cluster divides the channels by itself, and stands alone: set redis.url to that URL");
            continue;
        };
        if let Some((other, _)) = sites.iter().find(|(_, known)| known.is(&site)) {
            problems.add(key, format!("leads to the same server as {KEY}.{other}"));
        }
        sites.insert(name.into(), site);
    }
    problems.none_or(Address::Several(sites))
}

/// How servers and we prove who we are.
pub(super) struct Tls {
    pub(super) certificates: TlsCertificates,
    pub(super) authority: Arc<str>,
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
fn without_effect(redis: &settings::Redis, urls: &[(String, Url<'_>)]) -> Result<(), Problems> {
    let mut problems = Problems::default();
    let (tls, sentinels) = (urls.iter().any(|(_, url)| url.tls), urls.iter().any(|(_, url)| url.form == Form::Sentinels));
    for (key, file) in [("redis.ca_file", &redis.ca_file), ("redis.cert_file", &redis.cert_file), ("redis.key_file", &redis.key_file)] {
        if !tls && !file.is_empty() {
            problems.add(key, "has no effect without TLS: begin redis.url with rediss");
        }
    }
    let password = redis.sentinel_password.expose_secret();
    for (key, text) in [("redis.sentinel_user", &*redis.sentinel_user), ("redis.sentinel_password", password)] {
        if !sentinels && !text.is_empty() {
            problems.add(key, "has no effect without sentinels: begin redis.url with redis+sentinel, or rediss+sentinel");
        }
    }
    problems.none_or(())
}

#[cfg(test)]
pub(super) mod tests;
