//! Waits for conditions that other processes or tasks bring about.

use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Longest wait. Only a failing test waits for the whole time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `holds` returns true. Panics after two minutes, with a message that contains `what`.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            sleep(PAUSE).await;
        }
    });
    assert!(waited.await.is_ok(), "this did not happen within {PATIENCE:?}: {what}");
}
