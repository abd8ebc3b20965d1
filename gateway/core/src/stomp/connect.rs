//! The CONNECT frame: version, heart-beats, and who the client says it is.

use super::{
    context::Context,
    failure::{Failure, Rejected},
    refusal::bad_request,
};
use crate::{
    model::ClientInfo,
    protocol::{
        ConnectRequest, Request,
        stomp::{ClientCommand, Frame, Headers, HeartBeat, Version},
    },
};
use std::sync::Arc;

/// The headers of CONNECT that are for the gateway. The others go on to the services that want them.
const OF_CONNECT: [&str; 7] = ["accept-version", "host", "heart-beat", "login", "passcode", "receipt", AUTHORIZATION];
const AUTHORIZATION: &str = "authorization";
const BEARER: &str = "bearer ";

/// A connection whose connect command is not answered.
#[derive(Debug)]
pub(super) struct Connecting {
    /// The id of the connect command.
    pub(super) command: u32,
    pub(super) version: Version,
    pub(super) heart_beat: HeartBeat,
    /// Who the connection is, once that is known.
    pub(super) info: Option<Arc<ClientInfo>>,
}

impl Connecting {
    /// Reads the first frame, and sends the connect command to the session. `token` is that of the handshake.
    pub(super) fn begin(cx: &mut Context<'_>, frame: &Frame, token: Option<&str>) -> Result<Self, Rejected> {
        if frame.command != ClientCommand::Connect {
            return Err(bad_request(format!("The first frame is {}. Send CONNECT first.", frame.command.as_str())).into());
        }
        let headers = &frame.headers;
        let version =
            Version::negotiate(headers.get("accept-version")).map_err(|error| Failure::of_versions(error.to_string(), Version::LIST))?;
        let heart_beat = HeartBeat::parse(headers.get("heart-beat"))?;
        let request = ConnectRequest {
            token: token_of(headers).or(token).unwrap_or_default().into(),
            headers: others(headers).map(|(name, value)| (name.to_owned(), value.into())).collect(),
            ..ConnectRequest::default()
        };
        let command = cx.numbers.command_id();
        cx.command(command, Request::Connect(Box::new(request)));
        Ok(Self { command, version, heart_beat, info: None })
    }
}

/// The token of the header `Authorization`, with or without `Bearer`, or a passcode that has the form of a token. Logins such as `guest` mean nothing here.
fn token_of(headers: &Headers) -> Option<&str> {
    let authorization = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION)).map(|(_, value)| value.trim_ascii());
    let bearer = authorization.and_then(|value| match value.split_at_checked(BEARER.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(BEARER) => Some(token.trim_ascii()),
        _ => Some(value).filter(|value| is_token(value)),
    });
    bearer.filter(|token| !token.is_empty()).or_else(|| headers.get("passcode").filter(|passcode| is_token(passcode)))
}

fn others(headers: &Headers) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().filter(|(name, _)| !OF_CONNECT.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// Whether a text has the form of a JWT (RFC 7519, section 3.1): three parts in base64url.
fn is_token(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    text.starts_with("ey") && text.split('.').count() == 3 && text.split('.').all(is_part)
}
