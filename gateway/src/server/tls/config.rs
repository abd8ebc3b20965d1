//! The configuration of a listener.

use super::{
    files::Files,
    pairs::{Choice, Pair, certificates},
};
use crate::settings::{Problems, TlsVersion};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use std::{sync::Arc, time::SystemTime};

/// The protocol that clients and gateway agree on (RFC 7301).
const ALPN: &[u8] = b"http/1.1";

/// A configuration, and what operators should know of it.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// When the first of the certificates expires.
    pub(super) not_after: SystemTime,
    pub(super) warnings: Vec<String>,
}

impl Files {
    /// Checks all files. `listener` is the listener's table in the settings.
    pub(super) fn config(&self, listener: &str) -> Result<Loaded, Problems> {
        let (mut problems, mut pairs) = (Problems::default(), Vec::new());
        let (provider, now) = (Arc::new(ring::default_provider()), SystemTime::now());
        for (i, files) in self.pairs.iter().enumerate() {
            match Pair::new(files, &format!("{listener}.tls.pairs[{i}]"), &provider, now) {
                Ok(pair) => pairs.push(pair),
                Err(found) => problems.append(found),
            }
        }
        let client_ca = format!("{listener}.tls.client_ca_file");
        let verifier = self.client_verifier(&provider).unwrap_or_else(|why| {
            problems.add(client_ca, why);
            None
        });
        let not_after = pairs.iter().map(|pair| pair.not_after).min().unwrap_or(now);
        let pairs: Box<[_]> = problems.into_result(pairs.into_iter().map(|pair| pair.certified).collect())?;
        let unusable = |error: rustls::Error| Problems::of(format!("{listener}.tls.pairs"), format!("TLS cannot be used: {error}"));
        let versions: &[&SupportedProtocolVersion] = match self.settings.min_version {
            TlsVersion::Tls12 => &[&TLS12, &TLS13],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).map_err(unusable)?;
        let has_client_ca = verifier.is_some();
        let mut config = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        }
        .with_cert_resolver(Arc::new(Choice(pairs)));
        config.alpn_protocols = vec![ALPN.into()];
        // Tickets need no memory here, so that clients cannot push out each other's sessions.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if has_client_ca {
            // A resumed session would not check the client's certificate again.
            config.send_tls13_tickets = 0;
        } else {
            // New keys every six hours, and with every new configuration.
            config.ticketer = ring::Ticketer::new().map_err(unusable)?;
        }
        Ok(Loaded { config: Arc::new(config), not_after, warnings: self.warnings(listener) })
    }

    fn client_verifier(&self, provider: &Arc<rustls::crypto::CryptoProvider>) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let Some(content) = &self.client_ca else { return Ok(None) };
        let path = &self.settings.client_ca_file;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path, content)? {
            roots.add(certificate).map_err(|error| format!("{path} contains a certificate that cannot be used: {error}"))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        verifier.map(Some).map_err(|error| format!("{path} cannot be used: {error}"))
    }

    fn warnings(&self, listener: &str) -> Vec<String> {
        let open = self.pairs.iter().enumerate().filter(|(_, pair)| pair.is_key_open);
        let warning = |(i, pair): (usize, &super::files::PairFiles)| {
            let path = &pair.names.key_file;
            format!("{listener}.tls.pairs[{i}].key_file: other users of this machine may read or change {path}: chmod 600 {path}")
        };
        open.map(warning).collect()
    }
}
