//! API keys that change while a gateway runs.

use super::{
    api_keys::{asked, link},
    client::Client,
    listeners::Gateway,
    public::ask,
    store_errors::{says, until},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The longest time from a change to its effect.
const SOON: Duration = Duration::from_secs(2);

/// A file in a directory of its own.
struct OwnFile(TempDir);

impl OwnFile {
    fn new(text: &str) -> Self {
        let file = Self(tempfile::tempdir().expect("a directory"));
        file.write(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("file")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("written");
    }

    /// Starts a gateway whose list of keys is this file.
    fn gateway(&self, settings: &[&str]) -> Gateway {
        Gateway::start(&[&[&*format!("api_keys_file={}", self.path().display()), "services.bot.reach=link"], settings].concat())
    }
}

/// The status of a request with this key.
fn status(gateway: &Gateway, key: &str) -> u16 {
    asked(gateway, key, "GET", "/v1/nodes", "").0
}

/// Opens a link of the service "bot" as this instance.
fn opened(gateway: &Gateway, key: &str, instance: &str) -> Client {
    let (mut client, head) = link(gateway, key, "bot");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let welcome = says(&mut client, &json!({"hello": {"service": "bot", "instance": instance, "credit": 8}}));
    assert!(welcome.starts_with("{\"welcome\":"), "{welcome}");
    client
}

/// The error and the close code with which a link ends.
fn end(link: &mut Client) -> (Value, u16) {
    let mut error = Value::Null;
    loop {
        let frame = link.frame().expect("a close frame first");
        match frame.opcode {
            1 => error = serde_json::from_slice::<Value>(&frame.payload).expect("JSON")["error"].take(),
            8 => return (error, frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code)).expect("a code")),
            _ => {}
        }
    }
}

/// The answer to a publication over a link.
fn published(link: &mut Client, channel: &str) -> Value {
    serde_json::from_str(&says(link, &json!({"publish": {"id": 1, "channel": channel, "data": "x"}}))).expect("JSON")
}

fn counted(gateway: &Gateway, series: &str) -> u64 {
    let (_, metrics) = ask(gateway.internal, "GET", "/metrics", "", "");
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series} in {metrics}"));
    line.trim().parse().expect("a number")
}

#[test]
fn a_key_that_is_replaced_in_its_file_ends_its_links_and_no_others() {
    let file = OwnFile::new("orders=old link:bot publish:news:* read\nshop=kept link:bot publish:news:* read\n");
    let gateway = file.gateway(&[]);
    let (mut removed, mut kept) = (opened(&gateway, "old", "i1"), opened(&gateway, "kept", "i2"));
    assert!(published(&mut removed, "news:a")["ack"].is_object());
    assert_eq!((status(&gateway, "old"), status(&gateway, "kept"), status(&gateway, "new")), (200, 200, 401));

    let changed = Instant::now();
    // The hash of "kept": the same key, written otherwise.
    let hash = "sha256:79f076abdd19a752db7267bfff2f9022161d120dea919fdaca2ffdfc24ca8c96";
    file.write(&format!("orders=new link:bot publish:news:* read\nshop={hash} link:bot publish:news:* read\n"));
    let (error, code) = end(&mut removed);
    assert!(changed.elapsed() < SOON, "{:?}", changed.elapsed());
    assert_eq!((&error["code"], &error["retryable"], code), (&json!("unauthorized"), &json!(false), 1008), "{error}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("\"orders\" is no longer in the settings")), "{error}");
    assert_eq!((status(&gateway, "old"), status(&gateway, "kept"), status(&gateway, "new")), (401, 200, 200));
    assert_eq!(status(&gateway, hash), 401, "a hash opens nothing");
    assert!(link(&gateway, "old", "bot").1.starts_with("HTTP/1.1 401 "));

    assert!(published(&mut kept, "news:a")["ack"].is_object(), "the link of a key that stays is not touched");
    assert!(published(&mut opened(&gateway, "new", "i1"), "news:a")["ack"].is_object());
    assert_eq!(counted(&gateway, r#"switchboard_links_total{result="key_removed"}"#), 1);
    assert_eq!(counted(&gateway, r#"switchboard_key_reloads_total{result="loaded"}"#), 1);
    let log = gateway.wait_for_log(|log| log.contains("requests and links need one of the API keys that were read now"));
    assert!(log.contains(r#"keys=["orders", "shop"]"#), "{log}");
}

#[test]
fn a_hangup_reads_the_keys_in_the_file_of_settings() {
    let entry = |name: &str, key: &str, scopes: &str| format!("[[api_keys]]\nname = \"{name}\"\nkey = \"{key}\"\nscopes = [{scopes}]\n");
    let all = r#""link:bot", "publish:news:*", "read""#;
    let rest = "[services.bot]\n[namespaces.news]\nhistory_size = 10\n";
    let file = OwnFile::new(&[&*entry("a", "gone", all), &entry("b", "narrowed", all), &entry("c", "renamed", all), rest].concat());
    let gateway = Gateway::with_file(&file.path());
    let [mut gone, mut narrowed, mut renamed] = ["gone", "narrowed", "renamed"].map(|key| opened(&gateway, key, key));
    file.write(&[&*entry("b", "narrowed", "\"read\""), &entry("d", "renamed", all), &entry("e", "new", all), rest].concat());
    let changed = Instant::now();
    gateway.hang_up();
    let ends = [&mut gone, &mut narrowed].map(end);
    assert!(changed.elapsed() < SOON, "{:?}", changed.elapsed());
    assert_eq!(
        ends.each_ref().map(|(error, code)| (error["code"].as_str(), *code)),
        [(Some("unauthorized"), 1008), (Some("permission_denied"), 1008)]
    );
    assert_eq!(["gone", "narrowed", "renamed", "new"].map(|key| status(&gateway, key)), [401, 200, 200, 200]);
    assert!(published(&mut renamed, "news:a")["ack"].is_object(), "the key is the same under another name");
    assert!(published(&mut renamed, "chat:a")["nack"].is_object());

    file.write("[[api_keys]\n");
    gateway.hang_up();
    let refused = gateway.wait_for_log(|log| log.contains("new API keys are refused"));
    let line = refused.lines().find(|line| line.contains("new API keys are refused")).expect("a line");
    assert!(line.contains("WARN") && line.contains(&*file.path().display().to_string()) && line.contains("is not valid TOML"), "{line}");
    assert_eq!(["gone", "narrowed", "renamed", "new"].map(|key| status(&gateway, key)), [401, 200, 200, 200]);
}

#[test]
fn keys_that_cannot_be_used_are_refused_and_the_earlier_ones_serve_on() {
    let file = OwnFile::new("orders=old link:bot publish:news:* read");
    let gateway = file.gateway(&[]);
    let mut link = opened(&gateway, "old", "i1");
    for (number, (text, why)) in (1..).zip([
        (None, "does not exist; create or mount it"),
        (Some("orders=hush-1 publsh:x"), "is no scope; the scopes are publish"),
        (Some("orders=hush-1 read,shop=hush-1"), "api_keys[1]: has the same key as api_keys[0]: remove one of the two"),
        (Some("orders=hush-1 read\n\n="), "api_keys[1].name: expected 1 to 64 characters"),
        (Some(""), "is empty; write the secret into it"),
    ]) {
        match text {
            Some(text) => file.write(text),
            None => fs::remove_file(file.path()).expect("removed"),
        }
        until("the refusal", || counted(&gateway, r#"switchboard_key_reloads_total{result="refused"}"#) == number);
        let path = file.path().display().to_string();
        let is_logged = |line: &str| {
            line.contains("WARN") && line.contains("the earlier ones still count") && line.contains(why) && line.contains(&path)
        };
        let log = gateway.wait_for_log(|log| log.lines().any(is_logged));
        assert!(!log.contains("hush"), "{log}");
        assert_eq!((status(&gateway, "old"), status(&gateway, "hush-1")), (200, 401));
    }
    assert!(published(&mut link, "news:a")["ack"].is_object());
    file.write("orders=new link:bot read");
    assert_eq!(end(&mut link).1, 1008);
    assert_eq!((status(&gateway, "old"), status(&gateway, "new")), (401, 200));
}

#[test]
fn twenty_changes_leave_nothing_behind() {
    let keys = |number: u32| format!("ops=ops read,bot-{number}=key-{number} link:bot");
    let file = OwnFile::new(&keys(0));
    let gateway = file.gateway(&["node.core_dumps=true"]);
    drop(opened(&gateway, "key-0", "i"));
    let links = |result: &str| counted(&gateway, &format!("switchboard_links_total{{result=\"{result}\"}}"));
    until("the end of the first link", || links("lost") + links("closed") == 1);
    let before = gateway.open_files();
    let mut open = opened(&gateway, "key-0", "i");
    for number in 1..=20 {
        file.write(&keys(number));
        gateway.hang_up();
        assert_eq!(end(&mut open).1, 1008);
        assert_eq!([number - 1, number].map(|number| status(&gateway, &format!("key-{number}"))), [401, 403]);
        open = opened(&gateway, &format!("key-{number}"), "i");
    }
    drop(open);
    until("the end of the last link", || links("lost") + links("closed") == 2);
    assert_eq!((links("opened"), links("key_removed")), (22, 20));
    until("the files are closed", || gateway.open_files() <= before);
}
