//! Runs the gateway with checked settings.

use crate::{
    auth::{Origins, TrustedProxies},
    broker::RedisAddress,
    server::{self, RunError},
    services::ServiceConfig,
    settings::{BrokerKind, Problems, Settings},
    telemetry::Telemetry,
};

/// Makes the same checks of settings as a start.
pub fn check(settings: &Settings) -> Result<(), Problems> {
    let mut problems = Problems::default();
    if let Err(found) = Origins::try_from(&settings.public) {
        problems.append(found);
    }
    if let Err(found) = TrustedProxies::try_from(&settings.public) {
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

/// Runs a node until a signal stops it. Must not be called from async code: it starts the runtimes itself.
pub fn run(settings: &Settings, telemetry: &Telemetry) -> Result<(), RunError> {
    check(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("main").build()?;
    runtime.block_on(server::run(settings, telemetry.metrics()))
}
