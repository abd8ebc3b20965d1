//! Runs one reconnect loop for each known address of a node.

use super::address::link_url;
use super::reconnect::{self, Source};
use crate::client::link::context::{Context, Phase};
use crate::client::link::publishing::LinkUpdate;
use crate::client::link::service::Service;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Maximum number of known addresses. It limits the effect of a faulty welcome frame.
const MAX_ADDRESSES: usize = 256;
/// Lists of peer addresses that wait for this task.
const PEER_LISTS: usize = 16;

/// Keeps a link to every node that is configured or that another node names, until the phase is `Closed`.
pub(in crate::client::link) async fn keep_linked<S: Service>(context: Arc<Context<S>>, updates: mpsc::Sender<LinkUpdate>) {
    let (peers, mut peer_lists) = mpsc::channel(PEER_LISTS);
    let mut known = HashSet::new();
    let mut tasks = JoinSet::new();
    for url in &context.config.urls {
        if known.insert(url.clone()) {
            tasks.spawn(reconnect::run(context.clone(), url.clone(), Source::Settings, updates.clone(), peers.clone()));
        }
    }
    let mut phase = context.phase.clone();
    loop {
        tokio::select! {
            Some(urls) = peer_lists.recv() => {
                for url in add_unknown(&context, urls, &mut known) {
                    tasks.spawn(reconnect::run(context.clone(), url, Source::Node, updates.clone(), peers.clone()));
                }
            }
            Some(ended) = tasks.join_next() => match ended {
                Ok(url) => { known.remove(&url); }
                Err(error) => tracing::error!(%error, "the task of a link panicked; its address is not tried again"),
            },
            _ = phase.wait_for(|phase| *phase == Phase::Closed) => break,
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Adds the addresses that are not known yet, and returns them.
fn add_unknown<S: Service>(context: &Context<S>, urls: Vec<String>, known: &mut HashSet<String>) -> Vec<String> {
    let mut new = Vec::new();
    for text in urls {
        match link_url(&text, &context.config.service) {
            Ok(url) if known.contains(&url) => {}
            Ok(_) if known.len() >= MAX_ADDRESSES => tracing::warn!(url = text, "a peer address is ignored: too many addresses are known"),
            Ok(url) => {
                known.insert(url.clone());
                new.push(url);
            }
            Err(error) => tracing::warn!(%error, "a node named an invalid peer address"),
        }
    }
    new
}
