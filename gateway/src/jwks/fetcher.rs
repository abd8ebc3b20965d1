//! Fetches the keys of one issuer.

use crate::{
    auth::{FetchFailure, FetchResult, KeySource, SkippedKey},
    outbound::{Download, DownloadError, DownloadLimits, Endpoint, PemFile, client_config},
    settings::{self, Problems},
    telemetry::FailureLog,
};
use std::sync::Arc;
use url::Url;

/// Fetches the keys of one issuer, one fetch at a time.
pub(super) struct Fetcher {
    source: Arc<KeySource>,
    download: Download,
}

impl Fetcher {
    /// Checks the URL, and reads the file of certificates. `section` is the place of the issuer in the settings.
    pub(super) fn new(
        section: &str,
        issuer: &settings::TokenIssuer,
        tokens: &settings::Tokens,
        source: Arc<KeySource>,
    ) -> Result<Self, Problems> {
        let problem = |why: &str| Problems::of(format!("{section}.jwks_url"), why.to_owned());
        let url = Url::parse(&issuer.jwks_url).map_err(|_| problem(Endpoint::NO_URL))?;
        let endpoint = Endpoint::of(&url).map_err(problem)?;
        if !endpoint.is_https && !endpoint.is_loopback() && !issuer.jwks_allow_http {
            let danger = "begins with http://, so whoever is on the way can replace the keys";
            return Err(problem(&format!("{danger}: use https://, or set jwks_allow_http = true where you trust the network")));
        }
        let ca = PemFile { setting: format!("{section}.jwks_ca_file"), path: &issuer.jwks_ca_file };
        let tls = if endpoint.is_https { Some(client_config(&ca, None)?) } else { None };
        let limits = DownloadLimits { timeout: tokens.jwks_timeout, size: tokens.jwks_size.bytes() };
        Ok(Self { source, download: Download::new(&url, endpoint, tls, limits).map_err(problem)? })
    }

    /// Fetches ahead of need and when a token needs it, for ever.
    pub(super) async fn run(self) {
        let (mut log, mut reported) = (FailureLog::default(), Vec::new());
        let (issuer, url) = (self.source.issuer().to_owned(), &self.download.shown);
        loop {
            self.source.due().await;
            match self.fetch().await {
                Ok(skipped) => {
                    log.succeeded();
                    if skipped != reported {
                        for key in &skipped {
                            tracing::warn!(issuer, %url, "a key of the issuer is not used: {key}");
                        }
                        reported = skipped;
                    }
                }
                Err(error) => log.failed(|| {
                    let has_keys = self.source.problem().is_none();
                    tracing::warn!(issuer, has_keys, "the keys of an issuer cannot be fetched: {error}");
                }),
            }
        }
    }

    /// Fetches once. Returns the keys that are not used.
    pub(super) async fn fetch(&self) -> Result<Vec<SkippedKey>, FetchFailure> {
        self.source.begin();
        let spread = rand::random();
        let fetched = match self.download.get().await {
            Ok(document) => self.source.fetched(&document, spread).map_err(|error| (FetchResult::Invalid, format!("its answer {error}"))),
            Err(error) => Err((result(&error), error.to_string())),
        };
        fetched.map_err(|(result, why)| {
            let failure = FetchFailure { result, why: format!("{}: {why}", self.download.shown) };
            self.source.failed(failure.clone(), spread);
            failure
        })
    }

    /// The URL without its query, and the number of keys that count.
    pub(super) fn summary(&self) -> String {
        format!("{}: {} keys", self.download.shown, self.source.key_count())
    }
}

fn result(error: &DownloadError) -> FetchResult {
    match error {
        DownloadError::Connect(_) | DownloadError::Timeout(_) | DownloadError::Broken(_) => FetchResult::Unreachable,
        DownloadError::Redirect(_) | DownloadError::Status(_) => FetchResult::Status,
        DownloadError::TooLarge { .. } => FetchResult::Invalid,
    }
}

#[cfg(test)]
mod tests;
