//! What identifies a call.

use crate::{broker::CallKey, services::caller::Caller};
use gateway_core::model::{Data, Fingerprint, ServiceName};

/// Identifies a call by its caller, service, method and key, and its data. An anonymous caller is its connection.
pub(crate) fn call_key(caller: &Caller, service: &ServiceName, method: &str, key: &str, data: &Data) -> CallKey {
    let mut name = Fingerprint::default();
    if caller.user.is_anonymous() {
        name.add(b"connection");
        name.add(caller.connection.to_string().as_bytes());
    } else {
        name.add(b"user");
        name.add(caller.user.as_bytes());
    }
    for part in [service.as_str(), method, key] {
        name.add(part.as_bytes());
    }
    let mut body = Fingerprint::default();
    body.add(data.get().as_bytes());
    CallKey { name: name.finish(), body: body.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn each_part_counts_and_no_two_run_into_each_other() {
        let data = |json: &str| Data::parse(serde_json::from_str::<&RawValue>(json).expect("JSON")).expect("shallow");
        let key = |caller: &Caller, service: &str, method, key, json| {
            call_key(caller, &service.parse().expect("valid"), method, key, &data(json))
        };
        let (alice, bob, guest, other_guest) = (Caller::of("alice"), Caller::of("bob"), Caller::of(""), Caller::of(""));
        let first = key(&alice, "shop", "buy", "1", "{\"a\": 1}");
        assert_eq!(key(&Caller::of("alice"), "shop", "buy", "1", "{ \"a\":1 }"), first, "from another connection, written otherwise");
        assert_eq!(key(&guest, "shop", "buy", "1", "1"), key(&guest, "shop", "buy", "1", "1"));
        let mut names = vec![first.name];
        for (caller, service, method, id) in [
            (&bob, "shop", "buy", "1"),
            (&alice, "bot", "buy", "1"),
            (&alice, "shop", "sell", "1"),
            (&alice, "shop", "buy", "2"),
            (&alice, "shop", "buy1", ""),
            (&guest, "shop", "buy", "1"),
            (&other_guest, "shop", "buy", "1"),
        ] {
            names.push(key(caller, service, method, id, "1").name);
        }
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        let other = key(&alice, "shop", "buy", "1", "{\"a\":2}");
        assert!(other.name == first.name && other.body != first.body);
    }
}
