//! Whether a connection that subscribes still hears: a canary goes through Redis as a publication does, and has to come back.

use super::{
    push_receiver::{Broken, PushReceiver},
    subscriber_connection::SubscriberConnection,
};
use crate::broker::redis::{
    commands::job::{Command, Resend, Target},
    schema::slot::Slot,
    servers::health::HealthPart,
};
use std::{convert::Infallible, sync::atomic::Ordering::Relaxed};
use tokio::time::{Instant, sleep, timeout};

impl SubscriberConnection {
    /// Where this master's canary is published: in a cluster, in a slot of that master.
    pub(super) fn canary_channel(&self) -> Option<String> {
        let map = self.all.masters.topology();
        if map.only().is_some() {
            return Some(self.all.keys.canary(&self.all.node, None));
        }
        let slot: Slot = *map.serving().get(&self.master)?;
        Some(self.all.keys.canary(&self.all.node, Some(slot.example())))
    }

    /// Sends one canary after the other. Ends when one does not come back.
    pub(super) async fn canaries(&self, line: &PushReceiver) -> Result<Infallible, Broken> {
        let part = HealthPart::Canary(self.master);
        let (mut heard, mut placed) = (line.heard.subscribe(), line.canary.subscribe());
        for number in 1u64.. {
            let Some(place) = placed.wait_for(Option::is_some).await.ok().and_then(|place| place.clone()) else { break };
            let mut cmd = redis::cmd(self.all.masters.pubsub().publish());
            cmd.arg(&place).arg(number);
            let sent = Instant::now();
            if let Err(error) = self.all.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Never }).await {
                // That is no fault of this connection.
                self.all.health.set_failed(part, &error.to_string());
            } else if matches!(timeout(2 * self.all.canary, heard.wait_for(|heard| *heard >= number)).await, Ok(Ok(_))) {
                self.all.health.set_working(part);
                self.all.counters.round_trip_ms.store(sent.elapsed().as_millis() as u64, Relaxed);
            } else if self.canary_channel().is_some_and(|now| now == place) {
                self.all.counters.deaf.add(1);
                let address = self.connector.address();
                self.all
                    .health
                    .set_failed(part, &format!("what is published does not come back from Redis at {address}; subscribing anew"));
                return Err(Broken::Deaf);
            }
            sleep(self.all.canary).await;
        }
        std::future::pending().await
    }
}
