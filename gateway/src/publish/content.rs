//! The rules for what a publication carries, and for the tags that are reserved for it.

use gateway_core::{
    channel::{AllowedData, ChannelOptions},
    model::{CONTENT_TYPE, Content, Data, ENCODING, ErrorCode, Refusal, Tags},
};
use shared_proto::content::ContentBody;

/// Longest content type, in bytes.
const MAX_CONTENT_TYPE: usize = 128;

/// Reads the content of a request.
pub(crate) fn parse(body: ContentBody) -> Result<Content, Refusal> {
    Ok(match body {
        ContentBody::Json(data) => Data::parse(&data).map_err(|error| bad_request(format!("The data {error}.")))?.into(),
        ContentBody::Text(text) => Content::Text(text.into()),
        ContentBody::Bytes(bytes) => Content::Bytes(bytes.into()),
    })
}

/// Checks whether a channel with these options takes the content with these tags. Adds the content type if the publisher named none.
pub(super) fn check(options: &ChannelOptions, content: &Content, tags: &mut Tags) -> Result<(), Refusal> {
    if options.data == AllowedData::Json && content.as_json().is_none() {
        let kind = content.kind();
        return Err(bad_request(format!(
            "The data is {kind}, and this channel takes only JSON. Send JSON, or set data = \"any\" for the namespace."
        )));
    }
    if tags.contains_key(ENCODING) {
        return Err(bad_request(format!("The tag (header in STOMP) \"{ENCODING}\" is reserved for the gateway. Choose another name.")));
    }
    match (content.default_type(), tags.get(CONTENT_TYPE)) {
        (None, None) => {}
        (None, Some(_)) => {
            let detail =
                format!("The data is JSON, and the tag (header in STOMP) \"{CONTENT_TYPE}\" is only for text and bytes. Leave it out.");
            return Err(bad_request(detail));
        }
        (Some(default), None) => drop(tags.insert(CONTENT_TYPE.into(), default.into())),
        (Some(_), Some(given)) if (1..=MAX_CONTENT_TYPE).contains(&given.len()) && !given.chars().any(char::is_control) => {}
        (Some(_), Some(_)) => {
            let detail = format!(
                "The tag (header in STOMP) \"{CONTENT_TYPE}\" must have 1 to {MAX_CONTENT_TYPE} bytes, without control characters."
            );
            return Err(bad_request(detail));
        }
    }
    Ok(())
}

fn bad_request(detail: String) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, detail)
}
