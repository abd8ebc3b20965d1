//! Guards that keep [`Activity`](crate::client::link::context::Activity) correct for as long as a session runs.

use crate::client::link::context::Context;
use std::sync::Arc;

/// Registers a node as linked until it is dropped.
pub(super) struct LinkedNode<'a, S> {
    context: &'a Context<S>,
    node: String,
}

impl<'a, S> LinkedNode<'a, S> {
    /// Returns `None` if the node is linked already.
    pub(super) fn register(context: &'a Context<S>, node: &str) -> Option<Self> {
        let is_new = context.activity.send_if_modified(|now| now.nodes.insert(node.to_owned()));
        is_new.then(|| Self { context, node: node.to_owned() })
    }
}

impl<S> Drop for LinkedNode<'_, S> {
    fn drop(&mut self) {
        self.context.activity.send_modify(|now| {
            now.nodes.remove(&self.node);
        });
    }
}

/// Counts a link as undrained until it is dropped.
pub(super) struct UndrainedLink<S>(Arc<Context<S>>);

impl<S> UndrainedLink<S> {
    pub(super) fn register(context: &Arc<Context<S>>) -> Self {
        context.activity.send_modify(|now| now.undrained += 1);
        Self(context.clone())
    }
}

impl<S> Drop for UndrainedLink<S> {
    fn drop(&mut self) {
        self.0.activity.send_modify(|now| now.undrained -= 1);
    }
}
