//! Ingest with real servers.

mod bed;
mod entries;
mod owners;
mod stores;
