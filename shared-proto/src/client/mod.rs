//! Typed clients for services.
