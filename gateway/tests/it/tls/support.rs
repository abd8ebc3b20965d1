//! Gateways with TLS, and clients that trust their authority.

use crate::{
    client::{Client, handshake, masked},
    public::{ask, start_with},
};
use redis_testing::{Authority, Certificate};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc};

/// The path at which frontends connect.
pub(super) const PATH: &str = "/connection/websocket";
/// The name in the certificates.
pub(super) const NAME: &str = "gateway.test";
pub(super) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A gateway with TLS on both listeners, or on the public one.
pub(super) struct Secure {
    pub(super) authority: Authority,
    pub(super) public: SocketAddr,
    pub(super) internal: SocketAddr,
}

/// The settings of a pair.
pub(super) fn pair(certificate: &Certificate) -> String {
    format!("{{ cert_file = {:?}, key_file = {:?} }}", certificate.certificate, certificate.key)
}

/// Settings that the tests share, with these lines first.
pub(super) fn settings(more: &str) -> String {
    format!(
        "{more}\n[tokens]\nhmac_secret = \"s\"\nanonymous = true\n[demo]\nenabled = true\n[[api_keys]]\nname = \"dev\"\nkey = \"dev\"\n[services.bot]\n\
         [namespaces.news]\nhistory_size = 10\nsubscribe = \"anyone\"\npublish = \"anyone\""
    )
}

/// Starts a gateway whose public listener has TLS, with these further lines in `[public.tls]`.
pub(super) fn public(lines: &str) -> Secure {
    // Both ends of all connections are in this process.
    shared_proto::http::raise_open_files();
    let authority = Authority::new();
    let own = pair(&authority.sign(&[NAME]));
    let (public, internal) = start_with(settings(&format!("[public.tls]\npairs = [{own}]\n{lines}")));
    Secure { authority, public, internal }
}

/// What a client believes, and what it has.
pub(super) fn trusting(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    own: Option<&Certificate>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.file()).expect("PEM")).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_protocol_versions(versions).expect("known");
    let builder = builder.with_root_certificates(roots);
    let mut config = match own {
        Some(own) => {
            let chain = CertificateDer::pem_file_iter(&own.certificate).expect("a file").collect::<Result<_, _>>().expect("PEM");
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&own.key).expect("PEM")).expect("they fit")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

impl Secure {
    /// A client of the public listener.
    pub(super) fn client(&self) -> Client {
        Client::connect(self.public).with_tls(trusting(&self.authority, &VERSIONS, None), NAME)
    }

    /// A WebSocket that has subscribed to `news:c`.
    pub(super) fn subscriber(&self) -> Client {
        subscribed(self.client())
    }

    /// Publishes into `news:c`, over the internal listener without TLS.
    pub(super) fn publish(&self, data: &str) {
        let body = format!(r#"{{"data":{data}}}"#);
        let lines = "Authorization: Bearer dev\r\nContent-Type: application/json\r\n";
        let (head, body) = ask(self.internal, "POST", "/v1/channels/news:c/publications", lines, &body);
        assert!(head.starts_with("http/1.1 200 "), "{head}{body}");
    }

    /// The value of a counter or gauge.
    pub(super) fn counted(&self, series: &str) -> u64 {
        let (_, metrics) = ask(self.internal, "GET", "/metrics", "", "");
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series} in {metrics}"));
        line.trim().parse().expect("a number")
    }

    /// The number of failed connections of the public listener with this cause.
    pub(super) fn failed(&self, cause: &str) -> u64 {
        self.counted(&format!(r#"switchboard_http_connection_errors_total{{cause="{cause}",listener="public"}}"#))
    }
}

/// Upgrades, connects and subscribes to `news:c`.
pub(super) fn subscribed(mut client: Client) -> Client {
    client.send(handshake(PATH).as_bytes());
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.send(&masked(0x81, b"{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"news:c\"}}"));
    lines_until(&mut client, r#""id":2"#);
    client
}

/// Reads messages up to the line that contains this text, and returns the line.
pub(super) fn lines_until(client: &mut Client, text: &str) -> String {
    loop {
        let payload = String::from_utf8(client.frame().expect("it stays open").payload).expect("text");
        if let Some(line) = payload.lines().find(|line| line.contains(text)) {
            return line.to_owned();
        }
    }
}

/// The data of the next publication.
pub(super) fn next_data(client: &mut Client) -> Value {
    let line: Value = serde_json::from_str(&lines_until(client, r#""pub""#)).expect("JSON");
    line["push"]["pub"]["data"].clone()
}
