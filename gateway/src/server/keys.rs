//! Uses new API keys when their sources change.

use super::follow::{Followed, Occasion, Seen};
use crate::{
    auth::{ApiKeys, check_exposure, exposure_warnings},
    node::Node,
    settings::{KeySources, Problems, Settings},
    telemetry::{Metrics, Series},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The API keys of a node, with their sources.
pub(super) struct FollowedKeys {
    sources: KeySources,
    /// Those of the start, with the keys of the last look.
    settings: Settings,
    node: Arc<Node>,
    seen: Seen<Result<ApiKeys, Problems>>,
    reloads: Arc<Reloads>,
}

/// What became of changes.
#[derive(Default)]
struct Reloads {
    loaded: AtomicU64,
    refused: AtomicU64,
}

impl FollowedKeys {
    /// Follows the sources of the keys in `settings`, which the node uses.
    pub(super) fn new(sources: KeySources, settings: &Settings, node: &Arc<Node>, metrics: &Metrics) -> Result<Self, Problems> {
        let used = ApiKeys::try_from(&settings.api_keys[..])?;
        let reloads = Arc::<Reloads>::default();
        let counts = reloads.clone();
        metrics.observe(Series::KeyReloads, move |report| {
            report(&["loaded"], counts.loaded.load(Relaxed));
            report(&["refused"], counts.refused.load(Relaxed));
        });
        Ok(Self { sources, settings: settings.clone(), node: node.clone(), seen: Seen::new(Ok(used)), reloads })
    }

    /// Reads all keys, with the checks of a start.
    fn read(&mut self) -> Result<ApiKeys, Problems> {
        self.sources.read_into(&mut self.settings)?;
        let keys = ApiKeys::try_from(&self.settings.api_keys[..])?;
        check_exposure(&self.settings, &self.node.tokens)?;
        Ok(keys)
    }

    fn accept(&self, keys: ApiKeys) {
        self.reloads.loaded.fetch_add(1, Relaxed);
        tracing::info!(?keys, "requests and links need one of the API keys that were read now");
        let warnings = [self.settings.warnings(), exposure_warnings(&self.settings, &self.node.tokens)];
        let of_keys = warnings.iter().flat_map(Problems::iter).filter(|warning| warning.key.starts_with("api_keys"));
        of_keys.for_each(|warning| tracing::warn!("{warning}"));
        self.node.key_rates.set_names(keys.names());
        self.node.api_keys.replace(keys);
    }

    fn refuse(&self, problems: &Problems) {
        self.reloads.refused.fetch_add(1, Relaxed);
        let why = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        tracing::warn!(files = ?self.sources.files(), "new API keys are refused, and the earlier ones still count: {why}");
    }
}

impl Followed for FollowedKeys {
    fn look(&mut self, occasion: Occasion) {
        if occasion == Occasion::Hangup
            && let Err(problems) = self.sources.read_again()
        {
            return self.refuse(&problems);
        }
        let read = self.read();
        if self.seen.is_due(read.clone(), occasion) {
            match read {
                Ok(keys) => self.accept(keys),
                Err(problems) => self.refuse(&problems),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{server::wiring::wire, settings::Layers, telemetry::Telemetry};
    use std::{fs, path::PathBuf};
    use tempfile::TempDir;

    /// The keys of a node that listens to others, in a file of settings and a file of keys.
    struct Bed {
        directory: TempDir,
        node: Arc<Node>,
        telemetry: Telemetry,
        followed: FollowedKeys,
    }

    impl Bed {
        /// `keys`: what the file of keys has.
        fn new(keys: &str) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            fs::write(directory.path().join("keys"), keys).expect("written");
            let file = directory.path().join("gateway.toml");
            fs::write(&file, format!("[internal]\naddress = \"0.0.0.0:8001\"\n{}", named(&directory))).expect("written");
            let layers = Layers { file: Some(&file), variables: Some([].into()), flags: &[] };
            let settings = Settings::load(&layers).expect("valid");
            let telemetry = Telemetry::without_logs(&settings).expect("no endpoint");
            let addresses = (None, settings.internal.address);
            let node = wire(&settings, addresses, telemetry.metrics()).expect("valid").node;
            let sources = KeySources::new(&layers).expect("readable");
            let followed = FollowedKeys::new(sources, &settings, &node, telemetry.metrics()).expect("valid");
            Self { directory, node, telemetry, followed }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        /// Changes the file of keys, and looks until it counts.
        fn write(&mut self, keys: &str) {
            fs::write(self.path("keys"), keys).expect("written");
            self.look();
        }

        fn look(&mut self) {
            [Occasion::Tick; 2].into_iter().for_each(|tick| self.followed.look(tick));
        }

        /// Which of the keys "a", "b" and "dev" count.
        fn accepted(&self) -> String {
            let counts = |key: &&str| self.node.api_keys.authorize(Some(&format!("Bearer {key}")), None).is_ok();
            ["a", "b", "dev"].into_iter().filter(counts).collect()
        }

        /// How many changes were loaded, and how many refused.
        fn reloads(&self) -> [u64; 2] {
            let text = self.telemetry.metrics().render();
            ["loaded", "refused"].map(|result| {
                let series = format!("switchboard_key_reloads_total{{result=\"{result}\"}} ");
                let line = text.lines().find_map(|line| line.strip_prefix(&*series));
                line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {series} in {text}"))
            })
        }
    }

    fn named(directory: &TempDir) -> String {
        format!("[[api_keys]]\nname = \"one\"\nkey_file = {:?}\n", directory.path().join("keys"))
    }

    #[test]
    fn a_file_counts_when_it_was_seen_twice_and_only_if_it_changes_the_keys() {
        let mut bed = Bed::new("a");
        bed.look();
        fs::write(bed.path("keys"), "b").expect("written");
        bed.followed.look(Occasion::Tick);
        assert_eq!((bed.accepted(), bed.reloads()), ("a".into(), [0, 0]), "it may still be written");
        bed.followed.look(Occasion::Tick);
        assert_eq!((bed.accepted(), bed.reloads()), ("b".into(), [1, 0]));
        bed.write("b\n");
        assert_eq!((bed.accepted(), bed.reloads()), ("b".into(), [1, 0]), "it is the same key");
        bed.followed.look(Occasion::Hangup);
        assert_eq!((bed.accepted(), bed.reloads()), ("b".into(), [2, 0]));
    }

    #[test]
    fn keys_that_no_start_would_accept_are_refused_once_and_the_earlier_ones_count() {
        let mut bed = Bed::new("a");
        for (number, wrong) in (1..).zip(["", "\u{7}", "dev"]) {
            bed.write(wrong);
            bed.look();
            assert_eq!((bed.accepted(), bed.reloads()), ("a".into(), [0, number]), "{wrong:?}");
        }
        bed.write("b");
        assert_eq!((bed.accepted(), bed.reloads()), ("b".into(), [1, 3]));
    }

    #[test]
    fn the_file_of_settings_is_read_with_sighup_only_and_only_for_keys() {
        let mut bed = Bed::new("a");
        let mut settings = named(&bed.directory);
        settings.push_str("[[api_keys]]\nname = \"two\"\nkey = \"b\"\n[nothing]\nknown = 1\n");
        fs::write(bed.path("gateway.toml"), settings).expect("written");
        bed.look();
        assert_eq!((bed.accepted(), bed.reloads()), ("a".into(), [0, 0]));
        bed.followed.look(Occasion::Hangup);
        assert_eq!((bed.accepted(), bed.reloads()), ("ab".into(), [1, 0]));
        fs::write(bed.path("gateway.toml"), "[[api_keys").expect("written");
        bed.followed.look(Occasion::Hangup);
        bed.look();
        assert_eq!((bed.accepted(), bed.reloads()), ("ab".into(), [1, 1]));
        bed.write("c");
        assert_eq!((bed.accepted(), bed.reloads()), ("b".into(), [2, 1]), "the files that it named before are followed");
    }
}
