//! Requests to other nodes, and answers to theirs.

use super::{
    inbox::{Heard, Inbox, RETENTION},
    message::{Answer, Connection, Message, Question},
    remote::Remote,
};
use crate::broker::{BrokerError, NewPublication};
use gateway_core::model::{ChannelName, ErrorCode, Refusal, Tags, lock};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, timeout_at},
};

/// Time that every node has for an answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Questions of other nodes that are answered at a time.
const ANSWERS: usize = 64;
/// Before a connection to the store that does not work is tried again.
const RETRY: Duration = Duration::from_millis(500);

impl Remote {
    /// Asks every other live node, and awaits all answers.
    pub(super) async fn ask(&self, question: &Question) -> Result<Vec<Answer>, Refusal> {
        let others = self.others().await?;
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + PATIENCE;
        let id = self.next.fetch_add(1, Relaxed);
        let (give, mut take) = mpsc::channel(others.len());
        lock(&self.waiting).insert(id, give);
        let _forget = Forget { waiting: &self.waiting, id };
        let ask = Message::Ask { id, from: self.name(), question: question.clone() };
        let asked = others.iter().map(|node| self.say(node, &ask));
        futures_util::future::try_join_all(asked).await?;
        let (mut silent, mut answers) = (others, Vec::new());
        while !silent.is_empty() {
            let Ok(Some((node, answer))) = timeout_at(deadline, take.recv()).await else { break };
            if let Some(at) = silent.iter().position(|name| **name == *node) {
                silent.swap_remove(at);
                answers.push(answer);
            }
        }
        let failed = answers.iter().find_map(|answer| if let Answer::Failed(why) = answer { Some(why.clone()) } else { None });
        match failed {
            _ if !silent.is_empty() => {
                let names = silent.join(", ");
                let detail = format!("Not every node answered in time: {names}. The others may have carried the request out. Try again.");
                Err(Refusal::new(ErrorCode::ServiceUnavailable, detail))
            }
            Some(why) => Err(Refusal::new(ErrorCode::ServiceUnavailable, why)),
            None => Ok(answers),
        }
    }

    /// Names of the other live nodes, as the store has them now.
    async fn others(&self) -> Result<Vec<Box<str>>, Refusal> {
        let Some(nodes) = self.broker.nodes() else { return Ok(Vec::new()) };
        let (me, all) = (self.name(), nodes.list().await?);
        Ok(all.into_iter().filter(|node| node.is_alive && *node.id.name != *me).map(|node| node.id.name).collect())
    }

    fn name(&self) -> String {
        self.me.name.to_string()
    }

    async fn say(&self, node: &str, message: &Message) -> Result<(), BrokerError> {
        let Some(channel) = channel_of(node) else { return Err(BrokerError::Unavailable("a node's name makes no channel".into())) };
        let publication = NewPublication {
            data: message.to_data(),
            tags: Tags::new(),
            info: None,
            traceparent: None,
            retention: Some(RETENTION),
            idempotency: None,
        };
        self.broker.publish(&channel, publication).await.map(drop)
    }

    /// Answers what other nodes ask, and hands on what they answer. For good.
    pub(super) async fn listen(self: Arc<Self>) {
        let Some(channel) = channel_of(&self.name()) else { return };
        let mut inbox = loop {
            match Inbox::open(self.broker.clone(), self.inbox.0.clone(), self.inbox.1, channel.clone()).await {
                Ok(inbox) => break inbox,
                Err(_) => sleep(RETRY).await,
            }
        };
        // Who spoke before nobody heard.
        self.missed.notify_one();
        let answers = Arc::new(Semaphore::new(ANSWERS));
        loop {
            let data = match inbox.next().await {
                Heard::Message(data) => data,
                Heard::Gap => {
                    tracing::warn!("what other nodes said meanwhile is kept no more");
                    self.missed.notify_one();
                    continue;
                }
            };
            match Message::parse(&data) {
                Some(Message::Ask { id, from, question }) => {
                    let Ok(permit) = answers.clone().acquire_owned().await else { return };
                    let this = self.clone();
                    tokio::spawn(async move {
                        let answer = this.answer(question).await.unwrap_or_else(|refusal| Answer::Failed(refusal.detail));
                        let answer = Message::Answer { id, from: this.name(), answer };
                        if let Err(error) = this.say(&from, &answer).await {
                            tracing::warn!(node = from, %error, "a question of another node could not be answered");
                        }
                        drop(permit);
                    });
                }
                Some(Message::Answer { id, from, answer }) => {
                    let asked = lock(&self.waiting).get(&id).cloned();
                    // Who asked may have given up.
                    asked.map(|asked| asked.try_send((from, answer)));
                }
                None => tracing::warn!("another node said something that this version does not understand"),
            }
        }
    }

    async fn answer(&self, question: Question) -> Result<Answer, Refusal> {
        let not_understood = || Refusal::new(ErrorCode::Internal, "A node of another version did not understand the request.");
        Ok(match question {
            Question::Command(target, command) => {
                let (target, command) = target.into_model().zip(command.into_model()).ok_or_else(not_understood)?;
                Answer::Number(self.local.command(target, command).await?)
            }
            Question::Connections(target) => {
                let found = self.local.connections(target.into_model().ok_or_else(not_understood)?).await?;
                Answer::Connections(found.iter().map(Connection::from).collect())
            }
            Question::Subscribers(channel) => {
                Answer::Number(self.local.subscribers(&channel.parse().map_err(|_| not_understood())?).await?)
            }
        })
    }
}

/// Where a node is spoken to. No namespace that frontends or services may use begins with `$`.
fn channel_of(node: &str) -> Option<ChannelName> {
    format!("$node:{node}").parse().ok()
}

/// Forgets a question once nobody waits for its answers.
struct Forget<'a> {
    waiting: &'a Mutex<HashMap<u64, mpsc::Sender<(String, Answer)>>>,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(self.waiting).remove(&self.id);
    }
}
