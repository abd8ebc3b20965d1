//! Frames of the frontend protocol: the JSON form of the Centrifuge client protocol.
