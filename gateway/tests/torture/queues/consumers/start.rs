//! Starts the consumers of all services.

use super::{link_instance, stream_consumer, webhook_target};
use crate::{
    queues::{
        life::{Life, ProcessState},
        plan::{Delivery, SERVICES},
        takeovers::watch_epochs,
    },
    world::World,
};
use std::sync::Arc;
use tokio::{sync::watch, task::JoinSet};

/// Starts all consumers, and the count of takeovers. They run until the set is dropped.
pub(crate) fn start_consumers(world: &Arc<World>) -> JoinSet<()> {
    let (mut tasks, consumers) = (JoinSet::new(), &world.queues().consumers);
    tasks.spawn(watch_epochs(world.clone()));
    let (mut controls, mut targets) = (consumers.all.iter(), consumers.targets.iter());
    for service in SERVICES {
        let mut next = || controls.next().expect("each consumer has a control").subscribe();
        match service.delivery {
            Delivery::Links(count) => {
                for number in 0..count {
                    let (world, life) = (world.clone(), next());
                    tasks.spawn(keep_alive(life, move |state| link_instance::run(world.clone(), service, number, state)));
                }
            }
            Delivery::Webhook(count) => {
                for _ in 0..count {
                    let (world, life, target) = (world.clone(), next(), *targets.next().expect("each target has an address"));
                    tasks.spawn(keep_alive(life, move |state| webhook_target::run(world.clone(), service, target, state)));
                }
            }
            Delivery::Streams => {
                for partition in 0..service.partitions {
                    let (world, life) = (world.clone(), next());
                    tasks.spawn(keep_alive(life, move |state| stream_consumer::run(world.clone(), service, partition, state)));
                }
            }
        }
    }
    tasks
}

/// Runs a process again each time after its death.
async fn keep_alive<F: Future<Output = ()>>(life: watch::Receiver<Life>, process: impl Fn(ProcessState) -> F) {
    let mut state = ProcessState(life);
    loop {
        state.until(|life| life != Life::Dead).await;
        let mut death = state.clone();
        tokio::select! {
            () = process(state.clone()) => {}
            () = death.until(|life| life == Life::Dead) => {}
        }
    }
}
