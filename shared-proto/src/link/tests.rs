//! Checks that the examples in docs/asyncapi.yaml are valid frames.

use super::*;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

const DOCUMENT: &str = include_str!("../../../docs/asyncapi.yaml");

/// The JSON examples of the messages whose name begins with `direction`. Each example is on one line.
fn examples(direction: &str) -> Vec<&'static str> {
    let mut is_selected = false;
    let mut found = Vec::new();
    for line in DOCUMENT.lines().skip_while(|line| *line != "  messages:") {
        let indent = line.len() - line.trim_start().len();
        if indent == 4 {
            is_selected = line.trim_start().starts_with(direction);
        }
        found.extend(line.trim_start().strip_prefix("- payload: ").filter(|_| is_selected));
    }
    found
}

/// Reads each example and checks that the type contains all its members. Returns the kinds of all frames.
fn read_examples<T: DeserializeOwned + Serialize>(direction: &str, name: fn(&T) -> &'static str) -> BTreeSet<&'static str> {
    let each = |example: &&str| {
        let frame: T = serde_json::from_str(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        let (before, after): (Value, Value) = (serde_json::from_str(example).expect("JSON"), serde_json::to_value(&frame).expect("JSON"));
        assert_eq!(without_defaults(before), without_defaults(after));
        name(&frame)
    };
    examples(direction).iter().map(each).collect()
}

fn without_defaults(mut frame: Value) -> Value {
    for fields in frame.as_object_mut().into_iter().flat_map(|frame| frame.values_mut()).filter_map(Value::as_object_mut) {
        fields.retain(|_, value| *value != Value::Bool(false));
    }
    frame
}

fn to_gateway(frame: &ToGateway) -> &'static str {
    match frame {
        ToGateway::Hello(_) => "hello",
        ToGateway::Reply(_) => "reply",
        ToGateway::Error(_) => "error",
        ToGateway::Publish(_) => "publish",
        ToGateway::Credit(_) => "credit",
        ToGateway::Done(_) => "done",
        ToGateway::Failed(_) => "failed",
        ToGateway::Drain(_) => "drain",
    }
}

fn to_service(frame: &ToService) -> &'static str {
    match frame {
        ToService::Welcome(_) => "welcome",
        ToService::Call(_) => "call",
        ToService::Cancel(_) => "cancel",
        ToService::Event(_) => "event",
        ToService::Ack(_) => "ack",
        ToService::Nack(_) => "nack",
        ToService::Drain(_) => "drain",
        ToService::Error(_) => "error",
    }
}

#[test]
fn every_frame_of_a_service_is_documented_by_an_example() {
    let all = ["hello", "reply", "error", "publish", "credit", "done", "failed", "drain"];
    assert_eq!(read_examples("to_gateway.", to_gateway), BTreeSet::from(all));
}

#[test]
fn every_frame_of_the_gateway_is_documented_by_an_example() {
    let all = ["welcome", "call", "cancel", "event", "ack", "nack", "drain", "error"];
    assert_eq!(read_examples("to_service.", to_service), BTreeSet::from(all));
}

/// A property in the wrong message has no example, because its type refuses or drops the property.
#[test]
fn every_documented_property_is_in_an_example() {
    let (mut message, mut documented, mut shown) = ("", BTreeSet::new(), BTreeSet::new());
    for line in DOCUMENT.lines().skip_while(|line| *line != "  messages:") {
        let text = line.trim_start();
        match line.len() - text.len() {
            4 => message = text,
            14 => documented.extend(text.split_once(':').map(|(property, _)| (message, property.to_owned()))),
            _ => {}
        }
        if let Some(example) = text.strip_prefix("- payload: ") {
            let frame: HashMap<String, HashMap<String, Value>> = serde_json::from_str(example).expect("JSON");
            shown.extend(frame.into_values().flat_map(HashMap::into_keys).map(|property| (message, property)));
        }
    }
    assert!(documented.len() > 40, "properties are at this indentation: {documented:?}");
    let without: Vec<_> = documented.difference(&shown).collect();
    assert!(without.is_empty(), "give an example of each: {without:?}");
}
