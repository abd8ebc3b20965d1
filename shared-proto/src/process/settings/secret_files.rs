//! Secrets in files: a key such as `tokens.hmac_secret_file` stands for `tokens.hmac_secret` with the content of the file.

use super::problem::Problems;
use config::{Map, Value, ValueKind};
use std::fs::File;
use std::io::{ErrorKind, Read};

/// Largest content of a file, in bytes.
const FILE_BYTES: u64 = 64 << 10;

/// Reads the files that one layer names. Where the layer has both a secret and its file, that is a problem; a later layer overrides both.
pub(super) fn read_all(layer: &mut Map<String, Value>, secrets: &[&str], problems: &mut Problems) {
    for key in secrets {
        walk(layer, "", key, problems);
    }
}

/// The files that the keys of a table name.
pub(super) fn named(table: &Map<String, Value>) -> Vec<String> {
    table.iter().flat_map(|(name, value)| paths(value, name.ends_with("_file"))).collect()
}

/// The paths in a value. `is_path`: its texts are paths.
fn paths(value: &Value, is_path: bool) -> Vec<String> {
    match &value.kind {
        ValueKind::String(path) if is_path && !path.is_empty() => vec![path.clone()],
        ValueKind::Table(table) if is_path => table.values().flat_map(|value| paths(value, true)).collect(),
        ValueKind::Table(table) => named(table),
        ValueKind::Array(items) => items.iter().flat_map(|item| paths(item, is_path)).collect(),
        _ => Vec::new(),
    }
}

fn walk(table: &mut Map<String, Value>, prefix: &str, key: &str, problems: &mut Problems) {
    let Some((name, rest)) = key.split_once('.') else { return replace(table, prefix, key, problems) };
    if name == "*" {
        for (name, value) in table {
            if let ValueKind::Table(inner) = &mut value.kind {
                walk(inner, &format!("{prefix}{name}."), rest, problems);
            }
        }
        return;
    }
    match table.get_mut(name).map(|value| &mut value.kind) {
        Some(ValueKind::Table(inner)) => walk(inner, &format!("{prefix}{name}."), rest, problems),
        Some(ValueKind::Array(items)) => {
            let Some(rest) = rest.strip_prefix("*.") else { return };
            for (at, item) in items.iter_mut().enumerate() {
                if let ValueKind::Table(inner) = &mut item.kind {
                    walk(inner, &format!("{prefix}{name}[{at}]."), rest, problems);
                }
            }
        }
        _ => {}
    }
}

/// Replaces the key of the file by the key of the secret.
fn replace(table: &mut Map<String, Value>, prefix: &str, name: &str, problems: &mut Problems) {
    let of_file = format!("{name}_file");
    let Some(files) = table.remove(&of_file) else { return };
    if matches!(&files.kind, ValueKind::String(path) if path.is_empty()) {
        return;
    }
    let origin = files.origin().map(|origin| format!(" (in {origin})")).unwrap_or_default();
    let read = if table.contains_key(name) {
        Err(format!("{prefix}{name} is set, too; remove one of the two"))
    } else {
        read(&files).map_err(|why| format!("{why}, or set {prefix}{name} instead"))
    };
    match read {
        Ok(secret) => drop(table.insert(name.into(), secret)),
        Err(why) => problems.add(format!("{prefix}{of_file}"), format!("{why}{origin}")),
    }
}

/// The secret of a path, or the secrets of a list or a table of paths.
fn read(files: &Value) -> Result<Value, String> {
    let kind = match &files.kind {
        ValueKind::String(path) => ValueKind::String(content(path)?),
        ValueKind::Array(paths) => ValueKind::Array(paths.iter().map(read).collect::<Result<_, _>>()?),
        ValueKind::Table(paths) => {
            ValueKind::Table(paths.iter().map(|(name, path)| Ok((name.clone(), read(path)?))).collect::<Result<_, String>>()?)
        }
        _ => return Err("expected the path of a file; write it as a string".into()),
    };
    Ok(Value::new(files.origin().map(String::from).as_ref(), kind))
}

/// The content of a file without the line end at its end.
fn content(path: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("the file {path:?} does not exist; create or mount it"),
        ErrorKind::PermissionDenied => {
            format!("the file {path:?} may not be read by the user of this process; change its owner or its mode")
        }
        ErrorKind::IsADirectory => format!("{path:?} is a directory; name a file in it"),
        _ => format!("the file {path:?} cannot be read: {error}; repair it"),
    })?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("the file {path:?} has more than 64 KiB; name the file with the secret"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| format!("the file {path:?} is not UTF-8; write the secret as text"))?;
    let length = text.strip_suffix('\n').map_or(text.len(), |text| text.strip_suffix('\r').unwrap_or(text).len());
    text.truncate(length);
    if text.is_empty() { Err(format!("the file {path:?} is empty; write the secret into it")) } else { Ok(text) }
}
