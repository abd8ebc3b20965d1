//! The configuration of a service that is reached by HTTP requests, checked.

use super::{
    request,
    signature::{self, Signer},
    target_url::TargetUrl,
};
use crate::{
    outbound::{DeniedAddresses, PemFile, client_config},
    services::instances::breaker::BreakerLimits,
    settings::{self, Problems, SecretMap},
};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use secrecy::ExposeSecret as _;
use std::{fmt, sync::Arc, time::Duration};

/// Largest number of `urls` of a service.
const URLS: usize = 64;

/// Where and how a service gets its requests.
#[derive(Clone)]
pub struct WebhookConfig {
    pub(super) urls: Box<[TargetUrl]>,
    pub(super) signer: Signer,
    pub(super) headers: HeaderMap,
    /// `None` if no URL begins with `https://`.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) denied: Arc<DeniedAddresses>,
    pub(super) connect_timeout: Duration,
    pub(super) keep_alive: Duration,
    pub(in crate::services) call_timeout: Duration,
    /// Largest body of an answer, in bytes.
    pub(super) reply_size: usize,
    /// Limit of requests in flight.
    pub(super) in_flight: usize,
    pub(super) breaker: BreakerLimits,
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.urls.iter().map(|url| &url.shown).collect();
        f.debug_struct("WebhookConfig").field("urls", &urls).finish_non_exhaustive()
    }
}

impl WebhookConfig {
    /// Checks the settings of the service `name`, and reads the files that they name.
    pub fn new(name: &str, settings: &settings::Settings, service: &settings::RoutedService) -> Result<Self, Problems> {
        let section = format!("services.{name}");
        let settings::RoutedService { service, route, .. } = service;
        let mut problems = Problems::default();
        let denied = DeniedAddresses::parse(&settings.webhook.deny).map_err(|message| Problems::of("webhook.deny", message))?;
        let urls = urls(&section, &service.urls.0, &denied, &mut problems);
        let signer = Signer::parse(&service.secrets.0).map_err(|at| {
            problems.add(format!("{section}.secrets"), format!("entry {} is not valid: {}", at + 1, signature::EXPECTED));
        });
        let headers = headers(&section, &service.headers, &mut problems);
        let tls = if urls.iter().any(|url| url.endpoint.is_https) {
            tls(&section, service).map(Some).map_err(|found| problems.append(found))
        } else {
            Ok(None)
        };
        let (Ok(signer), Ok(tls)) = (signer, tls) else { return Err(problems) };
        let config = Self {
            urls: urls.into(),
            signer,
            headers,
            tls,
            denied: Arc::new(denied),
            connect_timeout: settings.webhook.connect_timeout,
            keep_alive: settings.webhook.keep_alive,
            call_timeout: route.call_timeout,
            reply_size: settings.connection.data_size.bytes(),
            in_flight: route.max_in_flight,
            breaker: BreakerLimits { failures: service.breaker_failures, open_for: service.breaker_pause },
        };
        problems.into_result(config)
    }
}

fn tls(section: &str, service: &settings::Service) -> Result<Arc<ClientConfig>, Problems> {
    let file = |name: &str, path| PemFile { setting: format!("{section}.{name}"), path };
    let own = (&file("cert_file", &service.cert_file), &file("key_file", &service.key_file));
    client_config(&file("ca_file", &service.ca_file), Some(own))
}

fn urls(section: &str, texts: &[String], denied: &DeniedAddresses, problems: &mut Problems) -> Vec<TargetUrl> {
    let key = format!("{section}.urls");
    if texts.len() > URLS {
        problems.add(&key, format!("expected up to {URLS} URLs; found {}", texts.len()));
    }
    let mut urls = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        // A wrong URL may contain a password, so the message does not show it.
        match TargetUrl::parse(text) {
            Err(reason) => problems.add(&key, format!("entry {} {reason}", at + 1)),
            Ok(url) if url.endpoint.address.is_some_and(|address| denied.contain(address)) => {
                problems.add(&key, format!("{} has an address that webhook.deny refuses", url.shown));
            }
            Ok(url) => urls.push(url),
        }
    }
    urls
}

fn headers(section: &str, given: &SecretMap, problems: &mut Problems) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &given.0 {
        let key = format!("{section}.headers.{name}");
        let Ok(parsed) = HeaderName::try_from(name.as_str()) else {
            problems.add(key, "the name has characters that HTTP does not allow");
            continue;
        };
        if request::is_own(&parsed) {
            problems.add(key, "the gateway sets this header itself: choose another name");
            continue;
        }
        match HeaderValue::try_from(value.expose_secret()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.insert(parsed, value);
            }
            Err(_) => problems.add(key, "the value has characters that HTTP does not allow, such as line breaks"),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Settings;

    fn problems(toml: &str) -> Vec<(String, String)> {
        let settings = Settings::from_toml(&format!("[services.shop]\nreach = \"webhook\"\n{toml}")).expect(toml);
        let found = WebhookConfig::new("shop", &settings, &settings.services["shop"]).map(|_| ()).expect_err(toml);
        found.iter().map(|problem| (problem.key.clone(), problem.message.clone())).collect()
    }

    #[test]
    fn every_wrong_setting_has_a_sentence_with_its_key_and_no_secret() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let empty = format!("urls = [\"https://h/\"]\nca_file = {:?}", file.path());
        for (toml, key, fragment) in [
            ("urls = [\"http://h/\", \"ftp://u:hush@h/\"]", "services.shop.urls", "entry 2 does not begin with"),
            ("urls = [\"http://u:hush@h/\"]", "services.shop.urls", "contains a user"),
            ("urls = [\"http://0xa9fea9fe/latest\"]", "services.shop.urls", "webhook.deny"),
            ("urls = [\"http://[::ffff:169.254.1.1]/\"]", "services.shop.urls", "webhook.deny"),
            ("urls = [\"http://10.0.0.1/\"]\n[webhook]\ndeny = [\"private\"]", "services.shop.urls", "webhook.deny"),
            ("urls = [\"http://h/\"]\n[webhook]\ndeny = [\"lan\"]", "webhook.deny", "found \"lan\""),
            ("urls = [\"http://h/\"]\nsecrets = [\"hush\"]", "services.shop.secrets", "entry 1 is not valid: expected \"whsec_\""),
            ("urls = [\"http://h/\"]\nheaders = { Host = \"hush\" }", "services.shop.headers.Host", "sets this header itself"),
            ("urls = [\"http://h/\"]\nheaders = { \"a b\" = \"hush\" }", "services.shop.headers.a b", "the name"),
            ("urls = [\"http://h/\"]\nheaders = { a = \"hush\\n\" }", "services.shop.headers.a", "line breaks"),
            ("urls = [\"https://h/\"]\ncert_file = \"/none\"", "services.shop.cert_file", "services.shop.key_file"),
            ("urls = [\"https://h/\"]\nca_file = \"/none\"", "services.shop.ca_file", "cannot be read"),
            (&empty, "services.shop.ca_file", "no certificate in PEM format"),
        ] {
            let found = problems(toml);
            assert_eq!(found.len(), 1, "{toml}: {found:?}");
            assert_eq!(found[0].0, key, "{toml}");
            assert!(found[0].1.contains(fragment) && !found[0].1.contains("hush"), "{toml}: {}", found[0].1);
        }
        let many = format!("urls = [{}]", "\"http://h/\", ".repeat(65));
        assert!(problems(&many)[0].1.contains("up to 64 URLs; found 65"));
    }

    #[test]
    fn variables_may_hold_the_secrets() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let variables = [
            ("REACH", "webhook"),
            ("URLS", "http://a/, http://b/{method}"),
            ("SECRETS", &format!("{secret},{secret}")),
            ("HEADERS__AUTHORIZATION", "Bearer a, b"),
            ("HEADERS__X_API_KEY", "of a variable"),
        ];
        let variables = variables.map(|(key, value)| (format!("GATEWAY__SERVICES__SHOP__{key}"), value.to_owned())).into();
        let file = tempfile::NamedTempFile::with_suffix(".toml").expect("a file");
        let toml = "[services.shop]\nheaders = { x-api-key = \"of the file\", x_other = \"of the file\" }";
        std::fs::write(file.path(), toml).expect("written");
        let layers = settings::Layers { file: Some(file.path()), variables: Some(variables), ..settings::Layers::default() };
        let settings = Settings::load(&layers).expect("valid");
        let config = WebhookConfig::new("shop", &settings, &settings.services["shop"]).expect("valid");
        assert_eq!((config.urls.len(), &config.headers["authorization"]), (2, &HeaderValue::from_static("Bearer a, b")));
        assert_eq!((&config.headers["x-api-key"], config.headers.len()), (&HeaderValue::from_static("of a variable"), 3));
        assert_eq!(config.headers["x_other"], "of the file");
        let signatures = config.signer.sign("msg_1", "0", b"").expect("secrets");
        assert_eq!(signatures.split(' ').count(), 2);
    }

    #[test]
    fn headers_and_queries_are_never_shown() {
        let toml = "[services.shop]\nreach = \"webhook\"\nurls = [\"http://h/a?key=hush\"]\nheaders = { authorization = \"Bearer hush\" }";
        let settings = Settings::from_toml(toml).expect("valid");
        let config = WebhookConfig::new("shop", &settings, &settings.services["shop"]).expect("valid");
        assert_eq!(config.headers["authorization"], "Bearer hush");
        assert!(!format!("{settings:?}{}", settings.effective()).contains("hush"));
        assert!(settings.effective().contains("services.shop.urls = [\"http://h/a?…\"]"), "{}", settings.effective());
    }
}
