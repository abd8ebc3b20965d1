//! Tests of STOMP connections.
