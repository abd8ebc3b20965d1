//! The JSON form of the Centrifuge client protocol.
