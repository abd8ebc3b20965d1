//! Runs the gateway with checked settings.

use crate::{
    auth::{ApiKeys, Hosts, Origins, Tokens, TrustedProxies, check_exposure, exposure_warnings},
    broker::RedisAddress,
    jwks::Fetchers,
    server::{self, RunError},
    services::ServiceConfig,
    settings::{BrokerKind, KeySources, Problems, Settings},
    telemetry::Telemetry,
};

/// Makes the same checks of settings as a start.
pub fn check(settings: &Settings) -> Result<(), Problems> {
    let mut problems = Problems::default();
    if let Err(found) = Origins::try_from(&settings.public) {
        problems.append(found);
    }
    if let Err(found) = Hosts::try_from(&settings.public) {
        problems.append(found);
    }
    if let Err(found) = ApiKeys::try_from(&settings.api_keys[..]) {
        problems.append(found);
    }
    if let Err(found) = TrustedProxies::try_from(&settings.public) {
        problems.append(found);
    }
    if let Err(found) = server::check_tls(settings) {
        problems.append(found);
    }
    let tokens = Tokens::try_from(settings).unwrap_or_else(|found| {
        problems.append(found);
        Tokens::from(&settings.tokens)
    });
    if let Err(found) = Fetchers::new(settings, &tokens) {
        problems.append(found);
    }
    if let Err(found) = check_exposure(settings, &tokens) {
        problems.append(found);
    }
    if settings.broker.kind == BrokerKind::Redis
        && let Err(found) = RedisAddress::try_from(&settings.redis)
    {
        problems.append(found);
    }
    for (name, service) in &settings.services {
        if let Err(found) = ServiceConfig::new(name, settings, service) {
            problems.append(found);
        }
    }
    if let Err(found) = Telemetry::check(settings) {
        problems.append(found);
    }
    problems.into_result(())
}

/// What is allowed and will cause faults, or lets others in.
pub fn warnings(settings: &Settings) -> Problems {
    let mut warnings = settings.warnings();
    // Tokens that cannot be read are a problem, and no warning.
    if let Ok(tokens) = Tokens::try_from(settings) {
        warnings.append(exposure_warnings(settings, &tokens));
    }
    warnings
}

/// Runs a node until a signal stops it. Its API keys change with their sources. Must not be called from async code: it starts the runtimes itself.
pub fn run(settings: &Settings, keys: KeySources, telemetry: &Telemetry) -> Result<(), RunError> {
    check(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("main").build()?;
    runtime.block_on(server::run(settings, keys, telemetry.metrics()))
}
