//! Runs one plan.

use super::{
    engine::{self, Engine},
    final_phase,
    plan::Plan,
    world::World,
};
use crate::broker::simulated::Flaw;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a plan. `log` gets the steps that did something. The error is the violated guarantee.
fn run(plan: &Plan, flaw: Option<Flaw>, mut log: Option<&mut Vec<String>>) -> Result<(), String> {
    let runtime = engine::runtime();
    let mut engine = Engine::new(&runtime);
    let _inside = engine.enter();
    let mut world = World::new(&mut engine, plan.shape, flaw);
    for step in &plan.steps {
        if world.step(*step) {
            if let Some(log) = &mut log {
                log.push(world.describe(*step));
            }
            if step.kind.wakes() {
                world.settle()?;
            }
        }
    }
    final_phase::finish(&mut world)
}

/// Runs a plan; a panic counts as a failure.
pub(super) fn attempt(plan: &Plan, flaw: Option<Flaw>, log: Option<&mut Vec<String>>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| run(plan, flaw, log))).unwrap_or_else(|_| Err("it panicked".into()))
}
