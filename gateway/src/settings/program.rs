//! The program, its default settings, and its secrets.

use shared_proto::process::program::Program;

/// The built-in file with every setting, its default and its documentation.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Name, version, prefix, default settings and secrets of the gateway.
pub const PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    about: "Holds the frontends' WebSockets so that no other service has to.",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "GATEWAY",
    defaults: DEFAULTS,
    secrets: &[
        "api_keys",
        "api_keys.*.key",
        "api_keys.*.key_hash",
        "redis.sentinel_password",
        "redis.url",
        "services.*.headers",
        "services.*.secrets",
        "services.*.urls",
        "tokens.hmac_secret",
    ],
    address: "internal.address",
    own_command: None,
};
