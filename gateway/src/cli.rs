//! The command line.

use clap::{Args, Parser, Subcommand};
use gateway::{
    auth::{ConnectionClaims, SubscriptionClaims, Tokens},
    settings::{Layers, PROGRAM, Problems, Settings, parse_duration},
};
use gateway_core::model::{ChannelName, UserId};
use shared_proto::process::settings::pair;
use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[derive(Parser)]
#[command(name = PROGRAM.name, version = PROGRAM.version, about = PROGRAM.about, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Check the settings and end
    #[arg(long)]
    pub(crate) check: bool,
    /// Print the documented default settings and end
    #[arg(long, conflicts_with = "check")]
    pub(crate) print_defaults: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The sources of settings besides variables.
#[derive(Args)]
pub(crate) struct Sources {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, such as connection.ping_interval=10s; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    flags: Vec<(String, String)>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print a token for a user, signed with tokens.hmac_secret
    Token(TokenRequest),
    /// Ask the gateway on this machine whether it is ready, within 2 s; exit with 0 or 1
    Health(Sources),
}

#[derive(Args)]
pub(crate) struct TokenRequest {
    /// The user of the token
    #[arg(long)]
    user: UserId,
    /// How long the token is valid
    #[arg(long, default_value = "1h", value_parser = ttl)]
    ttl: Duration,
    /// Make a subscription token for this channel, instead of a connection token
    #[arg(long)]
    channel: Option<ChannelName>,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

impl Sources {
    /// Reads all layers of settings.
    pub(crate) fn load(&self) -> Result<Settings, Problems> {
        Settings::load(&Layers { file: self.config.as_deref(), variables: None, flags: &self.flags })
    }
}

impl TokenRequest {
    /// Signs the token.
    pub(crate) fn sign(self, settings: &Settings) -> Result<String, Problems> {
        let tokens = Tokens::from(&settings.tokens);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (user, expires) = (self.user, Some(Duration::from_secs(now).saturating_add(self.ttl)));
        let signed = match self.channel {
            Some(channel) => tokens.sign_subscription(&SubscriptionClaims { user, channel, issued: None, expires, info: None }, now),
            None => tokens.sign_connection(&ConnectionClaims { expires, ..ConnectionClaims::of(user) }, now),
        };
        signed.map_err(|error| Problems::of("tokens.hmac_secret", error.to_string()))
    }
}

fn ttl(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("expected a duration with its unit such as 1h")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_signed_token_has_the_requested_claims() {
        let settings = Settings::from_toml("[tokens]\nhmac_secret = \"s\"").expect("valid");
        let tokens = Tokens::from(&settings.tokens);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let token = |args: &str| {
            let cli = Cli::try_parse_from(format!("gateway token {args}").split(' ')).unwrap_or_else(|error| panic!("{error}"));
            let Some(Command::Token(request)) = cli.command else { panic!("expected the command token") };
            request.sign(&settings).expect("there is a key")
        };
        let claims = tokens.verify_connection(&token("--user alice --ttl 90s"), now).expect("good").claims;
        assert_eq!(claims.user.as_str(), "alice");
        assert!((85..=95).contains(&claims.expires.expect("expires").saturating_sub(now).as_secs()));
        let claims = tokens.verify_subscription(&token("--user alice --channel chat:x"), now).expect("good").claims;
        assert_eq!(claims.channel.as_str(), "chat:x");
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for args in ["token", "token --user ..", "token --user a --ttl 90", "--set x", "--check --print-defaults", "--nothing"] {
            assert!(Cli::try_parse_from(format!("gateway {args}").split(' ')).is_err(), "{args}");
        }
    }
}
