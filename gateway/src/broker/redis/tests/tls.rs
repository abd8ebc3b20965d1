//! TLS with a real Redis, whose certificates are made here.

use super::{
    config_of,
    faults::{not_ready, publish, ready},
    mailboxes,
    server::Server,
    start,
};
use crate::broker::fixtures::{Inbox, channel, offset, worker};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// An authority; its files end with this.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { issuer, directory }
    }

    fn ca(&self) -> String {
        self.file("ca")
    }

    /// The files of a certificate for `name`, and of its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        for (file, text) in [(name.to_owned(), certificate.pem()), (format!("{name}.key"), key.serialize_pem())] {
            fs::write(self.path(&file), text).expect("written");
        }
        (self.file(name), self.file(&format!("{name}.key")))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.pem"))
    }

    fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

/// A server that shows a certificate for `name`, and asks for one of the same authority, or for none.
async fn server(authority: &Authority, name: &str, asks: bool) -> (Server, u16) {
    let (port, (certificate, key), ca) = (Server::free_port(), authority.sign(name), authority.ca());
    let (tls_port, clients) = (port.to_string(), if asks { "yes" } else { "no" });
    let options = ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    (Server::start_with(&[&options[..], &["--tls-auth-clients", clients]].concat()).await, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publications_go_through_tls_to_a_server_that_a_private_authority_vouches_for() {
    let authority = Authority::new();
    let (_server, port) = server(&authority, "127.0.0.1", false).await;
    let mailboxes = mailboxes();
    let (broker, _guard) =
        start(config_of(&format!("url = \"rediss://127.0.0.1:{port}\"\nca_file = {:?}", authority.ca())), mailboxes.clone());
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel("c"), worker(0), Some(super::faults::KEEP)).await.expect("subscribed");
    for number in 1..=100 {
        assert_eq!(publish(&broker, "c", number).await.expect("published").offset, number);
        assert_eq!(offset(&inbox.publication().await.1), number);
    }
    ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_ask_for_a_certificate_of_ours() {
    let authority = Authority::new();
    let (_server, port) = server(&authority, "localhost", true).await;
    let anonymous = format!("url = \"rediss://localhost:{port}\"\nca_file = {:?}", authority.ca());
    let (certificate, key) = authority.sign("gateway");
    let (broker, _guard) = start(config_of(&format!("{anonymous}\ncert_file = {certificate:?}\nkey_file = {key:?}")), mailboxes());
    ready(&broker).await;
    let (broker, _guard) = start(config_of(&anonymous), mailboxes());
    not_ready(&broker, "set redis.cert_file and redis.key_file").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_nobody_trusts_is_refused_and_the_authority_named() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_server, port) = server(&theirs, "localhost", false).await;
    let url = format!("url = \"rediss://localhost:{port}\"");
    let (broker, _guard) = start(config_of(&format!("{url}\nca_file = {:?}", ours.ca())), mailboxes());
    not_ready(&broker, &format!("that redis.ca_file ({}) trusts", ours.ca())).await;
    let (broker, _guard) = start(config_of(&url), mailboxes());
    not_ready(&broker, "this machine's list of authorities").await;
    let other_name = format!("url = \"rediss://127.0.0.1:{port}\"\nca_file = {:?}", theirs.ca());
    let (broker, _guard) = start(config_of(&other_name), mailboxes());
    not_ready(&broker, "contains the host of redis.url").await;
}
