//! The form of parameters in paths and headers. Their names say what they are, so the document describes each once for all operations.
//!
//! User ids have no pattern: JSON Schema has no portable way to say which categories of Unicode they exclude.

use utoipa::openapi::{
    RefOr,
    path::{Operation, Parameter, ParameterIn},
    schema::{Object, Schema},
};

const CONNECTION_ID: &str = "^[0-9a-f]{32}$";
const DEAD_LETTER_ID: &str = "^[0-9]{1,5}:[0-9]{1,20}-[0-9]{1,20}$";
const SERVICE: &str = "^[a-z0-9_-]{1,64}$";
const TARGET: &str = "^[0-9]{1,9}$";
const IDEMPOTENCY_KEY: &str = "^[!-~]{1,255}$";
/// Largest size of a channel's name, in bytes.
const CHANNEL_BYTES: usize = 255;
/// Largest size of a user's id, in bytes.
const USER_BYTES: usize = 254;

/// Adds the forms of all parameters of an operation at this path.
pub(super) fn describe(path: &str, operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            describe_one(path, parameter);
        }
    }
}

fn describe_one(path: &str, Parameter { name, parameter_in, schema, .. }: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = schema else { return };
    match (&*parameter_in, name.as_str()) {
        (ParameterIn::Path, "channel") => bound(schema, CHANNEL_BYTES),
        (ParameterIn::Path, "user") => bound(schema, USER_BYTES),
        (ParameterIn::Path, "service") => schema.pattern = Some(SERVICE.into()),
        (ParameterIn::Path, "target") => schema.pattern = Some(TARGET.into()),
        (ParameterIn::Path, "id") if path.contains("/dead/") => schema.pattern = Some(DEAD_LETTER_ID.into()),
        (ParameterIn::Path, "id") => schema.pattern = Some(CONNECTION_ID.into()),
        (ParameterIn::Header, "Idempotency-Key") => schema.pattern = Some(IDEMPOTENCY_KEY.into()),
        _ => {}
    }
}

/// Bounds in characters, of which each has one byte or more.
fn bound(schema: &mut Object, most: usize) {
    (schema.min_length, schema.max_length) = (Some(1), Some(most));
}
