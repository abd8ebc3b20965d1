//! Reads the list of forbidden words.

use toml::{Table, Value};

/// One entry of the list: several forms of a word.
pub(super) struct Entry {
    pub(super) words: Vec<String>,
    pub(super) instead: String,
    pub(super) scope: Scope,
    pub(super) allowed: Vec<Place>,
}

/// Where the check looks for a word. Each scope includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Files,
    Names,
    Everywhere,
}

/// A file or folder that may use the word.
pub(super) struct Place {
    pub(super) path: String,
    pub(super) reason: String,
}

impl Entry {
    pub(super) fn allows(&self, file: &str) -> bool {
        self.allowed.iter().any(|place| place.holds(file))
    }

    /// All forms of the word, as messages show them.
    pub(super) fn name(&self) -> String {
        format!("\"{}\"", self.words.join("\", \""))
    }
}

impl Place {
    pub(super) fn holds(&self, file: &str) -> bool {
        file.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Reads the list. An error is a message for a finding.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, String> {
    let table: Table = text.parse().map_err(|error| format!("{error}"))?;
    let entries = table.get("word").and_then(Value::as_array).ok_or("the list has no words")?;
    entries.iter().map(entry).collect()
}

fn entry(value: &Value) -> Result<Entry, String> {
    let words: Vec<_> =
        value.get("words").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let name = words.first().ok_or("an entry has no `words`")?.clone();
    let text = |key: &str| {
        value.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("the entry of \"{name}\" has no `{key}`"))
    };
    let scope = match text("in")?.as_str() {
        "everywhere" => Scope::Everywhere,
        "names" => Scope::Names,
        "files" => Scope::Files,
        other => return Err(format!("the entry of \"{name}\" has `in = \"{other}\"`; allowed are everywhere, names and files")),
    };
    let allowed = value.get("allowed").and_then(Value::as_table).into_iter().flatten();
    let allowed = allowed.map(|(path, reason)| Place { path: path.clone(), reason: reason.as_str().unwrap_or_default().to_owned() });
    Ok(Entry { instead: text("instead")?, scope, allowed: allowed.collect(), words })
}
