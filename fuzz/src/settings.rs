//! The invariant of settings.

use gateway::settings::Settings;

/// A line that no output may repeat.
const SECRET: &str = "s3cr3t-of-the-fuzz-target";

/// Checks that settings are read without a panic, that each problem names a key and says something, and that what is shown of valid settings has
/// no secret.
pub fn check(data: &[u8]) {
    let Ok(toml) = std::str::from_utf8(data) else { return };
    match Settings::from_toml(toml) {
        Ok(settings) => drop(settings.effective()),
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
    let with_secret = format!("{toml}\n[tokens]\nhmac_secret = \"{SECRET}\"\n");
    let shown = match Settings::from_toml(&with_secret) {
        Ok(settings) => settings.effective(),
        Err(problems) => problems.to_string(),
    };
    assert!(!shown.contains(SECRET), "{shown}");
}
