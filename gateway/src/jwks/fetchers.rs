//! Fetches the keys of all issuers that have a URL.

use super::fetcher::Fetcher;
use crate::{
    auth::Tokens,
    settings::{Problems, Settings},
};
use tokio_util::sync::CancellationToken;

/// One for each issuer with `jwks_url`, by the place of the issuer in the settings.
pub struct Fetchers(Vec<(usize, Fetcher)>);

impl Fetchers {
    /// Checks the URLs of the settings, and reads the files of certificates. `tokens` gets the keys.
    pub fn new(settings: &Settings, tokens: &Tokens) -> Result<Self, Problems> {
        let (mut problems, mut all) = (Problems::default(), Vec::new());
        for (at, source) in tokens.sources() {
            let Some(issuer) = settings.token_issuers.get(at) else { continue };
            match Fetcher::new(&format!("tokens.issuers[{at}]"), issuer, &settings.tokens, source.clone()) {
                Ok(fetcher) => all.push((at, fetcher)),
                Err(found) => problems.append(found),
            }
        }
        problems.into_result(Self(all))
    }

    /// Starts a task for each issuer. Needs a runtime.
    pub fn spawn(self, stop: &CancellationToken) {
        for (_, fetcher) in self.0 {
            tokio::spawn(stop.clone().run_until_cancelled_owned(fetcher.run()));
        }
    }

    /// Fetches the keys for this token once, if they have a URL. Returns what an operator wants to know about that: one line each.
    pub async fn fetch_for(&self, token: &str, tokens: &Tokens) -> Vec<String> {
        let wanted = tokens.source_for(token);
        let Some((_, fetcher)) = self.0.iter().find(|(at, _)| wanted.is_some_and(|(wanted, _)| wanted == *at)) else { return Vec::new() };
        match fetcher.fetch().await {
            Ok(skipped) => [fetcher.summary()].into_iter().chain(skipped.iter().map(|key| format!("not used: {key}"))).collect(),
            Err(error) => vec![error.to_string()],
        }
    }
}
