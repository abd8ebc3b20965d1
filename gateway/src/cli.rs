//! The command line.

use clap::{Args, Parser, Subcommand};
use gateway::{
    RunError,
    auth::{ConnectionClaims, NewKey, SubscriptionClaims, TokenReport, Tokens},
    jwks::Fetchers,
    settings::{self, KeySources, Layers, NAME_BYTES, PROGRAM, Problems, Settings, is_plain_name, parse_duration},
};
use gateway_core::{
    channel::Capabilities,
    model::{ChannelName, UserId},
};
use shared_proto::process::{manual::Shell, settings::pair};
use std::{
    io,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[derive(Parser)]
#[command(name = PROGRAM.name, version = PROGRAM.version, about = PROGRAM.about, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Check the settings, print them without secrets, and end
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
    /// Read a token from the standard input and say whether the gateway accepts it, and why not; exit with 0 or 1
    CheckToken(Sources),
    /// Make an API key for a service, and print it with its entry for the settings
    NewKey {
        /// The name of the key, which logs and metrics show
        #[arg(long, default_value = "service", value_parser = key_name)]
        name: String,
    },
    /// Print the users that Redis needs, with their rights, for these settings
    RedisAcl(Sources),
    /// Ask the gateway on this machine whether it is ready, within 2 s; exit with 0 or 1
    Health(Sources),
    /// Print completions for a shell
    Completions {
        /// bash, zsh or fish
        #[arg(value_enum, hide_possible_values = true)]
        shell: Shell,
    },
    /// Print the manual page in roff
    #[command(hide = true)]
    Man,
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
    /// What the connection may do in channels, as the claim `capabilities`; left out: what the namespaces allow
    #[arg(long, value_name = "JSON", value_parser = capabilities, conflicts_with = "channel")]
    capabilities: Option<Capabilities>,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

impl Sources {
    /// Reads all layers of settings.
    pub(crate) fn load(&self) -> Result<Settings, Problems> {
        Settings::load(&self.layers())
    }

    /// Finds the sources of the API keys.
    pub(crate) fn keys(&self) -> Result<KeySources, Problems> {
        KeySources::new(&self.layers())
    }

    fn layers(&self) -> Layers<'_> {
        Layers { file: self.config.as_deref(), variables: None, flags: &self.flags }
    }
}

impl TokenRequest {
    /// Signs the token.
    pub(crate) fn sign(self, settings: &Settings) -> Result<String, Problems> {
        let settings::Tokens { unbounded, revocation_ttl, .. } = settings.tokens;
        if !unbounded && self.ttl > revocation_ttl {
            let why = "is shorter than --ttl, so the gateway would refuse the token: choose a shorter --ttl, or set tokens.unbounded";
            return Err(Problems::of("tokens.revocation_ttl", why));
        }
        let tokens = Tokens::from(&settings.tokens);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (user, expires) = (self.user, Some(Duration::from_secs(now).saturating_add(self.ttl)));
        let signed = if let Some(channel) = self.channel {
            tokens.sign_subscription(&SubscriptionClaims { user, channel, issued: None, expires, revocable: None, info: None }, now)
        } else {
            let capabilities = self.capabilities.map(Box::new);
            tokens.sign_connection(&ConnectionClaims { expires, capabilities, ..ConnectionClaims::of(user) }, now)
        };
        signed.map_err(|error| Problems::of("tokens.hmac_secret", error.to_string()))
    }
}

/// Makes a key. The text has the key, and the entry for the settings with its hash.
pub(crate) fn new_key(name: &str) -> io::Result<String> {
    let NewKey { key, hash } = NewKey::generate().ok_or_else(|| io::Error::other("the system gives no random bytes"))?;
    Ok(format!(
        "# For the service, sent as \"Authorization: Bearer\". It is not shown again:\n{key}\n\n# For the settings of every gateway:\n\
         [[api_keys]]\nname = {name:?}\nkey_hash = {hash:?}\n# Without scopes it may do everything:\n\
         # scopes = [\"publish:{name}:*\", \"read:{name}:*\"]"
    ))
}

fn key_name(text: &str) -> Result<String, String> {
    let problem = || format!("expected 1 to {NAME_BYTES} characters of A-Z a-z 0-9 . _ -");
    is_plain_name(text).then(|| text.to_owned()).ok_or_else(problem)
}

/// Explains the token in `text` by the keys of the settings. Fetches those that have a URL.
pub(crate) fn check_token(settings: &Settings, text: &str) -> Result<TokenReport, RunError> {
    // As in `Authorization: Bearer …`, which people copy.
    let token = text.split_whitespace().last().unwrap_or_default();
    let tokens = Tokens::try_from(settings)?;
    let fetchers = Fetchers::new(settings, &tokens)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fetched = runtime.block_on(fetchers.fetch_for(token, &tokens));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(tokens.explain(token, now).with_facts("keys from", fetched))
}

fn capabilities(text: &str) -> Result<Capabilities, String> {
    let json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Capabilities::parse(json).map_err(|error| format!("they {error}"))
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
        let claims = tokens.verify_connection(&token(r#"--user alice --capabilities {"chat:*":["publish"]}"#), now).expect("good").claims;
        assert_eq!(serde_json::to_string(&claims.capabilities).expect("JSON"), r#"{"chat:*":["publish"]}"#);
        let claims = tokens.verify_connection(&token("--user alice --ttl 24h"), now).expect("as long as revocations are remembered").claims;
        assert_eq!(claims.user.as_str(), "alice");
        let claims = tokens.verify_subscription(&token("--user alice --channel chat:x"), now).expect("good").claims;
        assert_eq!(claims.channel.as_str(), "chat:x");
    }

    #[test]
    fn a_token_that_the_gateway_would_refuse_is_not_signed() {
        let sign = |toml: &str| {
            let settings = Settings::from_toml(&format!("[tokens]\nhmac_secret = \"s\"\nrevocation_ttl = \"1h\"\n{toml}")).expect("valid");
            let cli = Cli::try_parse_from(["gateway", "token", "--user", "a", "--ttl", "2h"]).unwrap_or_else(|error| panic!("{error}"));
            let Some(Command::Token(request)) = cli.command else { panic!("expected the command token") };
            request.sign(&settings).map_err(|problems| problems.to_string())
        };
        assert!(sign("").is_err_and(|why| why.contains("--ttl") && why.contains("tokens.unbounded")));
        assert!(sign("unbounded = true").is_ok());
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for args in [
            "token",
            "token --user ..",
            "token --user a --ttl 90",
            "token --user a --capabilities {",
            r#"token --user a --capabilities {"*:a":[]}"#,
            "token --user a --capabilities {} --channel a",
            "--set x",
            "--check --print-defaults",
            "--nothing",
        ] {
            assert!(Cli::try_parse_from(format!("gateway {args}").split(' ')).is_err(), "{args}");
        }
    }
}
