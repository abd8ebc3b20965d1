//! The method of a frontend's call: `service.name` or `service:name`.

use gateway_core::model::{ErrorCode, Refusal, ServiceName};
use shared_proto::guard;

/// Largest method, in bytes.
const MAX: usize = 255;

/// Splits a method into the service and the method's name within the service.
pub(crate) fn parse(method: &str) -> Result<(ServiceName, &str), Refusal> {
    let bad = |detail: &str| Refusal::new(ErrorCode::BadRequest, detail);
    if method.len() > MAX || !method.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(bad("The method must be 1 to 255 visible ASCII characters."));
    }
    let Some((service, name)) = method.split_once(['.', ':']).filter(|(service, _)| !service.is_empty()) else {
        return Err(Refusal::new(ErrorCode::NoService, "The method names no service: write service.name."));
    };
    if name.is_empty() {
        return Err(bad("The method ends after the service's name: write service.name."));
    }
    if name.starts_with(guard::PREFIX) {
        return Err(bad("Methods that begin with \"guard.\" are questions of the gateway, which frontends cannot ask."));
    }
    let service = service.parse().map_err(|e| Refusal::new(ErrorCode::BadRequest, format!("The service's name, before the dot, {e}.")))?;
    Ok((service, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_separators_end_the_service() {
        for (method, service, name) in
            [("bot.say", "bot", "say"), ("bot:say", "bot", "say"), ("bot.a.b:c", "bot", "a.b:c"), ("guard.say", "guard", "say")]
        {
            let (s, n) = parse(method).expect(method);
            assert_eq!((s.as_str(), n), (service, name));
        }
    }

    #[test]
    fn a_method_without_service_or_with_bad_characters_is_refused_with_advice() {
        let long = format!("bot.{}", "x".repeat(255));
        let nameless = ["", "bot", ".say", ":say"].map(|method| (method, ErrorCode::NoService));
        let malformed = ["bot.", "bot.guard.connect", "bot:guard.", "Bot.say", "b t.say", "bot.sä", &long]
            .map(|method| (method, ErrorCode::BadRequest));
        for (bad, code) in nameless.into_iter().chain(malformed) {
            let refusal = parse(bad).expect_err(bad);
            assert_eq!(refusal.code, code, "{bad}");
            assert!(refusal.detail.ends_with('.'), "{}", refusal.detail);
        }
    }
}
