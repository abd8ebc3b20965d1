//! The notation of settings.

/// Splits a list, the form of lists in environment variables, flags and files of secrets: at commas and line ends.
pub fn list(text: &str) -> Vec<String> {
    text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Splits `section.key=value`, the form of a setting in a flag.
pub fn pair(text: &str) -> Result<(String, String), &'static str> {
    text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or("expected KEY=VALUE")
}

/// Checks that a number is within its range. The error names the key.
pub fn check_range(key: &str, value: u64, min: u64, max: u64) -> Result<(), String> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(format!("{key} = {value}: must be {min} to {max}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_commas_and_line_ends() {
        assert_eq!(list(" a, b ,,c\r\nd\n"), ["a", "b", "c", "d"]);
        assert!(list("").is_empty());
    }
}
