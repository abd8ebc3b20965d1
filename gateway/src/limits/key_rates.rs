//! How many requests services may send with an API key.

use gateway_core::{
    limits::{Meter, Rate},
    model::{ErrorCode, Refusal, Tick, lock},
};
use std::{collections::BTreeMap, sync::Mutex, time::Instant};

/// The requests of each name of API keys. There are as many meters as names.
#[derive(Debug)]
pub struct KeyRates {
    rate: Option<Rate>,
    start: Instant,
    names: Mutex<BTreeMap<Box<str>, OfName>>,
}

#[derive(Debug, Default)]
struct OfName {
    meter: Meter,
    refused: u64,
}

impl KeyRates {
    /// The rate of each of these names. None: there is no limit.
    pub fn new<'a>(rate: Option<Rate>, names: impl IntoIterator<Item = &'a str>) -> Self {
        let rates = Self { rate, start: Instant::now(), names: Mutex::default() };
        rates.set_names(names);
        rates
    }

    /// Uses these names from now on. What those used that were there before still counts.
    pub fn set_names<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let mut known = lock(&self.names);
        let mut earlier = std::mem::take(&mut *known);
        for name in names {
            known.entry(name.into()).or_insert_with(|| earlier.remove(name).unwrap_or_default());
        }
    }

    /// Takes a request with a key of this name, or refuses it and says when to send it again.
    pub fn admit(&self, name: &str) -> Result<(), Refusal> {
        self.admit_at(Tick(self.start.elapsed().as_millis() as u64), name)
    }

    fn admit_at(&self, now: Tick, name: &str) -> Result<(), Refusal> {
        let mut names = lock(&self.names);
        let (Some(rate), Some(of_name)) = (self.rate, names.get_mut(name)) else { return Ok(()) };
        let Err(pause) = of_name.meter.admit(rate, now, 1) else { return Ok(()) };
        of_name.refused += 1;
        let detail = format!("The keys of the name {name} send more requests than limits.key.requests_per_second. Slow down.");
        Err(Refusal { retry_after: Some(pause), ..Refusal::new(ErrorCode::TooManyRequests, detail) })
    }

    /// How many requests were refused, by name.
    pub fn refused(&self) -> Vec<(Box<str>, u64)> {
        lock(&self.names).iter().map(|(name, of_name)| (name.clone(), of_name.refused)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn refused(ms: u64) -> Result<(), (ErrorCode, Option<Duration>)> {
        Err((ErrorCode::TooManyRequests, Some(Duration::from_millis(ms))))
    }

    fn admit(rates: &KeyRates, ms: u64, name: &str) -> Result<(), (ErrorCode, Option<Duration>)> {
        rates.admit_at(Tick(ms), name).map_err(|refusal| (refusal.code, refusal.retry_after))
    }

    #[test]
    fn each_name_has_its_own_rate_and_a_refusal_says_when_to_come_back() {
        let rates = KeyRates::new(Rate::new(2, 3), ["orders", "billing"]);
        assert_eq!([0; 4].map(|_| admit(&rates, 0, "orders")), [Ok(()), Ok(()), Ok(()), refused(500)]);
        assert_eq!(admit(&rates, 0, "billing"), Ok(()));
        assert_eq!([admit(&rates, 400, "orders"), admit(&rates, 500, "orders")], [refused(100), Ok(())]);
        assert_eq!(rates.refused(), [("billing".into(), 0), ("orders".into(), 2)]);
        assert_eq!(admit(&KeyRates::new(None, ["orders"]), 0, "orders"), Ok(()));
    }

    #[test]
    fn a_name_that_stays_keeps_what_it_used() {
        let rates = KeyRates::new(Rate::new(1, 1), ["orders", "old"]);
        assert_eq!([admit(&rates, 0, "orders"), admit(&rates, 0, "orders")], [Ok(()), refused(1000)]);
        rates.set_names(["new", "orders", "orders"]);
        assert_eq!(admit(&rates, 0, "orders"), refused(1000));
        assert_eq!([admit(&rates, 0, "new"), admit(&rates, 0, "new")], [Ok(()), refused(1000)]);
        assert_eq!(rates.refused(), [("new".into(), 1), ("orders".into(), 2)]);
    }
}
