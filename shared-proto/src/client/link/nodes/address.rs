//! Link addresses.

use crate::client::rest::ConfigError;
use crate::name::check_service;
use reqwest::Url;

/// Parses a link address, `ws://host:port/v1/services/{service}/link`. A base address, `ws://host:port` or `http://host:port`, gets that
/// path.
pub(in crate::client::link) fn link_url(text: &str, service: &str) -> Result<String, ConfigError> {
    let bad = || ConfigError::BadUrl(text.to_owned());
    check_service(service).map_err(|why| ConfigError::BadService(service.to_owned(), why))?;
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
    fn a_base_address_gets_the_path_of_the_service() {
        let bot = "ws://10.0.0.1:8001/v1/services/chatbot/link";
        for text in ["ws://10.0.0.1:8001", "http://10.0.0.1:8001/", bot] {
            assert_eq!(link_url(text, "chatbot").expect("an address"), bot);
        }
        for text in ["", "10.0.0.1:8001", "ftp://host", "ws://", "ws://user@host", "ws://host/?a=b", "wss://host"] {
            assert!(link_url(text, "chatbot").is_err(), "{text}");
        }
        for service in ["", ".", "..", "chat/bot", "Chatbot"] {
            assert!(link_url("ws://10.0.0.1:8001", service).is_err(), "{service}");
        }
    }
}
