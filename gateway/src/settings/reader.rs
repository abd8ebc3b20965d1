//! Reads typed settings from the merged layers, and collects all problems.

use super::types::value::Setting;
use config::{Map, Value, ValueKind};
use shared_proto::process::settings::Problems;
#[cfg(test)]
use std::collections::HashMap;
use std::{collections::BTreeMap, ops::RangeInclusive};

/// What the hash of a secret begins with, where the secret itself could stand.
const HASHED: &str = "sha256:";

/// Returns the key and the allowed range of every setting of a table with this name.
#[cfg(test)]
pub(super) type KeysOf = fn(&str) -> Vec<(String, Option<String>)>;

/// A table of settings.
pub(super) trait Section: Clone {
    /// The keys of the table.
    const KEYS: &'static [&'static str];
    /// Reads the table. A missing key gets its value from `fallback`; without a fallback it is a problem.
    fn read(reader: &mut Reader<'_>, fallback: Option<&Self>) -> Option<Self>;
    /// Adds a line with key and value of each setting. The key follows `prefix`.
    fn show(&self, prefix: &str, lines: &mut Vec<String>);
    /// The allowed range of each key that has one, in the notation of `default.toml`.
    #[cfg(test)]
    fn ranges() -> Vec<(&'static str, String)>;
    /// The keys whose values are secret.
    #[cfg(test)]
    fn secrets() -> Vec<&'static str>;
    /// The tables inside this one, each with what [`keys_of`] returns for it.
    #[cfg(test)]
    fn tables() -> Vec<(&'static str, KeysOf)> {
        Vec::new()
    }
}

/// Reads one table. Each key can be read once.
pub(super) struct Reader<'a> {
    table: Map<String, Value>,
    prefix: String,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: Map<String, Value>, problems: &'a mut Problems) -> Self {
        Self { table, prefix: String::new(), problems }
    }

    /// Whether a layer has this key. Ask before it is read.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Reports a problem of a key.
    pub(super) fn problem(&mut self, name: &str, message: String) {
        self.problems.add(self.key(name), message);
    }

    /// Reads a setting without bounds.
    pub(super) fn take<T: Setting>(&mut self, name: &str, fallback: Option<&T>) -> Option<T> {
        self.parse(name, fallback, "")
    }

    /// Reads a setting with bounds.
    pub(super) fn take_within<T: Setting + PartialOrd>(
        &mut self,
        name: &str,
        fallback: Option<&T>,
        range: &RangeInclusive<T>,
    ) -> Option<T> {
        let allowed = format!(", {}", show_range(range));
        let origin = self.table.get(name).map(origin).unwrap_or_default();
        let value = self.parse(name, fallback, &allowed)?;
        if range.contains(&value) {
            return Some(value);
        }
        let message = format!("expected {}{allowed}; found {}{origin}", T::EXPECTED, value.show());
        self.problems.add(self.key(name), message);
        None
    }

    /// Reads a table.
    pub(super) fn section<T: Section>(&mut self, name: &str, fallback: Option<&T>) -> Option<T> {
        let value = self.table.remove(name).unwrap_or_else(|| Map::<String, Value>::new().into());
        self.table_of(name, value, fallback)
    }

    /// Reads a table of tables whose names the operator chooses.
    pub(super) fn sections<T: Section>(&mut self, name: &str, fallback: &T) -> Option<BTreeMap<String, T>> {
        let Some(value) = self.table.remove(name) else { return Some(BTreeMap::new()) };
        let mut reader = self.inner(name, value)?;
        let names: Vec<String> = reader.table.keys().cloned().collect();
        // Reads all tables before it returns, so that all problems are reported.
        let read: Vec<_> = names.into_iter().map(|name| (reader.section(&name, Some(fallback)), name)).collect();
        read.into_iter().map(|(section, name)| Some((name, section?))).collect()
    }

    /// Reads a list of tables. In an environment variable it has the form `a=b,c=d`, in a file of secrets also with a pair in
    /// each line: each pair is one table. The text before `=` is the
    /// value of the table's first key, the text after it the value of the second. The words after a space are the list of the key `words`, if
    /// there is one.
    pub(super) fn list<T: Section>(&mut self, name: &str, fallback: Option<&T>, words: Option<&str>) -> Option<Vec<T>> {
        let items = self.table.remove(name).map(|value| match value {
            Value { kind: ValueKind::String(text), .. } => pairs::<T>(&text, words).into(),
            other => other,
        });
        self.tables(name, items, fallback)
    }

    /// Reads a list of tables in another table. Call it before that table is read.
    pub(super) fn inner_list<T: Section>(&mut self, table: &str, name: &str, fallback: &T) -> Option<Vec<T>> {
        let items = match self.table.get_mut(table).map(|value| &mut value.kind) {
            Some(ValueKind::Table(table)) => table.remove(name),
            _ => None,
        };
        self.tables(&format!("{table}.{name}"), items, Some(fallback))
    }

    fn tables<T: Section>(&mut self, name: &str, items: Option<Value>, fallback: Option<&T>) -> Option<Vec<T>> {
        let items = match items.map(|items| items.kind) {
            None => Vec::new(),
            Some(ValueKind::Array(items)) => items,
            Some(_) => {
                self.problems.add(self.key(name), format!("expected a list of tables, written as [[{}]]", self.key(name)));
                return None;
            }
        };
        let read: Vec<_> = items.into_iter().enumerate().map(|(i, item)| self.table_of(&format!("{name}[{i}]"), item, fallback)).collect();
        read.into_iter().collect()
    }

    /// Reports every key that was not read.
    pub(super) fn finish(&mut self, known: &[&str]) {
        for (name, value) in std::mem::take(&mut self.table) {
            let message = format!("unknown key{}; known keys here: {}", origin(&value), known.join(", "));
            self.problems.add(self.key(&name), message);
        }
    }

    fn parse<T: Setting>(&mut self, name: &str, fallback: Option<&T>, allowed: &str) -> Option<T> {
        let Some(value) = self.table.remove(name) else {
            if fallback.is_none() {
                self.problems.add(self.key(name), format!("is missing; expected {}{allowed}", T::EXPECTED));
            }
            return fallback.cloned();
        };
        let read = T::read(&value.kind);
        if read.is_none() {
            let found = if T::SECRET { "something else".into() } else { found(&value.kind) };
            self.problems.add(self.key(name), format!("expected {}{allowed}; found {found}{}", T::EXPECTED, origin(&value)));
        }
        read
    }

    fn table_of<T: Section>(&mut self, name: &str, value: Value, fallback: Option<&T>) -> Option<T> {
        let mut reader = self.inner(name, value)?;
        let read = T::read(&mut reader, fallback);
        reader.finish(T::KEYS);
        read
    }

    fn inner(&mut self, name: &str, value: Value) -> Option<Reader<'_>> {
        let prefix = self.key(name);
        let origin = origin(&value);
        if let ValueKind::Table(table) = value.kind {
            return Some(Reader { table, prefix, problems: self.problems });
        }
        self.problems.add(prefix, format!("expected a table of settings{origin}"));
        None
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

/// The text for a range in messages.
pub(super) fn show_range<T: Setting>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start().show(), range.end().show())
}

/// The key and the allowed range of every setting of a table.
#[cfg(test)]
pub(super) fn keys_of<T: Section>(table: &str) -> Vec<(String, Option<String>)> {
    let (ranges, tables): (HashMap<_, _>, HashMap<_, _>) = (T::ranges().into_iter().collect(), T::tables().into_iter().collect());
    let keys = T::KEYS.iter().map(|key| match tables.get(key) {
        Some(keys_of) => keys_of(&format!("{table}.{key}")),
        None => vec![(format!("{table}.{key}"), ranges.get(key).cloned())],
    });
    keys.flatten().collect()
}

/// The key of a value in a pair. Secrets and their hashes have one place there; a hash that counted as the secret would open what it guards.
fn key_of<T: Section>(key: &str, value: &str) -> String {
    let hash = format!("{key}_hash");
    if value.starts_with(HASHED) && T::KEYS.contains(&&*hash) { hash } else { key.to_owned() }
}

fn pairs<T: Section>(text: &str, words: Option<&str>) -> Vec<Value> {
    let table = |pair: &str| {
        let pair = pair.trim();
        let (values, list) =
            words.and_then(|key| pair.split_once(' ').map(|(pair, words)| (pair, Some((key, words))))).unwrap_or((pair, None));
        let values = T::KEYS.iter().zip(values.splitn(2, '=')).map(|(key, value)| (key_of::<T>(key, value), Value::from(value)));
        let list = list.map(|(key, words)| (key.to_owned(), words.split_whitespace().map(Value::from).collect::<Vec<_>>().into()));
        Value::from(values.chain(list).collect::<Map<_, _>>())
    };
    text.split([',', '\n']).filter(|pair| !pair.trim().is_empty()).map(table).collect()
}

fn found(kind: &ValueKind) -> String {
    let text = match kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Table(_) => "a table".into(),
        ValueKind::Array(_) => "a list".into(),
        other => other.to_string(),
    };
    text.chars().take(80).collect()
}

fn origin(value: &Value) -> String {
    value.origin().map(|origin| format!(" (in {origin})")).unwrap_or_default()
}

/// Declares tables of settings, with name, type and bounds of each setting. Tables and lists of tables inside a table follow it.
macro_rules! section {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty $(= $range:expr)?,)* }
        $(+ tables { $($(#[$table_doc:meta])* $table:ident: $table_type:ty,)* })?
        $(+ lists { $($(#[$list_doc:meta])* $list:ident: $row:ty,)* })?)*
    ) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)*
            $($($(#[$table_doc])* pub $table: $table_type,)*)?
            $($($(#[$list_doc])* pub $list: Vec<$row>,)*)?
        }

        impl $crate::settings::reader::Section for $name {
            const KEYS: &'static [&'static str] =
                &[$(stringify!($field),)* $($(stringify!($table),)*)? $($(stringify!($list),)*)?];

            fn read(reader: &mut $crate::settings::reader::Reader<'_>, fallback: Option<&Self>) -> Option<Self> {
                $(let $field = $crate::settings::reader::section!(
                    @take reader, stringify!($field), fallback.map(|fallback| &fallback.$field) $(, $range)?);)*
                $($(let $table = reader.section(stringify!($table), fallback.map(|fallback| &fallback.$table));)*)?
                $($(let $list = reader.list(stringify!($list), None, None);)*)?
                Some(Self { $($field: $field?,)* $($($table: $table?,)*)? $($($list: $list?,)*)? })
            }

            fn show(&self, prefix: &str, lines: &mut Vec<String>) {
                $(lines.push(format!("{prefix}{} = {}", stringify!($field), $crate::settings::types::value::Setting::show(&self.$field)));)*
                $($(self.$table.show(&format!("{prefix}{}.", stringify!($table)), lines);)*)?
                $($(for (i, row) in self.$list.iter().enumerate() {
                    row.show(&format!("{prefix}{}[{i}].", stringify!($list)), lines);
                })*)?
            }

            #[cfg(test)]
            fn ranges() -> Vec<(&'static str, String)> {
                vec![$($((stringify!($field), $crate::settings::reader::show_range::<$type>(&($range))),)?)*]
            }

            #[cfg(test)]
            fn secrets() -> Vec<&'static str> {
                $($(assert!(<$table_type as $crate::settings::reader::Section>::secrets().is_empty(), "inner tables have no secrets");)*)?
                $($(assert!(<$row as $crate::settings::reader::Section>::secrets().is_empty(), "inner tables have no secrets");)*)?
                let all: &[(&'static str, bool)] = &[$((stringify!($field), <$type as $crate::settings::types::value::Setting>::SECRET)),*];
                all.iter().filter_map(|(key, is_secret)| is_secret.then_some(*key)).collect()
            }
            $(
            #[cfg(test)]
            fn tables() -> Vec<(&'static str, $crate::settings::reader::KeysOf)> {
                vec![$((stringify!($table), $crate::settings::reader::keys_of::<$table_type>),)*]
            }
            )?
        }
    )*};
    (@take $reader:ident, $name:expr, $fallback:expr) => { $reader.take($name, $fallback) };
    (@take $reader:ident, $name:expr, $fallback:expr, $range:expr) => { $reader.take_within($name, $fallback, &($range)) };
}
pub(super) use section;
