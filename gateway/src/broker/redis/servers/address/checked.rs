//! The check of all settings for Redis.

use super::{
    address::{Address, ServerAddress},
    tls::certificates,
    url::{Url, UrlForm, Wrong},
};
use crate::settings::{self, Problems, RedisUrl};
use redis::RedisConnectionInfo;
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;

impl TryFrom<&settings::Redis> for Address {
    type Error = Problems;

    fn try_from(redis: &settings::Redis) -> Result<Self, Problems> {
        let written = match &redis.url {
            RedisUrl::One(url) => vec![(KEY.to_owned(), url)],
            RedisUrl::Several(all) => all.iter().map(|(name, url)| (format!("{KEY}.{name}"), url)).collect(),
        };
        let urls = all(&written, |url| Url::split(url.expose_secret()))?;
        without_effect(redis, &urls)?;
        let tls = urls.iter().any(|(_, url)| url.tls).then(|| certificates(redis)).transpose()?;
        let login = sentinel_login(redis);
        let mut found = all(&urls, |url| url.address(tls.as_ref().filter(|_| url.tls), &login))?;
        match &redis.url {
            RedisUrl::One(_) => found.pop().map(|(_, only)| only).ok_or_else(|| Problems::of(KEY, Wrong::Form.to_string())),
            RedisUrl::Several(names) => several(names.iter().map(|(name, _)| &**name).zip(found)),
        }
    }
}

const KEY: &str = "redis.url";

/// Applies `make` to all values. Returns all results, or all errors.
fn all<'a, T, U>(from: &'a [(String, T)], make: impl Fn(&'a T) -> Result<U, Wrong>) -> Result<Vec<(String, U)>, Problems> {
    let (mut good, mut problems) = (Vec::new(), Problems::default());
    for (key, one) in from {
        match make(one) {
            Ok(one) => good.push((key.clone(), one)),
            Err(wrong) => problems.add(key, wrong.to_string()),
        }
    }
    problems.into_result(good)
}

/// Makes the address of several servers. Each has a name, and a key in the settings for messages.
fn several<'a>(named: impl Iterator<Item = (&'a str, (String, Address))>) -> Result<Address, Problems> {
    let (mut servers, mut problems) = (BTreeMap::<Box<str>, ServerAddress>::new(), Problems::default());
    for (name, (key, address)) in named {
        let Address::One(server) = address else {
            problems.add(key, "a Redis Cluster divides the channels itself: make this the only URL of redis.url");
            continue;
        };
        if let Some((other, _)) = servers.iter().find(|(_, known)| known.is_same_server(&server)) {
            problems.add(key, format!("leads to the same server as {KEY}.{other}"));
        }
        servers.insert(name.into(), server);
    }
    problems.into_result(Address::Several(servers))
}

fn sentinel_login(redis: &settings::Redis) -> RedisConnectionInfo {
    let (user, password) = (&redis.sentinel_user, redis.sentinel_password.expose_secret());
    let login = RedisConnectionInfo::default();
    let login = if user.is_empty() { login } else { login.set_username(user) };
    if password.is_empty() { login } else { login.set_password(password) }
}

/// Refuses settings that look like protection but have no effect.
fn without_effect(redis: &settings::Redis, urls: &[(String, Url<'_>)]) -> Result<(), Problems> {
    let mut problems = Problems::default();
    let (tls, sentinels) = (urls.iter().any(|(_, url)| url.tls), urls.iter().any(|(_, url)| url.form == UrlForm::Sentinels));
    for (key, file) in [("redis.ca_file", &redis.ca_file), ("redis.cert_file", &redis.cert_file), ("redis.key_file", &redis.key_file)] {
        if !tls && !file.is_empty() {
            problems.add(key, "has no effect without TLS: begin redis.url with rediss");
        }
    }
    let password = redis.sentinel_password.expose_secret();
    for (key, text) in [("redis.sentinel_user", &*redis.sentinel_user), ("redis.sentinel_password", password)] {
        if !sentinels && !text.is_empty() {
            problems.add(key, "has no effect without sentinels: begin redis.url with redis+sentinel, or rediss+sentinel");
        }
    }
    problems.into_result(())
}
