//! The set of nodes that this instance is linked to.

use super::peer::{self, Origin};
use super::router::LinkNews;
use super::{Phase, Service, Shared, address};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Nodes beyond which further ones are not linked to: a bound on what a broken `welcome` can do.
const MOST_PEERS: usize = 256;
/// Lists of peers that wait.
const LISTS: usize = 16;

/// Keeps a link to every node that is configured or that another node names, until the phase is `Closed`.
pub(super) async fn keep_up<S: Service>(shared: Arc<Shared<S>>, news: mpsc::Sender<LinkNews>) {
    let (found, mut finds) = mpsc::channel(LISTS);
    let mut known = HashSet::new();
    let mut tasks = JoinSet::new();
    for url in &shared.config.urls {
        if known.insert(url.clone()) {
            tasks.spawn(peer::keep(shared.clone(), url.clone(), Origin::Configured, news.clone(), found.clone()));
        }
    }
    let mut phase = shared.phase.clone();
    loop {
        tokio::select! {
            Some(urls) = finds.recv() => {
                for url in new_ones(&shared, urls, &mut known) {
                    tasks.spawn(peer::keep(shared.clone(), url, Origin::Named, news.clone(), found.clone()));
                }
            }
            Some(ended) = tasks.join_next() => match ended {
                Ok(url) => { known.remove(&url); }
                Err(error) => tracing::error!(%error, "the keeper of a link broke off"),
            },
            _ = phase.wait_for(|phase| *phase == Phase::Closed) => break,
        }
    }
    while tasks.join_next().await.is_some() {}
}

fn new_ones<S: Service>(shared: &Shared<S>, urls: Vec<String>, known: &mut HashSet<String>) -> Vec<String> {
    let mut new = Vec::new();
    for text in urls {
        match address::link_url(&text, &shared.config.service) {
            Ok(url) if known.contains(&url) => {}
            Ok(_) if known.len() >= MOST_PEERS => tracing::warn!(peer = text, "too many nodes: this one is left out"),
            Ok(url) => {
                known.insert(url.clone());
                new.push(url);
            }
            Err(error) => tracing::warn!(%error, "a node named a peer that cannot be linked to"),
        }
    }
    new
}
