//! Secrets in files.

use super::*;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path of a file with this content.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).expect("written");
        self.path(name).display().to_string()
    }
}

fn load(file: Option<&str>, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = TempDir::new().expect("a folder");
    let path = file.map(|text| {
        let path = folder.path().join("gateway.toml");
        fs::write(&path, text).expect("written");
        path
    });
    let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
    let variables = Some(owned(variables).into_iter().collect());
    Settings::load(&Layers { file: path.as_deref(), variables, flags: &owned(flags) }).map_err(|problems| problems.to_string())
}

#[test]
fn every_secret_may_be_in_a_file() {
    let mut listed: Vec<_> = PROGRAM.secrets.iter().filter(|key| **key != "api_keys").map(ToString::to_string).collect();
    let mut secrets = Settings::secrets();
    listed.sort_unstable();
    secrets.sort_unstable();
    assert_eq!(listed, secrets);
}

#[test]
fn a_secret_is_the_content_of_its_file_without_the_last_line_end() {
    let files = Files::new();
    for (content, secret) in [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), (" s \n\n", " s \n"), ("00123", "00123"), ("\u{e4}\n", "\u{e4}")] {
        let path = files.write("hmac", content);
        let toml = format!("[tokens]\nhmac_secret_file = {path:?}");
        for settings in [
            load(Some(&toml), &[], &[]),
            load(None, &[("GATEWAY__TOKENS__HMAC_SECRET_FILE", &path)], &[]),
            load(None, &[], &[("tokens.hmac_secret_file", &path)]),
            Settings::from_toml(&toml).map_err(|problems| problems.to_string()),
        ] {
            assert_eq!(settings.expect("valid").tokens.hmac_secret.expose_secret(), secret, "{content:?}");
        }
    }
}

#[test]
fn lists_and_tables_of_secrets_may_be_in_files() {
    let files = Files::new();
    let (one, two) = (files.write("one", "hush-1\n"), files.write("two", "hush-2\n"));
    let toml = format!(
        "[[api_keys]]\nname = \"a\"\nkey_file = {one:?}\n[redis]\nurl_file = {{ a = {one:?}, b = {two:?} }}\nsentinel_password_file = {two:?}\n\
         [services.shop]\nreach = \"webhook\"\nurls = [\"http://h\"]\nsecrets_file = [{one:?}, {two:?}]\nheaders_file = {{ authorization = {one:?} }}"
    );
    let header = [("GATEWAY__SERVICES__SHOP__HEADERS_FILE__X_API_KEY", &*two)];
    let settings = load(Some(&toml), &header, &[]).expect("valid");
    let shop = &settings.services["shop"].service;
    let secrets: Vec<_> = shop.secrets.0.iter().map(secrecy::ExposeSecret::expose_secret).collect();
    let headers: Vec<_> = shop.headers.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!((secrets, headers), (vec!["hush-1", "hush-2"], vec![("authorization", "hush-1"), ("x-api-key", "hush-2")]));
    assert_eq!((settings.api_keys[0].key.expose_secret(), settings.redis.sentinel_password.expose_secret()), ("hush-1", "hush-2"));
    let RedisUrl::Several(urls) = &settings.redis.url else { panic!("two") };
    assert_eq!(urls.iter().map(|(name, url)| (name.as_str(), url.expose_secret())).collect::<Vec<_>>(), [("a", "hush-1"), ("b", "hush-2")]);
    assert!(!settings.effective().contains("hush") && !settings.effective().contains(&one));

    let keys = files.write("keys", "orders=k-1\nbilling=k-2, web=k-3\nshop=sha256:ab read publish:shop:*\n");
    let secrets = files.write("secrets", "s-1\ns-2\n");
    let variables = [
        ("GATEWAY__API_KEYS_FILE", &*keys),
        ("GATEWAY__SERVICES__SHOP__SECRETS_FILE", &secrets),
        ("GATEWAY__SERVICES__SHOP__REACH", "webhook"),
        ("GATEWAY__SERVICES__SHOP__URLS", "http://h"),
    ];
    let settings = load(None, &variables, &[]).expect("valid");
    let keys: Vec<_> = settings.api_keys.iter().map(|key| (key.name.as_str(), key.key.expose_secret())).collect();
    assert_eq!(keys, [("orders", "k-1"), ("billing", "k-2"), ("web", "k-3"), ("shop", "")]);
    let shop = &settings.api_keys[3];
    assert_eq!((shop.key_hash.expose_secret(), shop.scopes.0.as_ref().map(Vec::len)), ("sha256:ab", Some(2)), "a hash is no key");
    assert_eq!(settings.services["shop"].service.secrets.0.len(), 2);
}

#[test]
fn a_later_layer_overrides_a_secret_or_its_file() {
    let files = Files::new();
    let path = files.write("hmac", "of-file");
    let toml = format!("[tokens]\nhmac_secret_file = {path:?}");
    let secret = |file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]| {
        load(Some(file), variables, flags).expect("valid").tokens.hmac_secret.expose_secret().to_owned()
    };
    let (plain, of_file) = ("GATEWAY__TOKENS__HMAC_SECRET", "GATEWAY__TOKENS__HMAC_SECRET_FILE");
    assert_eq!(secret(&toml, &[(plain, "plain")], &[]), "plain");
    assert_eq!(secret("tokens.hmac_secret = \"plain\"", &[(of_file, &path)], &[]), "of-file");
    assert_eq!(secret("", &[(plain, "plain")], &[("tokens.hmac_secret_file", &path)]), "of-file");
    assert_eq!(secret(&toml, &[(of_file, "")], &[]), "of-file", "an empty variable is not set");
    assert_eq!(secret("tokens.hmac_secret_file = \"\"", &[], &[]), "");
}

#[test]
fn a_file_that_has_no_secret_is_a_problem_with_a_cure() {
    let files = Files::new();
    let (empty, binary) = (files.write("empty", "\n"), files.write("binary", [0xFF, 0xFE]));
    let large = files.write("large", vec![b'x'; (64 << 10) + 1]);
    let folder = files.0.path().display().to_string();
    let missing = files.path("missing").display().to_string();
    let missing = missing.as_str();
    for (path, says) in [
        (missing, "does not exist; create or mount it, or set tokens.hmac_secret instead"),
        (&folder, "is a directory; name a file in it, or set"),
        (&empty, "is empty; write the secret into it, or set"),
        (&binary, "is not UTF-8; write the secret as text, or set"),
        (&large, "more than 64 KiB; name the file with the secret, or set"),
    ] {
        let problem = load(None, &[("GATEWAY__TOKENS__HMAC_SECRET_FILE", path)], &[]).expect_err(path);
        assert!(problem.contains("tokens.hmac_secret_file: ") && problem.contains(says), "{problem}");
        assert!(problem.contains(path) && problem.ends_with("(in the environment)"), "{problem}");
    }
    for (toml, key, says) in [
        (
            format!("[tokens]\nhmac_secret = \"hush\"\nhmac_secret_file = {missing:?}"),
            "tokens.hmac_secret_file",
            "tokens.hmac_secret is set, too",
        ),
        ("[tokens]\nhmac_secret_file = 7".into(), "tokens.hmac_secret_file", "expected the path of a file"),
        (format!("[[api_keys]]\nname = \"a\"\nkey_file = {missing:?}"), "api_keys[0].key_file", "or set api_keys[0].key instead"),
        (format!("[services.shop]\nheaders_file = {{ a = {missing:?} }}"), "services.shop.headers_file", "does not exist"),
        (format!("[services.shop]\nsecrets_file = [{missing:?}]"), "services.shop.secrets_file", "does not exist"),
        // Only secrets may be in files.
        (format!("[tokens]\nissuer_file = {missing:?}"), "tokens.issuer_file", "unknown key"),
    ] {
        let problem = load(Some(&toml), &[], &[]).expect_err(&toml);
        assert!(problem.contains(&format!("{key}: ")) && problem.contains(says) && !problem.contains("hush"), "{toml}: {problem}");
    }
}
