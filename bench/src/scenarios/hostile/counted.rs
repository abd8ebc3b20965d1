//! What the gateway counted during a flood.

use std::collections::BTreeMap;

/// Counters that tell what became of attackers.
const COUNTERS: [&str; 5] =
    ["limited_total", "connections_closed_total", "upgrades_refused_total", "http_connection_errors_total", "dropped_total"];
const PREFIX: &str = "switchboard_";

/// The counters with their labels, at one time.
#[derive(Default)]
pub(super) struct Counted(BTreeMap<String, f64>);

impl Counted {
    /// Reads the text of `/metrics`.
    pub(super) fn of(metrics: &str) -> Self {
        let row = |line: &str| {
            let (series, value) = line.strip_prefix(PREFIX)?.rsplit_once(' ')?;
            let name = series.split('{').next()?;
            let value = value.parse().ok().filter(|_| COUNTERS.contains(&name))?;
            Some((series.replace("_total", ""), value))
        };
        Self(metrics.lines().filter_map(row).collect())
    }

    /// What has been counted since, as text.
    pub(super) fn since(&self, before: &Self) -> String {
        let grown = self.0.iter().filter_map(|(series, value)| {
            let grown = value - before.0.get(series).unwrap_or(&0.0);
            (grown > 0.0).then(|| format!("{series} {grown}"))
        });
        let text = grown.collect::<Vec<_>>().join(", ");
        if text.is_empty() { "nothing".into() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_grown_is_named() {
        let before = Counted::of("# HELP\nswitchboard_limited_total{limit=\"a\"} 2\nswitchboard_dropped_total{cause=\"b\"} 3\n");
        let after = Counted::of(
            "switchboard_limited_total{limit=\"a\"} 7\nswitchboard_dropped_total{cause=\"b\"} 3\nswitchboard_connections_open 5\n",
        );
        assert_eq!(after.since(&before), r#"limited{limit="a"} 5"#);
        assert_eq!(after.since(&after), "nothing");
    }
}
