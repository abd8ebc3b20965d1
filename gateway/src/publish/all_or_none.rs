//! Several publications into one channel, of which all are stored or none.

use super::{CallerIdentity, Publisher, content, parse_channel};
use crate::{
    broker::{NewPublications, Published},
    telemetry::{SpanKind, TraceSpan},
};
use gateway_core::model::{ChannelName, Content, ErrorCode, Fingerprint, Refusal, Span, Tags};
use shared_proto::content::ContentBody;
use std::ops::RangeInclusive;
use tracing::Instrument as _;

/// Number of publications. The store executes nothing else meanwhile, so it is small.
const ENTRIES: RangeInclusive<usize> = 2..=256;
/// Largest size of all data and tags together, in bytes.
const BYTES: usize = 1 << 20;

/// Several publications of a service that are not checked yet.
#[derive(Clone, Debug)]
pub struct DraftAll {
    channel: ChannelName,
    items: Vec<(Content, Tags)>,
    traceparent: Option<Box<str>>,
    identity: Option<CallerIdentity>,
}

impl DraftAll {
    /// Makes a draft, with a checked name and valid content.
    pub fn parse(
        channel: &str,
        items: impl IntoIterator<Item = (ContentBody, Tags)>,
        traceparent: Option<Box<str>>,
        identity: Option<CallerIdentity>,
    ) -> Result<Self, Refusal> {
        let channel = parse_channel(channel)?;
        let items = items.into_iter().enumerate();
        let items = items.map(|(index, (body, tags))| Ok((content::parse(body).map_err(|refusal| at(index, refusal))?, tags)));
        Ok(Self { channel, items: items.collect::<Result<_, Refusal>>()?, traceparent, identity })
    }

    // NL-2.9
    /// A digest of everything that makes two requests equal. No single publication has the same.
    fn fingerprint(&self) -> [u8; 32] {
        let mut parts = Fingerprint::default();
        // A single publication begins with its channel, which is never empty.
        parts.add(b"");
        parts.add(self.channel.as_bytes());
        for (content, tags) in &self.items {
            parts.add(content.kind().as_bytes());
            parts.add(content.as_bytes());
            parts.add(&(tags.len() as u64).to_be_bytes());
            parts.add_tags(tags);
        }
        parts.finish()
    }
}

impl Publisher {
    // NL-2.19
    /// Publishes all, or refuses and changes nothing. With [`ErrorCode::OutcomeUnknown`] it is unknown which of both happened.
    pub async fn publish_all(&self, mut draft: DraftAll) -> Result<Published<Span>, Refusal> {
        let options = self.options(&draft.channel)?;
        let Some(retention) = options.retention else {
            let detail = "The channel's namespace keeps no history, so it takes only single publications. Publish them one by one, or set history_size and history_ttl for the namespace.";
            return Err(Refusal::new(ErrorCode::NotAvailable, detail));
        };
        check_count(draft.items.len(), retention.size as usize)?;
        for (index, (content, tags)) in draft.items.iter_mut().enumerate() {
            self.check(content, tags).and_then(|()| content::check(options, content, tags)).map_err(|refusal| at(index, refusal))?;
        }
        check_size(&draft.items)?;
        let step = TraceSpan::begin(SpanKind::Publish, draft.traceparent.as_deref().and_then(|parent| parent.parse().ok()));
        let identity = draft.identity.clone().map(|identity| identity.for_broker(|| draft.fingerprint()));
        let publications = NewPublications { items: draft.items, traceparent: step.traceparent(), retention, identity };
        let published = self.broker.publish_all(&draft.channel, publications).instrument(step.span().clone()).await;
        published.map_err(|error| CallerIdentity::refusal(draft.identity.as_ref(), error))
    }
}

fn check_count(count: usize, kept: usize) -> Result<(), Refusal> {
    let detail = if !ENTRIES.contains(&count) {
        let (first, last) = (ENTRIES.start(), ENTRIES.end());
        format!(
            "`publications` has {count} entries; {first} to {last} are allowed. Send one publication without `publications`, and more in several requests."
        )
    } else if count > kept {
        format!("`publications` has {count} entries, and the channel keeps {kept}. Send fewer, or raise history_size of the namespace.")
    } else {
        return Ok(());
    };
    Err(Refusal::new(ErrorCode::LimitExceeded, detail))
}

fn check_size(items: &[(Content, Tags)]) -> Result<(), Refusal> {
    let of_tags = |tags: &Tags| tags.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let size = items.iter().map(|(content, tags)| content.size() + of_tags(tags)).sum::<usize>();
    if size > BYTES {
        let detail = format!("`publications` has {size} bytes in JSON; {BYTES} are allowed. Send fewer in one request.");
        return Err(Refusal::new(ErrorCode::PayloadTooLarge, detail));
    }
    Ok(())
}

/// Names the publication that is refused.
fn at(index: usize, refusal: Refusal) -> Refusal {
    Refusal { detail: format!("publications[{index}]: {}", refusal.detail), ..refusal }
}
