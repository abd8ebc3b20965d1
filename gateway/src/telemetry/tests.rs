use super::*;
use crate::auth::ProxyHeaders;
use crate::settings::Settings;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use gateway_core::{limits::Limit, model::ErrorCode};
use proptest::prelude::*;
use shared_proto::http::Cause;
use std::{
    collections::{BTreeMap, HashSet},
    io::{Read as _, Write as _},
    net::TcpListener,
    time::Duration,
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn telemetry() -> Telemetry {
    Telemetry::without_logs(&Settings::from_toml("[node]\nname = \"n1\"").expect("valid")).expect("started")
}

/// Returns all samples of a scrape. Fails if a series occurs twice.
fn scrape(telemetry: &Telemetry) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    for line in telemetry.metrics().render().lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        let earlier = samples.insert(series.to_owned(), value.parse().expect("a number"));
        assert_eq!(earlier, None, "{series} occurs twice");
    }
    samples
}

#[test]
fn a_scrape_has_every_series_of_the_list_once_and_no_other() {
    let telemetry = telemetry();
    let metrics = telemetry.metrics();
    let _workers = [metrics.worker(), metrics.worker()];
    metrics.node().rest_request("/v1/nodes".into(), "GET", 200, Duration::from_millis(3));
    metrics.node().call("chatbot", "answered", Duration::from_millis(30));
    for series in OBSERVED.iter().copied() {
        metrics.observe(series, move |report| report(&vec!["x"; series.row().labels.len()], 7));
    }
    let names: HashSet<String> = scrape(&telemetry)
        .into_keys()
        .map(|series| series.split('{').next().unwrap_or_default().to_owned())
        .map(|name| ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).map_or(name.clone(), Into::into))
        .collect();
    let mut expected: HashSet<String> = SERIES.iter().map(SeriesRow::full_name).collect();
    expected.insert("target_info".into());
    assert_eq!(names, expected);
    let families: Vec<_> = telemetry.metrics().render().lines().filter_map(|line| line.strip_prefix("# TYPE ").map(String::from)).collect();
    assert_eq!(families.len(), families.iter().collect::<HashSet<_>>().len());
}

/// Metrics whose counts are read through `observe`.
const OBSERVED: &[Series] = &[
    Series::HttpConnectionErrors,
    Series::KeyRefusals,
    Series::KeyReloads,
    Series::Revocations,
    Series::KeyRequestsLimited,
    Series::LimitsForgotten,
    Series::ProxyHeaders,
    Series::TlsHandshakes,
    Series::TlsReloads,
    Series::TlsCertificateExpiry,
    Series::JwksFetches,
    Series::JwksAge,
    Series::JwksRefusals,
    Series::ServiceCalls,
    Series::ServiceAnswersDropped,
    Series::ServiceAnswersKept,
    Series::ServiceRepeats,
    Series::ServiceEvents,
    Series::QueueDepth,
    Series::QueueOldestAge,
    Series::QueueDeadLettersHeld,
    Series::QueueOwnedPartitions,
    Series::QueueBlockedKeys,
    Series::QueueWaiting,
    Series::QueueEvents,
    Series::QueueDeliveries,
    Series::QueueDeadLetters,
    Series::IngestEntries,
    Series::ServiceLifecycleEvents,
    Series::GuardQuestions,
    Series::GuardBypassed,
    Series::GuardAnswersEvicted,
    Series::LinkPublishes,
    Series::Links,
    Series::MailboxDropped,
    Series::HistoryReads,
    Series::PresenceReads,
    Series::GapBufferBytes,
    Series::GapBufferDropped,
    Series::StreamRequestsDropped,
    Series::BrokerChannels,
    Series::BrokerPublications,
    Series::BrokerBytes,
    Series::BrokerIdleChannels,
    Series::BrokerIdempotencyKeys,
    Series::BrokerProducers,
    Series::BrokerAnswers,
    Series::BrokerAnswersBytes,
    Series::BrokerUserSubscriptions,
    Series::BrokerTrimmed,
    Series::BrokerEvicted,
    Series::RedisInterruptions,
    Series::RedisMasters,
    Series::RedisMissingDeliveries,
    Series::RedisFailedRenewals,
    Series::RedisUnconfirmedBatches,
    Series::RedisResubscribed,
    Series::RedisAbnormalMessages,
    Series::RedisCanaryRoundTrip,
];

#[test]
fn the_counts_of_all_workers_are_summed() {
    let telemetry = telemetry();
    let workers = [telemetry.metrics().worker(), telemetry.metrics().worker()];
    for worker in &workers {
        worker.count(Count::Deliveries, 20);
        worker.raise(Level::ConnectionsOpen, 3);
        worker.lower(Level::ConnectionsOpen, 1);
        worker.command(CommandKind::Publish);
        worker.reply_error(ErrorCode::PermissionDenied);
        worker.upgrade_refused(ErrorCode::OriginNotAllowed);
        worker.closed(Closed::with_code(3008));
        worker.closed(Closed::Transport(TransportEnd::TooLarge));
        worker.dropped(DropCause::AtMostOnce, 5);
        worker.overflowed(OverflowPolicy::Latest);
        worker.credentials_ignored(IgnoredCredentials::AnyOrigin);
        worker.set(Level::OutboxBytes, 1000);
    }
    workers[0].lower(Level::OutboxBytes, 1000);
    telemetry.metrics().limited(Limit::ConnectionBytes);
    let samples = scrape(&telemetry);
    for (series, value) in [
        ("deliveries_total", 40.0),
        ("connections_open", 4.0),
        ("commands_total{command=\"publish\"}", 2.0),
        ("commands_total{command=\"rpc\"}", 0.0),
        ("replies_error_total{code=\"permission_denied\"}", 2.0),
        ("upgrades_refused_total{reason=\"origin_not_allowed\"}", 2.0),
        ("connections_closed_total{cause=\"slow\",code=\"3008\"}", 2.0),
        ("connections_closed_total{cause=\"too_large\",code=\"1009\"}", 2.0),
        ("dropped_total{cause=\"at_most_once\"}", 10.0),
        ("outbox_overflow_total{policy=\"latest\"}", 2.0),
        ("ignored_credentials_total{reason=\"any_origin\"}", 2.0),
        ("limited_total{limit=\"connection_bytes\"}", 1.0),
        ("outbox_bytes", 1000.0),
    ] {
        assert_eq!(samples.get(&format!("switchboard_{series}")), Some(&value), "{series} in {samples:#?}");
    }
}

#[test]
fn durations_are_sorted_into_seconds() {
    let telemetry = telemetry();
    telemetry.metrics().node().call("chatbot", "answered", Duration::from_millis(30));
    let samples = scrape(&telemetry);
    let bucket =
        |le: &str| samples[&format!("switchboard_call_duration_seconds_bucket{{outcome=\"answered\",service=\"chatbot\",le=\"{le}\"}}")];
    assert_eq!((bucket("0.025"), bucket("0.05"), bucket("+Inf")), (0.0, 1.0, 1.0));
}

#[test]
fn the_page_lists_all_metrics_and_causes() {
    let page = include_str!("../../../docs/metrics.md");
    let rows = SERIES.iter().map(|row| {
        let labels: Vec<_> = row.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |", row.full_name(), format!("{:?}", row.kind).to_lowercase(), labels.join(", "), row.help)
    });
    for row in rows {
        assert!(page.contains(&row), "docs/metrics.md lacks this line:\n{row}");
    }
    let listed = page.lines().filter(|line| line.starts_with("| `switchboard_")).count();
    assert_eq!(listed, SERIES.len());
    for row in SERIES {
        assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !row.name.ends_with("_total"), "{}", row.name);
    }
    for cause in DropCause::ALL {
        assert!(page.contains(&format!("| `{}` |", cause.text())), "docs/metrics.md does not explain {cause:?}");
    }
    for cause in Cause::ALL {
        let row = format!("| `{}` | {} |", cause.text(), cause.doc());
        assert!(page.contains(&row), "docs/metrics.md lacks this line:\n{row}");
    }
    for headers in ProxyHeaders::ALL {
        assert!(page.contains(&format!("| `{}` |", headers.text())), "docs/metrics.md does not explain {headers:?}");
    }
    for reason in IgnoredCredentials::ALL {
        assert!(page.contains(&format!("| `{}` |", reason.text())), "docs/metrics.md does not explain {reason:?}");
    }
    for policy in OverflowPolicy::ALL {
        assert!(page.contains(&format!("| `{}` |", policy.text())), "docs/metrics.md does not explain {policy:?}");
    }
    for result in PostResult::ALL {
        let row = format!("| `{}` |", result.text());
        assert!(page.contains(&row), "docs/metrics.md does not explain {result:?}");
    }
    for limit in Limit::ALL {
        let row = format!("| `{}` | {} |", limit.text(), limit.doc());
        assert!(page.contains(&row), "docs/metrics.md lacks this line:\n{row}");
    }
    for end in TransportEnd::ALL {
        assert!(page.contains(&format!("| `{}` |", end.text())), "docs/metrics.md does not explain {end:?}");
    }
}

#[test]
fn a_traceparent_is_read_according_to_the_standard() {
    let context: TraceContext = PARENT.parse().expect("valid");
    assert!(context.is_sampled());
    assert_eq!(context.to_string(), PARENT);
    let later = PARENT.replacen("00-", "01-", 1) + "-more";
    assert_eq!(later.parse(), Ok(context));
    for bad in [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        "00+0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        assert_eq!(bad.parse::<TraceContext>(), Err(InvalidTraceParent), "{bad}");
    }
}

#[test]
fn a_request_with_two_traceparents_has_none() {
    let mut headers = HeaderMap::new();
    assert_eq!(TraceContext::from_headers(&headers), None);
    headers.append(HeaderName::from_static("traceparent"), HeaderValue::from_static(PARENT));
    assert_eq!(TraceContext::from_headers(&headers), PARENT.parse().ok());
    headers.append(HeaderName::from_static("traceparent"), HeaderValue::from_static(PARENT));
    assert_eq!(TraceContext::from_headers(&headers), None);
}

#[test]
fn without_a_collector_the_context_of_the_caller_is_passed_on() {
    let parent = PARENT.parse().ok();
    let step = TraceSpan::begin(SpanKind::Publish, parent);
    assert!(step.span().is_disabled());
    assert_eq!(step.traceparent().as_deref(), Some(PARENT));
    assert_eq!(TraceSpan::begin(SpanKind::Publish, None).context(), None);
    assert_eq!(TraceSpan::after(SpanKind::Deliver, parent).context(), None);
}

#[test]
fn the_problem_of_an_invalid_endpoint_names_it() {
    for endpoint in ["collector:4318", "https://collector:4318", "grpc://x", "http://a b"] {
        let settings = Settings::from_toml(&format!("[telemetry]\notlp_endpoint = \"{endpoint}\"")).expect("a text");
        let problems = Telemetry::without_logs(&settings).err().unwrap_or_else(|| panic!("{endpoint} was accepted"));
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), ["telemetry.otlp_endpoint"]);
    }
}

#[test]
fn the_last_metrics_are_sent_on_shutdown() {
    let collector = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", collector.local_addr().expect("an address"));
    let request = std::thread::spawn(move || {
        let (mut socket, _) = collector.accept().expect("a request");
        let mut head = [0; 16];
        socket.read_exact(&mut head).expect("a request line");
        // The exporter needs only the response, so the rest of the request is not checked.
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").expect("answered");
        std::io::copy(&mut socket, &mut std::io::sink()).ok();
        String::from_utf8_lossy(&head).into_owned()
    });
    let settings = Settings::from_toml(&format!("[telemetry]\notlp_endpoint = \"{endpoint}/\"")).expect("valid");
    let telemetry = Telemetry::without_logs(&settings).expect("started");
    telemetry.metrics().worker().count(Count::Deliveries, 1);
    telemetry.shutdown();
    assert_eq!(request.join().expect("a request"), "POST /v1/metrics");
}

proptest! {
    #[test]
    fn every_context_reads_back_as_written(trace in 1u128.., span in 1u64.., sampled in 0u8..2) {
        let text = format!("00-{trace:032x}-{span:016x}-{sampled:02x}");
        prop_assert_eq!(text.parse::<TraceContext>().expect("valid").to_string(), text);
    }

    #[test]
    fn no_header_makes_the_parser_panic(text in "\\PC{0,70}") {
        let _ = text.parse::<TraceContext>();
    }
}
