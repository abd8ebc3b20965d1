//! Which certificate a client sees, and when another one takes its place.

use super::support::{NAME, Secure, VERSIONS, next_data, pair, settings, subscribed, trusting};
use crate::{client::Client, listeners::Gateway, public::start_with, store_errors::until};
use redis_testing::{Authority, Certificate};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The certificate in a file.
fn der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&certificate.certificate).expect("PEM")
}

/// The certificate that a client gets that asks for this name.
fn seen(gateway: &Secure, name: &str) -> CertificateDer<'static> {
    let mut client = Client::connect(gateway.public).with_tls(trusting(&gateway.authority, &VERSIONS, None), name);
    let tls = client.handshake().expect("a handshake");
    tls.peer_certificates().and_then(<[_]>::first).expect("a certificate").clone().into_owned()
}

/// A directory as Kubernetes mounts it: the files are links into a directory that a link names.
struct Mounted {
    directory: TempDir,
    versions: u32,
}

impl Mounted {
    fn new(first: &Certificate) -> Self {
        let mut mounted = Self { directory: tempfile::tempdir().expect("a directory"), versions: 0 };
        mounted.swap(&first.certificate, &first.key);
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), mounted.path(name)).expect("a link");
        }
        mounted
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// Puts other files into the place of both.
    fn swap(&mut self, certificate: &str, key: &str) {
        self.versions += 1;
        let version = format!("..{}", self.versions);
        fs::create_dir(self.path(&version)).expect("a directory");
        fs::copy(certificate, self.path(&version).join("tls.crt")).expect("copied");
        fs::copy(key, self.path(&version).join("tls.key")).expect("copied");
        symlink(&version, self.path("..new")).expect("a link");
        fs::rename(self.path("..new"), self.path("..data")).expect("renamed");
    }

    fn pair(&self) -> String {
        format!("{{ cert_file = '{}', key_file = '{}' }}", self.path("tls.crt").display(), self.path("tls.key").display())
    }
}

fn serve(authority: Authority, mounted: &Mounted) -> Secure {
    shared_proto::http::raise_open_files();
    let (public, internal) = start_with(settings(&format!("[public.tls]\npairs = [{}]", mounted.pair())));
    Secure { authority, public, internal }
}

#[test]
fn the_server_name_chooses_the_pair() {
    let authority = Authority::new();
    let (first, second, wild) = (authority.sign(&["a.test"]), authority.sign(&["b.test", "c.test"]), authority.sign(&["*.d.test"]));
    let pairs = [&first, &second, &wild].map(pair).join(", ");
    let (public, internal) = start_with(settings(&format!("[public.tls]\npairs = [{pairs}]")));
    let gateway = Secure { authority, public, internal };
    for (name, expected) in [("a.test", &first), ("b.test", &second), ("c.test", &second), ("x.d.test", &wild)] {
        assert_eq!(seen(&gateway, name), der(expected), "{name}");
    }
    let mut other = Client::connect(public).with_tls(trusting(&gateway.authority, &VERSIONS, None), "z.test");
    let refused = other.handshake().expect_err("the name is in no certificate").to_string();
    assert!(refused.contains("a.test"), "the first pair serves other names: {refused}");
}

#[test]
fn a_new_pair_is_seen_within_two_seconds_and_cuts_nobody() {
    let authority = Authority::new();
    let (first, second) = (authority.sign(&[NAME]), authority.sign_between(&[NAME], 2020, 3000));
    let mut mounted = Mounted::new(&first);
    let gateway = serve(authority, &mounted);
    let config = trusting(&gateway.authority, &VERSIONS, None);
    let connect = || subscribed(Client::connect(gateway.public).with_tls(config.clone(), NAME));
    let mut sockets: Vec<_> = (0..1000).map(|_| connect()).collect();
    let expires = r#"switchboard_tls_certificate_expiry_timestamp_seconds{listener="public"}"#;
    assert_eq!((seen(&gateway, NAME), gateway.counted(expires)), (der(&first), 64_060_588_800));
    let began = Instant::now();
    mounted.swap(&second.certificate, &second.key);
    while seen(&gateway, NAME) != der(&second) {
        assert!(began.elapsed() < Duration::from_secs(2), "the new certificate is not seen");
        sockets.push(gateway.subscriber());
    }
    sockets.push(gateway.subscriber());
    assert_eq!(gateway.counted(expires), 32_503_680_000);
    gateway.publish("7");
    for socket in &mut sockets {
        assert_eq!(next_data(socket), json!(7));
    }
    assert_eq!(gateway.counted(r#"switchboard_tls_reloads_total{listener="public",result="loaded"}"#), 1);
}

#[test]
fn a_pair_that_cannot_be_used_is_refused_and_the_old_one_serves_on() {
    let authority = Authority::new();
    let (first, second, old) = (authority.sign(&[NAME]), authority.sign(&[NAME]), authority.sign_between(&[NAME], 2000, 2020));
    let mut mounted = Mounted::new(&first);
    let process =
        Gateway::start(&[&format!("public.tls.pairs={}={}", mounted.path("tls.crt").display(), mounted.path("tls.key").display())]);
    let gateway = Secure { authority, public: process.public, internal: process.internal };
    let refused = || gateway.counted(r#"switchboard_tls_reloads_total{listener="public",result="refused"}"#);
    for (number, (certificate, key, why)) in (1..).zip([
        (&second.certificate, &first.key, "does not fit the certificate"),
        (&old.certificate, &old.key, "expired at Wed, 01 Jan 2020 00:00:00 GMT: renew it"),
        (&second.key, &second.key, "contains no certificate in PEM format"),
    ]) {
        mounted.swap(certificate, key);
        until("the refusal", || refused() == number);
        process.wait_for_log(|log| log.lines().any(|line| line.contains("WARN") && line.contains(why)));
        assert_eq!(seen(&gateway, NAME), der(&first));
    }
    mounted.swap(&second.certificate, &second.key);
    until("the new certificate", || seen(&gateway, NAME) == der(&second));
    assert_eq!(refused(), 3);
    let lines = |log: &str| log.lines().filter(|line| line.contains("are refused, and the earlier certificates are still used")).count();
    process.wait_for_log(|log| lines(log) == 3);
}

#[test]
fn a_hangup_reads_the_files_again() {
    let authority = Authority::new();
    let first = authority.sign(&[NAME]);
    let process = Gateway::start(&[&format!("public.tls.pairs={}={}", first.certificate, first.key)]);
    let gateway = Secure { authority, public: process.public, internal: process.internal };
    let config = trusting(&gateway.authority, &VERSIONS, None);
    let kind = || {
        let mut client = Client::connect(gateway.public).with_tls(config.clone(), NAME);
        client.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.answer().0.starts_with("HTTP/1.1 200 "));
        client.handshake().expect("a handshake").handshake_kind()
    };
    assert_eq!((kind(), kind()), (Some(rustls::HandshakeKind::Full), Some(rustls::HandshakeKind::Resumed)));
    process.hang_up();
    until("the reload", || gateway.counted(r#"switchboard_tls_reloads_total{listener="public",result="loaded"}"#) == 1);
    assert_eq!(kind(), Some(rustls::HandshakeKind::Full), "new configurations have new keys for tickets");
    drop(subscribed(gateway.client()));
}
