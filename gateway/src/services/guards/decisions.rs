//! The three kinds of questions.

use super::{
    super::{caller::Caller, services::Services},
    answer::{self, ConnectTerms, Decision},
    ask::{Question, Start},
    config::ConnectGuard,
    counters::{GuardCounters, QuestionKind},
    guards::Guards,
    unanswered::Unanswered,
};
use gateway_core::{
    channel::{Guard, WhenAway},
    model::{ChannelName, Content, Data, ErrorCode, Refusal, Secret, UserId},
    session::{Occasion, SubscribePermit},
};
use serde_json::value::RawValue;
use shared_proto::{
    content::{ContentBody, ContentMembers},
    guard::{ConnectQuestion, PublishQuestion, SubscribeQuestion},
};
use std::time::Duration;
use tokio::time::Instant;

/// What the gateway knows about a connection that asks for permission.
#[derive(Clone, Debug)]
pub struct ConnectFacts {
    /// The token that the frontend sent; empty if it sent none.
    pub token: Secret,
    /// The digest of the token, under which the answer is remembered; none: it is not.
    pub digest: Option<[u8; 32]>,
    /// The user of the token; anonymous if the gateway has verified none.
    pub user: UserId,
    /// Whether it wants to connect, or to stay connected.
    pub occasion: Occasion,
    /// The claims of the token, if the gateway has verified it.
    pub claims: Option<Box<RawValue>>,
    /// What the application says about itself.
    pub data: Option<Data>,
}

impl Services {
    /// The service that decides about connections. `None`: tokens decide.
    pub fn connect_guard(&self) -> Option<&ConnectGuard> {
        self.guards.connect.as_ref()
    }

    /// Asks who a connection is. Also returns when that was asked, in seconds since 1970. `caller` has the user of the token, if it was verified.
    ///
    /// Without an answer the refusal is temporary.
    pub async fn ask_connect(
        &self,
        guard: &ConnectGuard,
        facts: ConnectFacts,
        caller: &Caller,
    ) -> Result<(Decision<ConnectTerms>, u64), Refusal> {
        let ConnectFacts { token, digest, user: by_token, occasion, claims, data } = facts;
        let content = ConnectQuestion { token, claims, data: raw(data) };
        let question = self.question(QuestionKind::Connect, &guard.service, &content, caller, Duration::MAX);
        let check = |data: &Data| {
            let answer = answer::connect(data)?;
            match &answer.decision {
                Decision::Allowed(terms) => terms.check(&by_token).map(|()| answer),
                Decision::Refused { .. } | Decision::Disconnect { .. } => Ok(answer),
            }
        };
        let answer = match digest {
            None => self.ask_now(question, check).await.map(|(dated, _)| dated),
            Some(digest) => {
                let user = |decision: &Decision<ConnectTerms>| match decision {
                    Decision::Allowed(ConnectTerms { user: Some(user), .. }) => Some(user.clone()),
                    _ => Some(caller.user.clone()),
                };
                self.ask_or_remember(question, check, (digest, occasion, Guards::connects), user).await
            }
        };
        match answer {
            Ok(dated) => Ok((dated.decision, dated.asked)),
            Err(Unanswered::Overloaded(detail)) => Err(Refusal::new(ErrorCode::TooManyRequests, detail)),
            Err(Unanswered::Away(..)) => {
                Err(Refusal::new(ErrorCode::Internal, "The service that decides about connections is not available. Try again shortly."))
            }
        }
    }

    /// Asks the guard of a channel whether the caller may subscribe, or stay subscribed, within this time. If the guard is away, its setting decides about a
    /// subscribe; a renewal is refused, so that it is asked again.
    pub async fn ask_subscribe(
        &self,
        guard: &Guard,
        channel: &ChannelName,
        data: Option<Data>,
        caller: &Caller,
        (within, occasion): (Duration, Occasion),
    ) -> Result<Decision<SubscribePermit>, Refusal> {
        let content = SubscribeQuestion { channel: channel.to_string(), data: raw(data) };
        let question = self.question(QuestionKind::Subscribe, &guard.service, &content, caller, within);
        let answer = if caller.user.is_anonymous() {
            self.ask_now(question, answer::subscribe).await.map(|(dated, _)| dated)
        } else {
            let key = (caller.user.clone(), channel.clone());
            self.ask_or_remember(question, answer::subscribe, (key, occasion, Guards::subscribes), |_| Some(caller.user.clone())).await
        };
        answer.map(|dated| dated.decision).or_else(|unanswered| self.without_answer(QuestionKind::Subscribe, occasion, guard, unanswered))
    }

    /// Asks the guard of a channel whether the caller may publish this. It may replace the content; none: it stays as it is. If the guard is away,
    /// its setting decides.
    pub async fn ask_publish(
        &self,
        guard: &Guard,
        channel: &ChannelName,
        content: &Content,
        caller: &Caller,
    ) -> Result<Decision<Option<Content>>, Refusal> {
        let ContentMembers { data, text, data_base64 } = match content.clone() {
            Content::Json(data) => ContentBody::Json(data.into()),
            Content::Text(text) => ContentBody::Text(text.into()),
            Content::Bytes(bytes) => ContentBody::Bytes(bytes.into()),
        }
        .into();
        let content = PublishQuestion { channel: channel.to_string(), data, text, data_base64 };
        let question = self.question(QuestionKind::Publish, &guard.service, &content, caller, Duration::MAX);
        let answer = self.ask(question, answer::publish).await;
        answer
            .map(|answer| answer.decision)
            .or_else(|unanswered| self.without_answer(QuestionKind::Publish, Occasion::Begin, guard, unanswered))
    }

    /// Forgets the answers about a user that were asked for until this time, in seconds since 1970, because the user was revoked then.
    pub fn forget_answers(&self, user: &UserId, until: u64) {
        self.guards.subscribes().forget(user, until);
        self.guards.connects().forget(user, until);
    }

    /// The counters of questions.
    pub fn guard_counters(&self) -> &GuardCounters {
        &self.guards.counters
    }

    /// Remembered answers that left because of the limit.
    pub fn guard_answers_evicted(&self) -> u64 {
        self.guards.evicted()
    }

    fn question<'a, Q>(
        &self,
        kind: QuestionKind,
        service: &'a gateway_core::model::ServiceName,
        content: &'a Q,
        caller: &'a Caller,
        within: Duration,
    ) -> Question<'a, Q> {
        let route = self.service(service).map_or(Duration::MAX, |service| service.routes.of(kind.method()).route.call_timeout);
        let deadline = Instant::now() + within.min(route).min(self.guards.timeout);
        Question { kind, service, content, caller, deadline, start: Start::AtOnce }
    }

    fn without_answer<T: Default>(
        &self,
        kind: QuestionKind,
        occasion: Occasion,
        guard: &Guard,
        unanswered: Unanswered,
    ) -> Result<Decision<T>, Refusal> {
        match (unanswered, guard.when_away, occasion) {
            // Whoever can fill the limit could get around the guard otherwise.
            (Unanswered::Overloaded(detail), ..) => Err(Refusal::new(ErrorCode::TooManyRequests, detail)),
            (Unanswered::Away(..), WhenAway::Allow, Occasion::Begin) => {
                self.guards.counters.add_bypassed(kind);
                Ok(Decision::Allowed(T::default()))
            }
            // Without an expiry, an allowed renewal would be the last one.
            (Unanswered::Away(..), ..) => {
                let detail = format!("{}, which decides about this channel, is not available. Try again shortly.", guard.service);
                Err(Refusal::new(ErrorCode::ServiceUnavailable, detail))
            }
        }
    }
}

fn raw(data: Option<Data>) -> Box<RawValue> {
    data.map_or_else(|| RawValue::NULL.to_owned(), Into::into)
}
