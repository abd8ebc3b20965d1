//! Options for the start of a server.

use crate::{servers::ports::free_port, tls::Certificate};
use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

/// Options for the start of a server. By default it listens on a Unix socket only, has a temporary directory of its own, and saves nothing.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) launcher: Vec<String>,
    pub(crate) more: Vec<String>,
    host: Option<IpAddr>,
    plain: bool,
    tls: Option<(Certificate, Clients)>,
    pub(crate) part: Part,
}

/// Whether clients of the TLS port must have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clients {
    Anonymous,
    Certified,
}

/// The role of a server.
#[derive(Clone, Debug, Default)]
pub(crate) enum Part {
    /// A server with data.
    #[default]
    Data,
    /// A server with data that is a member of a Redis Cluster.
    Member,
    /// A sentinel. Contains further lines of its configuration file.
    Sentinel(String),
}

/// The ports of a running server. 0: it has no such port.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ports {
    pub(crate) plain: u16,
    pub(crate) tls: u16,
    /// The port on which the members of a cluster reach this member (the cluster bus).
    pub(crate) bus: u16,
}

impl Options {
    /// The server also listens on a free TCP port.
    #[must_use]
    pub fn with_port(mut self) -> Self {
        self.plain = true;
        self
    }

    /// The server also listens for TLS on a free TCP port, with this certificate.
    #[must_use]
    pub fn with_tls(mut self, certificate: &Certificate) -> Self {
        self.tls = Some((certificate.clone(), Clients::Anonymous));
        self
    }

    /// Clients of the TLS port must have a certificate of the same authority. Call [`Self::with_tls`] first.
    #[must_use]
    pub fn with_certified_clients(mut self) -> Self {
        let (certificate, _) = self.tls.expect("with_tls is called first");
        self.tls = Some((certificate, Clients::Certified));
        self
    }

    /// The server's TCP ports are on this address. The default is 127.0.0.1.
    #[must_use]
    pub fn at(mut self, host: IpAddr) -> Self {
        self.host = Some(host);
        self
    }

    /// Data and log are written to this directory. They are not deleted with the server.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Words of the command line before the program's name, such as `taskset`, `-c` and `0`.
    #[must_use]
    pub fn launched_by(mut self, launcher: &[String]) -> Self {
        self.launcher = launcher.to_vec();
        self
    }

    /// Adds words to the command line of `redis-server`.
    #[must_use]
    pub fn with(mut self, more: &[&str]) -> Self {
        self.more.extend(more.iter().map(ToString::to_string));
        self
    }

    pub(crate) fn of(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    pub(crate) fn host(&self) -> IpAddr {
        self.host.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    pub(crate) fn uses_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) fn ports(&self) -> Ports {
        let port = |needed| if needed { free_port() } else { 0 };
        Ports { plain: port(self.plain), tls: port(self.tls.is_some()), bus: port(matches!(self.part, Part::Member)) }
    }

    /// The settings of the server as names and values.
    pub(crate) fn settings(&self, ports: Ports, directory: &Path, socket: &Path) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("port", ports.plain.to_string()),
            ("bind", self.host().to_string()),
            ("dir", directory.display().to_string()),
            ("unixsocket", socket.display().to_string()),
        ];
        if let Some((certificate, clients)) = &self.tls {
            let asks = if *clients == Clients::Certified { "yes" } else { "no" };
            settings.extend([
                ("tls-port", ports.tls.to_string()),
                ("tls-cert-file", certificate.certificate.clone()),
                ("tls-key-file", certificate.key.clone()),
                ("tls-ca-cert-file", certificate.authority.clone()),
                ("tls-auth-clients", asks.into()),
                ("tls-replication", "yes".into()),
            ]);
        }
        if !matches!(self.part, Part::Sentinel(_)) {
            settings.extend([("save", String::new()), ("appendonly", "no".into()), ("repl-diskless-sync-delay", "0".into())]);
        }
        if matches!(self.part, Part::Member) {
            settings.extend([("cluster-enabled", "yes".into()), ("cluster-port", ports.bus.to_string())]);
            settings.extend(self.uses_tls().then(|| ("tls-cluster", "yes".into())));
        }
        settings
    }
}
