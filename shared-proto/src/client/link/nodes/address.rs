//! Link addresses.

use crate::client::rest::ConfigError;
use crate::name::check_service;
use url::Url;

/// Parses a link address, `ws://host:port/v1/services/{service}/link`, or the same with `wss`. A base address, `ws://host:port` or
/// `http://host:port`, gets that path.
pub(in crate::client::link) fn link_url(text: &str, service: &str) -> Result<String, ConfigError> {
    let bad = || ConfigError::BadUrl(text.to_owned());
    check_service(service).map_err(|why| ConfigError::BadService(service.to_owned(), why))?;
    // http:// and https:// become ws:// and wss://.
    let text_of_link = text.strip_prefix("http").map_or_else(|| text.to_owned(), |rest| format!("ws{rest}"));
    let mut url = Url::parse(&text_of_link).map_err(|_| bad())?;
    if !matches!(url.scheme(), "ws" | "wss") || !url.has_host() || url.query().is_some() || !url.username().is_empty() {
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
        for text in ["wss://10.0.0.1:8001", "https://10.0.0.1:8001/"] {
            assert_eq!(link_url(text, "chatbot").expect("an address"), "wss://10.0.0.1:8001/v1/services/chatbot/link");
        }
        for text in ["", "10.0.0.1:8001", "ftp://host", "ws://", "ws://user@host", "ws://host/?a=b", "httpss://host"] {
            assert!(link_url(text, "chatbot").is_err(), "{text}");
        }
        for service in ["", ".", "..", "chat/bot", "Chatbot"] {
            assert!(link_url("ws://10.0.0.1:8001", service).is_err(), "{service}");
        }
    }
}
