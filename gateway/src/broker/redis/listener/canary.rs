//! Whether a connection that subscribes still hears: a canary goes through Redis as a publication does, and has to come back.

use super::{
    push_receiver::{Broken, PushReceiver},
    subscriber_connection::SubscriberConnection,
};
use crate::broker::redis::{
    commands::job::{Command, Resend, Target},
    schema::{
        answers::text,
        scripts::{SCRIPTS, call},
        slot::Slot,
    },
    servers::health::HealthPart,
};
use std::{convert::Infallible, sync::atomic::Ordering::Relaxed};
use tokio::time::{Instant, sleep, timeout};

/// How long the key of a write probe stays, in milliseconds.
const WRITE_PROBE_MS: u64 = 10_000;

impl SubscriberConnection {
    /// Where this master's canary is published.
    pub(super) fn canary_channel(&self) -> Option<String> {
        self.named(|number| self.all.keys.canary(&self.all.node, number))
    }

    /// A name in a slot of this master; none while it has no slot. `name` gets a number in such a slot, or none where one master has all slots.
    fn named(&self, name: impl FnOnce(Option<u32>) -> String) -> Option<String> {
        let map = self.all.masters.now();
        if map.only().is_some() {
            return Some(name(None));
        }
        let slot: Slot = *map.serving().get(&self.master)?;
        Some(name(Some(slot.example())))
    }

    /// Writes to this master. Publishes of canaries go through while a server refuses all writes, so they do not show that.
    async fn probe_writes(&self) {
        let Some(key) = self.named(|number| self.all.keys.write_probe(&self.all.node, number)) else { return };
        let mut cmd = call(&SCRIPTS.write_probe, &[key]);
        cmd.arg(WRITE_PROBE_MS);
        // Without an answer it is the lane that does not work, which says so by itself.
        let Ok(answer) = self.all.lane.run(Command { cmd, to: Target::Key, order: None, again: Resend::Safe }).await else { return };
        let (part, health) = (HealthPart::Writes(self.master), &self.all.health);
        match text(answer) {
            Some(refusal) if !refusal.is_empty() => health.warn(part, &refused_writes(&self.connector.address(), &refusal)),
            _ => health.well(part),
        }
    }

    // NL-6.1
    /// Sends one canary after the other. Ends when one does not come back.
    pub(super) async fn canaries(&self, line: &PushReceiver) -> Result<Infallible, Broken> {
        let part = HealthPart::Canary(self.master);
        let (mut heard, mut placed) = (line.heard.subscribe(), line.canary.subscribe());
        for number in 1u64.. {
            let Some(place) = placed.wait_for(Option::is_some).await.ok().and_then(|place| place.clone()) else { break };
            self.probe_writes().await;
            let mut cmd = redis::cmd(self.all.masters.pubsub().publish());
            cmd.arg(&place).arg(number);
            let sent = Instant::now();
            if let Err(error) = self.all.lane.run(Command { cmd, to: Target::Key, order: None, again: Resend::Never }).await {
                // That is no fault of this connection.
                self.all.health.trouble(part, &error.to_string());
            } else if matches!(timeout(2 * self.all.canary, heard.wait_for(|heard| *heard >= number)).await, Ok(Ok(_))) {
                self.all.health.well(part);
                self.all.counters.round_trip_ms.store(sent.elapsed().as_millis() as u64, Relaxed);
            } else if self.canary_channel().is_some_and(|now| now == place) {
                self.all.counters.deaf.add(1);
                let address = self.connector.address();
                self.all.health.trouble(part, &format!("what is published does not come back from Redis at {address}; subscribing anew"));
                return Err(Broken::Deaf);
            }
            sleep(self.all.canary).await;
        }
        std::future::pending().await
    }
}

/// What a server says to the write of a probe, and what to do about it.
fn refused_writes(address: &str, refusal: &str) -> String {
    let code = refusal.trim_start_matches('-').split(' ').next().unwrap_or_default();
    let cure = match code {
        "OOM" => "it has reached maxmemory. Give it more memory, or delete data of other programs".to_owned(),
        "MISCONF" => "it cannot save its data to disk. Free space there, and see the log of Redis".to_owned(),
        "NOREPLICAS" => "it has fewer replicas than min-replicas-to-write asks for. Start them".to_owned(),
        _ => refusal.to_owned(),
    };
    format!("Redis at {address} refuses writes: {cure}")
}
