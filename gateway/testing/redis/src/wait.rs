//! Waiting for what happens by itself.

use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Long enough for any machine. Only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until a condition holds. Panics with `what` after a minute.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            sleep(PAUSE).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {PATIENCE:?}: {what}");
}
