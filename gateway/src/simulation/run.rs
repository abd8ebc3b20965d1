//! One run of a plan.

use super::{
    calm,
    engine::{self, Engine},
    plan::Plan,
    world::World,
};
use crate::broker::simulated::Flaw;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a plan. `log` gets the steps that did something. The error says what is wrong.
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
    calm::calm(&mut world)
}

/// Runs a plan; a panic is a failure like any other.
pub(super) fn attempt(plan: &Plan, flaw: Option<Flaw>, log: Option<&mut Vec<String>>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| run(plan, flaw, log))).unwrap_or_else(|_| Err("it panicked".into()))
}
