//! The canary: a message that passes through Redis like a publication. It proves that a subscriber connection still delivers.

use super::{
    push_receiver::{Broken, PushReceiver},
    subscriber_connection::SubscriberConnection,
};
use crate::broker::redis::{
    commands::job::{Command, Resend, Target},
    schema::{
        answers::{text, unexpected_answer},
        scripts::{SCRIPTS, call},
        slot::Slot,
    },
    servers::health::HealthPart,
};
use std::{convert::Infallible, sync::atomic::Ordering::Relaxed};
use tokio::time::{Instant, sleep, timeout};

/// Lifetime of the key of a write probe, in milliseconds.
const WRITE_PROBE_MS: u64 = 10_000;

impl SubscriberConnection {
    /// The pub/sub channel of this master's canary. None while the master has no slot.
    pub(super) fn canary_channel(&self) -> Option<String> {
        self.name_in_slot(|number| self.context.keys.canary(&self.context.node, number))
    }

    /// Returns a name in a slot of this master, or None while it has no slot. `name` makes the name: it gets a number in such a slot, or
    /// None if one master serves all slots.
    fn name_in_slot(&self, name: impl FnOnce(Option<u32>) -> String) -> Option<String> {
        let topology = self.context.masters.topology();
        if topology.only().is_some() {
            return Some(name(None));
        }
        let slot: Slot = *topology.serving().get(&self.master)?;
        Some(name(Some(slot.example())))
    }

    /// Checks that this master accepts writes. A canary cannot prove that, because a server that refuses writes still accepts PUBLISH.
    async fn probe_writes(&self) {
        let Some(key) = self.name_in_slot(|number| self.context.keys.write_probe(&self.context.node, number)) else { return };
        let mut cmd = call(&SCRIPTS.write_probe, &[key]);
        cmd.arg(WRITE_PROBE_MS);
        let answer = self.context.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Safe }).await;
        let (part, health) = (HealthPart::Writes(self.master), &self.context.health);
        match answer.map(text) {
            Ok(Some(refusal)) if refusal.is_empty() => health.set_working(part),
            Ok(Some(refusal)) => health.warn(part, &refused_writes(&self.connector.address(), &refusal)),
            Ok(None) => drop(health.set_failed(part, &unexpected_answer().to_string())),
            // The lane has logged this problem itself.
            Err(error) => drop(health.set_failed(part, &error.to_string())),
        }
    }

    // NL-6.1
    /// Sends canaries, one at a time. Returns an error if one does not return.
    pub(super) async fn canaries(&self, receiver: &PushReceiver) -> Result<Infallible, Broken> {
        let part = HealthPart::Canary(self.master);
        let (mut returned, mut channels) = (receiver.returned_canary.subscribe(), receiver.canary.subscribe());
        for number in 1u64.. {
            let Some(channel) = channels.wait_for(Option::is_some).await.ok().and_then(|channel| channel.clone()) else { break };
            self.probe_writes().await;
            let mut cmd = redis::cmd(self.context.masters.pubsub().publish());
            cmd.arg(&channel).arg(number);
            let sent = Instant::now();
            if let Err(error) = self.context.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Never }).await {
                // The lane could not publish the canary. That says nothing about the subscriber connection.
                self.context.health.set_failed(part, &error.to_string());
            } else if matches!(
                timeout(2 * self.context.canary_interval, returned.wait_for(|returned| *returned >= number)).await,
                Ok(Ok(_))
            ) {
                self.context.health.set_working(part);
                self.context.counters.round_trip_ms.store(sent.elapsed().as_millis() as u64, Relaxed);
            } else if self.canary_channel().is_some_and(|now| now == channel) {
                self.context.counters.undelivered.add(1);
                let address = self.connector.address();
                self.context
                    .health
                    .set_failed(part, &format!("Redis at {address} does not deliver published messages to the gateway: subscribing again"));
                return Err(Broken::NotDelivering);
            }
            sleep(self.context.canary_interval).await;
        }
        std::future::pending().await
    }
}

/// The problem of a server that refused the write probe, and its cure.
fn refused_writes(address: &str, refusal: &str) -> String {
    let code = refusal.trim_start_matches('-').split(' ').next().unwrap_or_default();
    let cure = match code {
        "OOM" => "it has reached maxmemory. Raise maxmemory, or delete data of other programs".to_owned(),
        "MISCONF" => "it cannot save its data to disk. Free disk space, and read the log of Redis".to_owned(),
        "NOREPLICAS" => "it has fewer replicas than min-replicas-to-write requires. Start them".to_owned(),
        _ => refusal.to_owned(),
    };
    format!("Redis at {address} refuses writes: {cure}")
}
