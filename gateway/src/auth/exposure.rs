//! Settings that must not be open to others: those for experiments on one machine, and weak secrets. With one of them, a gateway does not listen
//! beyond this machine, unless `allow_insecure` names it.

use super::tokens::Tokens;
use crate::settings::{ApiKey, Insecurity, NodeRole, Problems, Settings};
use secrecy::ExposeSecret as _;
use std::net::SocketAddr;

/// The API key of `dev.toml`, and its SHA-256.
const DEV_KEY: (&str, &str) = ("dev", "ef260e9aa3c673af240d17a2660480361a8e081d1ffeca2a5ed0e3219fc18567");
/// `tokens.hmac_secret` of `dev.toml`.
const DEV_SECRET: &str = "dev-secret";

/// A setting that is open to others.
struct Exposed {
    what: Insecurity,
    key: String,
    /// What is wrong with it.
    fault: &'static str,
    /// The listener that opens it, and its address.
    listener: (&'static str, SocketAddr),
    cure: &'static str,
}

impl Exposed {
    fn text(&self) -> String {
        let Self { fault, listener: (name, address), cure, .. } = self;
        format!("{fault}, and {name}.address {address} is open to others than this machine: {cure}, or listen at 127.0.0.1")
    }
}

/// Refuses settings that are open to others and that `allow_insecure` does not name.
pub fn check_exposure(settings: &Settings, tokens: &Tokens) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for each in exposed(settings, tokens).into_iter().filter(|each| !settings.allow_insecure.contains(&each.what)) {
        let accept = format!("to accept this, write allow_insecure = [\"{}\"]", each.what.name());
        problems.add(each.key.clone(), format!("{}; {accept}", each.text()));
    }
    problems.into_result(())
}

/// What is open to others because `allow_insecure` names it, and the names there that allow nothing.
pub fn exposure_warnings(settings: &Settings, tokens: &Tokens) -> Problems {
    let (mut warnings, exposed) = (Problems::default(), exposed(settings, tokens));
    for name in &settings.allow_insecure {
        let found: Vec<_> = exposed.iter().filter(|each| each.what == *name).collect();
        if found.is_empty() {
            warnings.add("allow_insecure", format!("names \"{}\", which allows nothing here: remove it", name.name()));
        }
        for each in found {
            warnings.add(each.key.clone(), format!("insecure: {}. allow_insecure names \"{}\"", each.text(), name.name()));
        }
    }
    warnings
}

fn exposed(settings: &Settings, tokens: &Tokens) -> Vec<Exposed> {
    let (public, internal) = (settings.public.address, settings.internal.address);
    let mut all = Vec::new();
    if settings.node.role == NodeRole::Full && is_open(public) {
        let mut add = |what, key: String, fault, cure| all.push(Exposed { what, key, fault, listener: ("public", public), cure });
        if settings.demo.enabled {
            add(Insecurity::Demo, "demo.enabled".into(), "gives everybody a token for any user", "set it to false");
        }
        let (secret, made) = ("tokens.hmac_secret", "set 32 random bytes, such as `openssl rand -hex 32` prints");
        let is_dev = settings.tokens.hmac_secret.expose_secret() == DEV_SECRET;
        if is_dev {
            add(Insecurity::DevKey, secret.into(), "is that of dev.toml, which everybody knows", made);
        }
        for key in tokens.short_secrets().into_iter().filter(|key| !(is_dev && key == secret)) {
            let fault = "has a secret that is shorter than the hash of its algorithm (32 bytes for HS256), so it can be guessed";
            add(Insecurity::ShortSecret, key, fault, made);
        }
    }
    if is_open(internal) {
        for (at, _) in settings.api_keys.iter().enumerate().filter(|(_, key)| is_dev_key(key)) {
            let (fault, cure) = ("is the key of dev.toml, which everybody knows", "set one that `gateway new-key` makes");
            let key = format!("api_keys[{at}]");
            all.push(Exposed { what: Insecurity::DevKey, key, fault, listener: ("internal", internal), cure });
        }
    }
    all
}

fn is_open(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

fn is_dev_key(entry: &ApiKey) -> bool {
    let hash = entry.key_hash.expose_secret().to_ascii_lowercase();
    entry.key.expose_secret() == DEV_KEY.0 || hash.rsplit(':').next() == Some(DEV_KEY.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    const DEV: &str = include_str!("../../config/dev.toml");

    /// The settings of `dev.toml` with these before them.
    fn dev(flags: &[(&str, &str)]) -> Settings {
        let toml = flags.iter().map(|(key, value)| format!("{key} = {value}\n")).collect::<Vec<_>>().concat();
        Settings::from_toml(&format!("{toml}{DEV}")).expect("valid")
    }

    fn refused(settings: &Settings) -> Vec<String> {
        let tokens = Tokens::try_from(settings).expect("valid");
        check_exposure(settings, &tokens)
            .err()
            .into_iter()
            .flat_map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>())
            .collect()
    }

    fn warnings(settings: &Settings) -> Vec<String> {
        let tokens = Tokens::try_from(settings).expect("valid");
        exposure_warnings(settings, &tokens).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_development_settings_are_not_for_others() {
        assert_eq!((refused(&dev(&[])), warnings(&dev(&[]))), (vec![], vec![]));
        let (public, internal) = (("public.address", "\"0.0.0.0:8000\""), ("internal.address", "\"[::]:8001\""));
        let open = refused(&dev(&[public, internal]));
        let [demo, secret, key] = &open[..] else { panic!("{open:?}") };
        assert!(demo.starts_with("demo.enabled: gives everybody a token for any user, and public.address 0.0.0.0:8000 is open"), "{demo}");
        assert!(demo.contains("set it to false, or listen at 127.0.0.1; to accept this, write allow_insecure = [\"demo\"]"), "{demo}");
        assert!(secret.starts_with("tokens.hmac_secret: is that of dev.toml") && secret.contains("[\"dev-key\"]"), "{secret}");
        assert!(key.starts_with("api_keys[0]: is the key of dev.toml, which everybody knows, and internal.address [::]:8001"), "{key}");
        assert_eq!((refused(&dev(&[public])).len(), refused(&dev(&[internal])).len()), (2, 1));
        for address in ["192.0.2.1", "10.0.0.1", "[2001:db8::1]", "[::ffff:192.0.2.1]"] {
            assert_eq!(refused(&dev(&[("public.address", &format!("\"{address}:8000\""))])).len(), 2, "{address}");
        }
        for address in ["127.0.0.1", "127.8.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            assert_eq!(refused(&dev(&[("public.address", &format!("\"{address}:8000\""))])), Vec::<String>::new(), "{address}");
        }
        let allowed = dev(&[public, internal, ("allow_insecure", "[\"demo\", \"dev-key\"]")]);
        let reported = warnings(&allowed);
        assert_eq!((refused(&allowed), reported.len()), (vec![], 3), "{reported:?}");
        assert!(
            reported[0].starts_with("demo.enabled: insecure: gives everybody a token")
                && reported[0].ends_with("allow_insecure names \"demo\"")
        );
    }

    #[test]
    fn a_name_allows_nothing_else_and_is_reported_if_it_is_not_needed() {
        let settings = dev(&[("public.address", "\"0.0.0.0:8000\""), ("allow_insecure", "[\"demo\", \"short-secret\"]")]);
        let (refused, reported) = (refused(&settings), warnings(&settings));
        assert!(refused.len() == 1 && refused[0].starts_with("tokens.hmac_secret: is that of dev.toml"), "{refused:?}");
        assert!(
            reported.len() == 2 && reported[1].starts_with("allow_insecure: names \"short-secret\", which allows nothing here"),
            "{reported:?}"
        );
        assert_eq!(warnings(&dev(&[("allow_insecure", "[\"demo\"]")])).len(), 1, "the listeners are closed to others");
    }

    #[test]
    fn a_secret_has_the_size_of_its_hash() {
        let open = |secret: &str| {
            refused(
                &Settings::from_toml(&format!("[public]\naddress = \"0.0.0.0:8000\"\n[tokens]\nhmac_secret = \"{secret}\""))
                    .expect("valid"),
            )
        };
        assert_eq!((open(""), open(&"s".repeat(32))), (vec![], vec![]));
        let short = open(&"s".repeat(31));
        assert!(short.len() == 1 && short[0].starts_with("tokens.hmac_secret: has a secret that is shorter than the hash"), "{short:?}");
        assert!(short[0].contains("allow_insecure = [\"short-secret\"]") && !short[0].contains("sss"), "{short:?}");
    }

    #[test]
    fn a_node_for_services_has_no_listener_for_frontends() {
        let api = "broker.kind = \"redis\"\nnode.role = \"api\"\npublic.address = \"0.0.0.0:8000\"\ntokens.hmac_secret = \"s\"\n";
        assert_eq!(refused(&Settings::from_toml(api).expect("valid")), Vec::<String>::new());
    }

    #[test]
    fn the_keys_are_those_of_the_development_settings() {
        let settings = dev(&[]);
        assert!(is_dev_key(&settings.api_keys[0]) && settings.tokens.hmac_secret.expose_secret() == DEV_SECRET);
        let hash = Sha256::digest(DEV_KEY.0).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        assert_eq!(hash, DEV_KEY.1);
        for (written, is_dev) in [(hash.clone(), true), (format!("sha256:{}", hash.to_uppercase()), true), ("0".repeat(64), false)] {
            let settings = Settings::from_toml(&format!("[[api_keys]]\nname = \"a\"\nkey_hash = \"{written}\"")).expect("valid");
            assert_eq!(is_dev_key(&settings.api_keys[0]), is_dev, "{written}");
        }
    }
}
