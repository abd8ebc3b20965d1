//! How many requests services may send with an API key.

use gateway_core::{
    limits::{Meter, Rate},
    model::{ErrorCode, Refusal, Tick, lock},
};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// The requests of each name of API keys. There are as many meters as names in the settings.
#[derive(Debug)]
pub struct KeyRates {
    rate: Option<Rate>,
    start: Instant,
    names: BTreeMap<Box<str>, OfName>,
}

#[derive(Debug, Default)]
struct OfName {
    meter: Mutex<Meter>,
    refused: AtomicU64,
}

impl KeyRates {
    /// The rate of each of these names. None: there is no limit.
    pub fn new<'a>(rate: Option<Rate>, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { rate, start: Instant::now(), names: names.into_iter().map(|name| (name.into(), OfName::default())).collect() }
    }

    /// Takes a request with a key of this name, or refuses it and says when to send it again.
    pub fn admit(&self, name: &str) -> Result<(), Refusal> {
        self.admit_at(Tick(self.start.elapsed().as_millis() as u64), name)
    }

    fn admit_at(&self, now: Tick, name: &str) -> Result<(), Refusal> {
        let (Some(rate), Some(of_name)) = (self.rate, self.names.get(name)) else { return Ok(()) };
        let Err(pause) = lock(&of_name.meter).admit(rate, now, 1) else { return Ok(()) };
        of_name.refused.fetch_add(1, Relaxed);
        let detail = format!("The keys of the name {name} send more requests than limits.key.requests_per_second. Slow down.");
        Err(Refusal { retry_after: Some(pause), ..Refusal::new(ErrorCode::TooManyRequests, detail) })
    }

    /// How many requests were refused, by name.
    pub fn refused(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names.iter().map(|(name, of_name)| (&**name, of_name.refused.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_name_has_its_own_rate_and_a_refusal_says_when_to_come_back() {
        let rates = KeyRates::new(Rate::new(2, 3), ["orders", "billing"]);
        let admit = |ms, name| rates.admit_at(Tick(ms), name).map_err(|refusal| (refusal.code, refusal.retry_after));
        let refused = |ms| Err((ErrorCode::TooManyRequests, Some(Duration::from_millis(ms))));
        assert_eq!([0; 4].map(|_| admit(0, "orders")), [Ok(()), Ok(()), Ok(()), refused(500)]);
        assert_eq!(admit(0, "billing"), Ok(()));
        assert_eq!([admit(400, "orders"), admit(500, "orders")], [refused(100), Ok(())]);
        assert_eq!(rates.refused().collect::<Vec<_>>(), [("billing", 0), ("orders", 2)]);
        assert_eq!(KeyRates::new(None, ["orders"]).admit_at(Tick(0), "orders"), Ok(()));
    }
}
