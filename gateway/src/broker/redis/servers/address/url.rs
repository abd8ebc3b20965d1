//! The parts of one URL of `redis.url`.

use super::{
    address::{Address, ServerAddress},
    peer::Peer,
    tls::Tls,
};
use redis::{Client, IntoConnectionInfo as _, RedisConnectionInfo};

/// An error in a URL. The message quotes no part of the URL, because any part may belong to a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error(
        "expected redis://[[user]:password@]host[:port][/database], rediss:// for the same with TLS, redis+unix:///path, \
         redis+sentinel://host[:port],…/service[/database] or redis+cluster://host[:port],… (docs/redis.md)"
    )]
    Form,
    #[error("expected one server as host[:port]; in user and password, write each character that is no letter or digit as %xx")]
    Server,
    #[error("expected a database number, or nothing, at the end")]
    Database,
    #[error("expected the name of the service that the sentinels watch, after their hosts: redis+sentinel://host[:port],…/service")]
    Service,
    #[error("a Redis Cluster has one database only: the URL must end with the last host")]
    ClusterDatabase,
    #[error("remove '?' or '#' and everything after it: this URL has no options")]
    Options,
    #[error("a certificate for TLS is unusable: redis.ca_file, redis.cert_file and redis.key_file must be in PEM format")]
    Certificates,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum UrlForm {
    Server,
    Socket,
    Sentinels,
    Cluster,
}

/// A URL in its parts.
pub(crate) struct Url<'a> {
    whole: &'a str,
    pub(crate) form: UrlForm,
    pub(crate) tls: bool,
    /// User and password, with the `@` at the end. Empty if there are none.
    login: &'a str,
    hosts: &'a str,
    path: &'a str,
}

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

impl<'a> Url<'a> {
    pub(crate) fn split(whole: &'a str) -> Result<Self, Wrong> {
        let (scheme, rest) = whole.split_once("://").ok_or(Wrong::Form)?;
        let (form, tls) = match scheme {
            "redis" => (UrlForm::Server, false),
            "rediss" => (UrlForm::Server, true),
            "redis+unix" => (UrlForm::Socket, false),
            "redis+sentinel" => (UrlForm::Sentinels, false),
            "rediss+sentinel" => (UrlForm::Sentinels, true),
            "redis+cluster" => (UrlForm::Cluster, false),
            "rediss+cluster" => (UrlForm::Cluster, true),
            _ => return Err(Wrong::Form),
        };
        if form != UrlForm::Socket && rest.contains(['?', '#']) {
            return Err(Wrong::Options);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if form != UrlForm::Socket && path.contains('@') {
            return Err(Wrong::Server);
        }
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Ok(Self { whole, form, tls, login, hosts, path })
    }

    /// The address in this URL. `sentinel` is the login for sentinels.
    pub(crate) fn address(&self, tls: Option<&Tls>, sentinel: &RedisConnectionInfo) -> Result<Address, Wrong> {
        Ok(match self.form {
            UrlForm::Server => {
                let [server] = <[Peer; 1]>::try_from(self.peers(self.login, REDIS_PORT, self.path, tls)?).map_err(|_| Wrong::Server)?;
                Address::One(ServerAddress::Server(server))
            }
            UrlForm::Socket => Address::One(ServerAddress::Server(peer(self.whole, None).map_err(|_| Wrong::Form)?)),
            UrlForm::Sentinels => {
                let (service, database) = self.path.split_once('/').unwrap_or((self.path, ""));
                if service.is_empty() || !service.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
                    return Err(Wrong::Service);
                }
                let servers = self.peers(self.login, REDIS_PORT, database, tls)?;
                let sentinels = self.peers("", SENTINEL_PORT, "", tls)?;
                Address::One(ServerAddress::Sentinels {
                    sentinels: sentinels.into_iter().map(|peer| peer.with_login(sentinel.clone())).collect(),
                    service: service.into(),
                    server: servers.into_iter().next().ok_or(Wrong::Server)?,
                })
            }
            UrlForm::Cluster if !matches!(self.path, "" | "0") => return Err(Wrong::ClusterDatabase),
            UrlForm::Cluster => Address::Cluster(self.peers(self.login, REDIS_PORT, "", tls)?),
        })
    }

    /// One peer for each host.
    fn peers(&self, login: &str, port: u16, database: &str, tls: Option<&Tls>) -> Result<Vec<Peer>, Wrong> {
        let database: u16 = if database.is_empty() { 0 } else { database.parse().map_err(|_| Wrong::Database)? };
        let scheme = if tls.is_some() { "rediss" } else { "redis" };
        let one = |host: &str| {
            // An IPv6 address contains colons, but in brackets.
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
    let Some(tls) = tls else { return Ok(Peer::new(info, "".into())) };
    let client = Client::build_with_tls(info, tls.certificates.clone()).map_err(|_| Wrong::Certificates)?;
    Ok(Peer::new(client.get_connection_info().clone(), tls.authority.clone()))
}
