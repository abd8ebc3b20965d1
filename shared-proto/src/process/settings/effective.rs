//! Shows settings without secrets.

use config::{Map, Value, ValueKind};

/// The settings in force, one per line and sorted by key, without the values of `secrets`. A value of a variable is text; it is shown in
/// the notation of its default.
pub fn effective(merged: &Map<String, Value>, defaults: &Map<String, Value>, secrets: &[&str]) -> String {
    let mut lines = Vec::new();
    show(merged, defaults, "", secrets, &mut lines);
    lines.sort_unstable();
    lines.join("\n")
}

fn show(table: &Map<String, Value>, defaults: &Map<String, Value>, prefix: &str, secrets: &[&str], lines: &mut Vec<String>) {
    let none = Map::new();
    for (name, value) in table {
        let (key, default) = (format!("{prefix}{name}"), defaults.get(name).map(|value| &value.kind));
        match &value.kind {
            ValueKind::Table(inner) => {
                let defaults = if let Some(ValueKind::Table(defaults)) = default { defaults } else { &none };
                show(inner, defaults, &format!("{key}."), secrets, lines);
            }
            ValueKind::String(text) if text.is_empty() => lines.push(format!("{key} = \"\"")),
            _ if secrets.contains(&&*key) => lines.push(format!("{key} = (a secret)")),
            ValueKind::String(text) if matches!(default, Some(ValueKind::String(_)) | None) => lines.push(format!("{key} = {text:?}")),
            other => lines.push(format!("{key} = {other}")),
        }
    }
}
