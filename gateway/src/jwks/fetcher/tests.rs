use super::*;
use crate::{
    auth::Tokens,
    settings::{Settings, TokenIssuer},
};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"}"#;

fn settings(lines: &str) -> Settings {
    Settings::from_toml(&format!("tokens.jwks_timeout = \"300ms\"\n[[tokens.issuers]]\nissuer = \"https://i\"\n{lines}")).expect("valid")
}

fn fetcher(lines: &str) -> Result<Fetcher, Problems> {
    let settings = settings(lines);
    let source = Tokens::try_from(&settings).expect("valid").sources().next().expect("has a URL").1.clone();
    let issuer: &TokenIssuer = &settings.token_issuers[0];
    Fetcher::new("tokens.issuers[0]", issuer, &settings.tokens, source)
}

#[test]
fn wrong_settings_are_named_with_their_cure() {
    let empty = tempfile::NamedTempFile::new().expect("a file");
    let empty = format!("jwks_url = \"https://login.example/keys\"\njwks_ca_file = {:?}", empty.path());
    for (lines, key, says) in [
        ("jwks_url = \"login.example\"", "jwks_url", "is not a URL such as \"https://host/path\""),
        ("jwks_url = \"ftp://login.example/keys\"", "jwks_url", "does not begin with http:// or https://"),
        ("jwks_url = \"https://me:hush@login.example/keys\"", "jwks_url", "contains a user"),
        ("jwks_url = \"https://login.example/keys#a\"", "jwks_url", "fragment"),
        ("jwks_url = \"http://login.example/keys\"", "jwks_url", "use https://, or set jwks_allow_http = true"),
        ("jwks_url = \"http://10.0.0.1/keys\"", "jwks_url", "use https://"),
        ("jwks_url = \"https://login.example/keys\"\njwks_ca_file = \"/none\"", "jwks_ca_file", "/none cannot be read"),
        (&empty, "jwks_ca_file", "no certificate in PEM format"),
    ] {
        let found = fetcher(lines).map(|_| ()).expect_err(lines);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].starts_with(&format!("tokens.issuers[0].{key}: ")), "{lines}: {found:?}");
        assert!(found[0].contains(says) && !found[0].contains("hush"), "{lines}: {found:?}");
    }
    for good in [
        "jwks_url = \"https://login.example/keys?p=1\"",
        "jwks_url = \"http://127.0.0.1:8080/keys\"",
        "jwks_url = \"http://localhost/keys\"",
        "jwks_url = \"http://login.example/keys\"\njwks_allow_http = true",
    ] {
        assert!(fetcher(good).is_ok(), "{good}");
    }
}

/// Answers one request with these bytes, and then drips one byte after another, for ever.
async fn server(answer: Vec<u8>, drips: bool) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/keys?tenant=1", listener.local_addr().expect("an address"));
    let request = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let byte = socket.read_u8().await.expect("a request");
            request.push(byte);
        }
        let _cut = send(&mut socket, &answer, drips).await;
        String::from_utf8(request).expect("text")
    });
    (url, request)
}

async fn send(socket: &mut TcpStream, answer: &[u8], drips: bool) -> std::io::Result<()> {
    socket.write_all(answer).await?;
    if !drips {
        return Ok(());
    }
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        socket.write_all(b" ").await?;
    }
}

async fn fetched(answer: Vec<u8>, drips: bool) -> (Result<Vec<SkippedKey>, FetchFailure>, Fetcher, String) {
    let (url, request) = server(answer, drips).await;
    let fetcher = fetcher(&format!("jwks_url = {url:?}")).expect("valid");
    let result = fetcher.fetch().await;
    (result, fetcher, request.await.expect("the client closes the connection"))
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_fetch_is_one_plain_request_for_the_keys() {
    let secret = r#"{"kty":"oct","k":"c2VjcmV0","kid":"s"}"#;
    let (skipped, fetcher, request) = fetched(answer("200 OK", &format!(r#"{{"keys":[{KEY},{secret}]}}"#)), false).await;
    let skipped: Vec<_> = skipped.expect("one good key").iter().map(ToString::to_string).collect();
    assert_eq!(skipped, ["the key s is a secret: only a file of key_files may have it"]);
    assert!(fetcher.summary().ends_with("/keys: 1 keys"), "{}", fetcher.summary());
    assert!(request.starts_with("GET /keys?tenant=1 HTTP/1.1\r\nhost: 127.0.0.1:") && request.contains("connection: close"), "{request}");
    // A body without a length ends with the connection.
    let (skipped, fetcher, _) = fetched(format!("HTTP/1.1 200 OK\r\n\r\n{{\"keys\":[{KEY}]}}").into_bytes(), false).await;
    assert!(skipped.is_ok_and(|skipped| skipped.is_empty()) && fetcher.source.key_count() == 1);
}

#[tokio::test]
async fn a_bad_answer_is_bounded_and_named() {
    use FetchResult::{Invalid, Status, Unreachable};
    let set = |keys: &str| answer("200 OK", &format!(r#"{{"keys":[{keys}]}}"#));
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}").into_bytes();
    let deep = "[".repeat(100_000);
    let huge = format!("{}\r\n\r\n{}", "HTTP/1.1 200 OK", " ".repeat(300 << 10)).into_bytes();
    let chunked =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", format!("8000\r\n{}\r\n", " ".repeat(0x8000)).repeat(9));
    for (name, answer, drips, result, says) in [
        ("a status", answer("503 Service Unavailable", ""), false, Status, "status 503"),
        ("a redirect", answer("302 Found\r\nlocation: http://127.0.0.1:1/", ""), false, Status, "redirects are not followed"),
        ("another document", answer("200 OK", "<html>"), false, Invalid, "is no set of JSON Web Keys"),
        ("JSON that is no set", answer("200 OK", "{}"), false, Invalid, "is no set of JSON Web Keys"),
        ("no keys", set(""), false, Invalid, "has no keys"),
        ("too many keys", set(&vec![KEY; 101].join(",")), false, Invalid, "has more than 100 keys"),
        ("very many keys", set(&vec!["{}"; 80_000].join(",")), false, Invalid, "has more than 100 keys"),
        ("only bad keys", set(r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#), false, Invalid, "no key that can be used"),
        ("deep JSON", answer("200 OK", &deep), false, Invalid, "is no set of JSON Web Keys"),
        ("deep JSON beside the keys", answer("200 OK", &format!(r#"{{"a":{deep}"#)), false, Invalid, "is no set"),
        ("deep JSON in a key", set(&format!(r#"{{"kty":{deep}{}}}"#, "]".repeat(100_000))), false, Invalid, "no key that can be used"),
        ("too many bytes, as the head says", head("content-length: 9999999\r\n\r\n"), true, Invalid, "more than 262144 bytes"),
        ("too many bytes", huge, false, Invalid, "more than 262144 bytes"),
        ("too many bytes in chunks", chunked.into_bytes(), false, Invalid, "more than 262144 bytes"),
        ("a head without an end", head(&"a: b\r\n".repeat(20_000)), false, Unreachable, "the connection broke"),
        ("no HTTP", b"SSH-2.0-x\r\n".to_vec(), false, Unreachable, "the connection broke"),
        ("a half answer", head("content-length: 9\r\n\r\n{"), false, Unreachable, "the connection broke"),
        ("a slow head", head("x: "), true, Unreachable, "no whole answer within 300ms"),
        ("a slow body", head("content-length: 999\r\n\r\n{"), true, Unreachable, "no whole answer within 300ms"),
    ] {
        let begun = Instant::now();
        let (failure, fetcher, _) = fetched(answer, drips).await;
        let failure = failure.expect_err(name);
        assert!(failure.result == result && failure.why.contains(says), "{name}: {failure:?}");
        assert!(failure.why.starts_with("http://127.0.0.1:") && !failure.why.contains("tenant"), "{name}: {failure:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{name} took {:?}", begun.elapsed());
        let counted: u64 = fetcher.source.results().filter(|(counted, _)| *counted == result).map(|(_, number)| number).sum();
        assert!(counted == 1 && fetcher.source.problem().is_some_and(|problem| problem.contains(says)), "{name}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let failure = fetcher(&format!("jwks_url = \"http://{free}/keys\"")).expect("valid").fetch().await.expect_err("nobody listens");
    assert!(failure.result == FetchResult::Unreachable && failure.why.contains("cannot be reached"), "{failure}");
}
