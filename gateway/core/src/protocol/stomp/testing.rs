//! Reads frames of a server, for tests.
