//! Keys of issuers that the gateway fetches from a URL: many clients at once, and sources that are slow, away or hostile.

mod check_token;
mod clients;
mod connect;
mod hostile;
mod outage;
mod source;
mod transport;
