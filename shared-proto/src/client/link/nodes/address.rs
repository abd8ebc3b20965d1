//! Addresses of links.

use crate::client::rest::ConfigError;
use reqwest::Url;

/// The link address that `text` means: `ws://host:port/v1/services/{service}/link`, or a base address
/// (`ws://host:port` or `http://host:port`) to which that path is added.
pub(super) fn link_url(text: &str, service: &str) -> Result<String, ConfigError> {
    let bad = || ConfigError::BadUrl(text.to_owned());
    let mut url = Url::parse(&text.replacen("http://", "ws://", 1)).map_err(|_| bad())?;
    if url.scheme() != "ws" || !url.has_host() || url.query().is_some() || !url.username().is_empty() {
        return Err(bad());
    }
    url.set_fragment(None);
    if url.path() == "/" {
        url.path_segments_mut().map_err(|()| bad())?.clear().extend(["v1", "services", service, "link"]);
    }
    Ok(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_addresses_get_the_path_and_whole_ones_keep_theirs() {
        let bot = "ws://10.0.0.1:8001/v1/services/chatbot/link";
        for text in ["ws://10.0.0.1:8001", "http://10.0.0.1:8001/", bot] {
            assert_eq!(link_url(text, "chatbot").expect("an address"), bot);
        }
        for text in ["", "10.0.0.1:8001", "ftp://host", "ws://", "ws://user@host", "ws://host/?a=b", "wss://host"] {
            assert!(link_url(text, "chatbot").is_err(), "{text}");
        }
    }
}
