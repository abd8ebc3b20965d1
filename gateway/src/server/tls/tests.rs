use super::check;
use crate::settings::{Problems, Settings};
use redis_testing::{Authority, Certificate};
use std::fs;

/// All problems with these settings.
fn problems(toml: &str) -> Vec<String> {
    let checked = check(&Settings::from_toml(toml).unwrap_or_else(|error| panic!("{toml}: {error}")));
    checked.err().iter().flat_map(Problems::iter).map(ToString::to_string).collect()
}

fn pair(certificate: &str, key: &str) -> String {
    format!("{{ cert_file = {certificate:?}, key_file = {key:?} }}")
}

fn of(pair: &Certificate) -> String {
    self::pair(&pair.certificate, &pair.key)
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_setting_and_fault() {
    let authority = Authority::new();
    let (good, other) = (authority.sign(&["a.test"]), authority.sign(&["a.test"]));
    let (old, early) = (authority.sign_between(&["a.test"], 2000, 2020), authority.sign_between(&["a.test"], 3000, 3001));
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name).display().to_string();
        fs::write(&path, text).expect("written");
        path
    };
    let empty = write("empty.pem", "");
    let broken = write("broken.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    let encrypted = write("encrypted.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let large = write("large.pem", &"x".repeat((1 << 20) + 1));
    let (cert, key) = (&*good.certificate, &*good.key);
    for (pair, name, why) in [
        (pair("/nowhere/tls.crt", key), "cert_file", "/nowhere/tls.crt does not exist"),
        (pair(cert, "/nowhere/tls.key"), "key_file", "/nowhere/tls.key does not exist"),
        (pair(&directory.path().display().to_string(), key), "cert_file", "cannot be read"),
        (pair(&empty, key), "cert_file", "contains no certificate in PEM format"),
        (pair(key, key), "cert_file", "contains no certificate in PEM format"),
        (pair(&broken, key), "cert_file", "is malformed"),
        (pair(&large, key), "cert_file", "has more than 1048576 bytes"),
        (pair(cert, &empty), "key_file", "contains no private key in PEM format"),
        (pair(cert, cert), "key_file", "contains no private key in PEM format"),
        (pair(cert, &encrypted), "key_file", "is encrypted: store it without a passphrase"),
        (pair(cert, &other.key), "key_file", "does not fit the certificate"),
        (of(&old), "cert_file", "expired at Wed, 01 Jan 2020 00:00:00 GMT: renew it"),
        (of(&early), "cert_file", "is valid only from Wed, 01 Jan 3000 00:00:00 GMT: check the clock"),
    ] {
        for listener in ["public", "internal"] {
            let found = problems(&format!("[{listener}.tls]\npairs = [{}, {pair}]", of(&good)));
            let [only] = &found[..] else { panic!("{pair}: {found:?}") };
            assert!(only.starts_with(&format!("{listener}.tls.pairs[1].{name}: ")) && only.contains(why), "{pair}: {only}");
        }
    }
    for (file, why) in [("/nowhere/ca.pem", "does not exist"), (&*empty, "contains no certificate"), (&*broken, "cannot be used")] {
        let found = problems(&format!("[internal.tls]\npairs = [{}]\nclient_ca_file = {file:?}", of(&good)));
        assert!(found.len() == 1 && found[0].starts_with("internal.tls.client_ca_file: ") && found[0].contains(why), "{found:?}");
    }
    let two = problems(&format!("[public.tls]\npairs = [{}]", pair("/nowhere/c", "/nowhere/k")));
    assert_eq!(two.len(), 2, "both files are named: {two:?}");
}

#[test]
fn files_that_fit_are_accepted() {
    let authority = Authority::new();
    let (one, two) = (authority.sign(&["a.test"]), authority.sign(&["b.test"]));
    let both = format!("pairs = [{}, {}]\nclient_ca_file = {:?}", of(&one), of(&two), authority.file());
    assert_eq!(problems(&format!("[public.tls]\n{both}\n[internal.tls]\n{both}\nmin_version = \"1.3\"")), [""; 0]);
    assert_eq!(problems(""), [""; 0]);
}

#[test]
fn a_node_without_a_public_listener_needs_no_files_for_it() {
    let toml = format!("[node]\nrole = \"api\"\n[broker]\nkind = \"redis\"\n[public.tls]\npairs = [{}]", pair("/nowhere/c", "/nowhere/k"));
    assert_eq!(problems(&toml), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_a_warning() {
    use super::files::Files;
    use std::os::unix::fs::PermissionsExt as _;
    let authority = Authority::new();
    let one = authority.sign(&["a.test"]);
    for (mode, warns) in [(0o600, false), (0o640, false), (0o644, true), (0o660, true)] {
        fs::set_permissions(&one.key, fs::Permissions::from_mode(mode)).expect("ours");
        let settings = Settings::from_toml(&format!("[public.tls]\npairs = [{}]", of(&one))).expect("valid");
        let Ok(loaded) = Files::read(&settings.public.tls).config("public") else { panic!("it can be used") };
        let expected = format!("public.tls.pairs[0].key_file: other users of this machine may read or change {}: chmod 600", one.key);
        assert_eq!(loaded.warnings.iter().any(|warning| warning.starts_with(&expected)), warns, "{mode:o}");
    }
}
