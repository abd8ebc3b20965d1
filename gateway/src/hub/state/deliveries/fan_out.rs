//! The deliveries of a channel that are on their way to its members, and their encodings.

use super::{
    fork::ForkTransition,
    formed::Formed,
    selection::{Selection, Selections},
};
use crate::{
    broker::Announcement,
    hub::output::{
        batch::{Batch, Budget},
        encode::{self, ChannelNames, DeliveryFormat, Parts},
    },
    telemetry::TraceSpan,
};
use gateway_core::{
    channel::TagsFilter,
    model::Publication,
    protocol::{DeliveryForm, centrifuge},
};
use std::{rc::Rc, sync::Arc};

/// Most batches of a format with a part of the publications that a fan-out keeps for other members with the same selection.
const MAX_VARIANTS: usize = 8;

/// Deliveries on their way to the members. Each format is encoded when the first member needs it.
pub(crate) struct FanOut {
    pub(crate) content: Content,
    /// The channel's delivery before these, where the channel has deltas.
    previous: Option<Arc<Publication>>,
    /// The delta of each publication to the one before it, when they are needed.
    deltas: Option<Vec<Option<Vec<u8>>>>,
    /// The first offset among the publications. `None` if none of them has a position.
    first_offset: Option<u64>,
    /// The batches with all deliveries, by chain and format.
    whole: [[Option<Rc<Batch>>; DeliveryFormat::COUNT]; 2],
    /// What members with filters need, by format.
    filtered: [Option<Box<Filtered>>; DeliveryFormat::COUNT],
    selections: Selections,
    /// What connections with forms need; none: there are none.
    formed: Option<Box<Formed>>,
    /// The trace span of the fan-out, which ends with it.
    _step: TraceSpan,
}

/// Consecutive deliveries of one kind.
pub(crate) enum Content {
    Publications(Vec<Arc<Publication>>),
    Announcements(Vec<Announcement>),
    Fork(ForkTransition),
}

/// What the first publication for a member with deltas refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    /// Nothing: it is whole.
    Begins,
    /// The channel's delivery before, which the member has.
    Continues,
}

/// The publications of a fan-out for members with filters.
struct Filtered {
    parts: Parts,
    /// The batches of the first selections.
    variants: Vec<Variant>,
}

/// The batch of a selection.
struct Variant {
    selected: Rc<[u32]>,
    batch: Rc<Batch>,
}

impl FanOut {
    /// Deliveries after `previous`, which is the channel's delivery before them. `formed` is needed if there are connections with forms.
    pub(crate) fn new(content: Content, previous: Option<Arc<Publication>>, formed: Option<Formed>, step: TraceSpan) -> Self {
        let first_offset = match &content {
            Content::Publications(all) => all.iter().find_map(|publication| publication.position).map(|at| at.offset),
            Content::Announcements(_) | Content::Fork(_) => None,
        };
        let (whole, filtered, selections) = Default::default();
        let formed = formed.map(Box::new);
        Self { content, previous, deltas: None, first_offset, whole, filtered, selections, formed, _step: step }
    }

    /// All deliveries as one batch. For a fork it is the new position of server-side subscriptions.
    #[inline] // It runs for each member, and encodes for the first of them.
    pub(crate) fn whole(&mut self, channel: ChannelNames<'_>, format: DeliveryFormat, chain: Chain, budget: &Rc<Budget>) -> Rc<Batch> {
        match &self.whole[chain as usize][format.index()] {
            Some(known) => known.clone(),
            None => self.encode_whole(channel, format, chain, budget),
        }
    }

    #[cold]
    fn encode_whole(&mut self, channel: ChannelNames<'_>, format: DeliveryFormat, chain: Chain, budget: &Rc<Budget>) -> Rc<Batch> {
        let batch = self.encode(channel, format, chain, budget);
        self.whole[chain as usize][format.index()].insert(batch).clone()
    }

    fn encode(&mut self, channel: ChannelNames<'_>, format: DeliveryFormat, chain: Chain, budget: &Rc<Budget>) -> Rc<Batch> {
        let Self { content, previous, deltas, .. } = self;
        match content {
            Content::Publications(all) if format.has_deltas() => {
                let deltas = deltas.get_or_insert_with(|| centrifuge::deltas(previous.as_deref(), all));
                let delta = |at: usize| deltas[at].as_deref().filter(|_| at > 0 || chain == Chain::Continues);
                Batch::with_deliveries(all.len(), encode::publications(channel, format, all, delta), budget)
            }
            Content::Publications(all) => publications(all, channel, format, budget),
            Content::Announcements(all) => Batch::with_deliveries(all.len(), encode::announcements(channel, format, all), budget),
            Content::Fork(transition) => Batch::new(encode::position(channel.name, format.encoding(), transition.position()), budget),
        }
    }

    /// The deliveries that pass a filter.
    pub(crate) fn select(&mut self, filter: Option<&Arc<TagsFilter>>) -> Selection {
        match (&self.content, filter) {
            (Content::Publications(all), Some(filter)) => self.selections.of(filter, all),
            _ => Selection::All,
        }
    }

    /// The publications at these indices as one batch.
    pub(crate) fn part(
        &mut self,
        selected: &Rc<[u32]>,
        channel: ChannelNames<'_>,
        format: DeliveryFormat,
        budget: &Rc<Budget>,
    ) -> Rc<Batch> {
        let Self { content, filtered, .. } = self;
        let Content::Publications(all) = content else { return Batch::new([], budget) };
        let filtered = &mut filtered[format.index()];
        let Filtered { parts, variants } =
            &mut **filtered.get_or_insert_with(|| Box::new(Filtered { parts: Parts::encode(channel, format, all), variants: Vec::new() }));
        if let Some(known) = variants.iter().find(|known| known.selected == *selected) {
            return known.batch.clone();
        }
        let batch = Batch::with_deliveries(selected.len(), parts.message(selected), budget);
        if variants.len() < MAX_VARIANTS {
            variants.push(Variant { selected: selected.clone(), batch: batch.clone() });
        }
        batch
    }

    /// The newest publication of a selection as a batch of its own, for slow consumers under the policy `latest`.
    pub(crate) fn newest(
        &mut self,
        selection: &Selection,
        channel: ChannelNames<'_>,
        format: DeliveryFormat,
        budget: &Rc<Budget>,
    ) -> Rc<Batch> {
        let Content::Publications(all) = &self.content else { return Batch::new([], budget) };
        let newest = match selection {
            Selection::All => all.len().checked_sub(1),
            Selection::Nothing => None,
            Selection::Part(selected) => selected.last().map(|at| *at as usize),
        };
        publications(newest.map_or(&[], |at| &all[at..=at]), channel, format, budget)
    }

    /// The publications for a connection with a form that has everything up to `start_offset`. They have to be queued at once.
    pub(crate) fn formed(&mut self, form: &DeliveryForm, start_offset: u64, budget: &Rc<Budget>) -> Option<Rc<Batch>> {
        let has_some = self.begins_before(start_offset);
        let (Content::Publications(all), Some(formed)) = (&self.content, &mut self.formed) else { return None };
        if has_some { formed.after(start_offset, all, form, budget) } else { formed.all(all, form, budget) }
    }

    /// The newest publication for a connection with a form, as [`Self::newest`].
    pub(crate) fn newest_formed(&mut self, form: &DeliveryForm, budget: &Rc<Budget>) -> Option<Rc<Batch>> {
        let (Content::Publications(all), Some(formed)) = (&self.content, &mut self.formed) else { return None };
        formed.newest(all, form, budget)
    }

    /// The first offset among the publications.
    pub(crate) fn first_offset(&self) -> Option<u64> {
        self.first_offset
    }

    /// Whether a member that has everything up to `start_offset` has publications of the batch.
    pub(crate) fn begins_before(&self, start_offset: u64) -> bool {
        self.first_offset.is_some_and(|first| start_offset >= first)
    }

    /// The publications of the batch for a member that has everything up to `start_offset`, and wants those that pass the filter.
    pub(crate) fn publications_after(&self, start_offset: u64, filter: Option<&Arc<TagsFilter>>) -> Vec<Arc<Publication>> {
        let wants = |publication: &Publication| filter.is_none_or(|filter| filter.matches(&publication.tags));
        match &self.content {
            Content::Publications(all) => {
                all.iter().filter(|it| it.position.is_none_or(|at| at.offset > start_offset) && wants(it)).cloned().collect()
            }
            Content::Announcements(_) | Content::Fork(_) => Vec::new(),
        }
    }
}

/// Encodes publications of a channel as a batch, the first of them whole.
pub(crate) fn publications(all: &[Arc<Publication>], channel: ChannelNames<'_>, format: DeliveryFormat, budget: &Rc<Budget>) -> Rc<Batch> {
    let deltas = if format.has_deltas() { centrifuge::deltas(None, all) } else { Vec::new() };
    Batch::with_deliveries(all.len(), encode::publications(channel, format, all, |at| deltas[at].as_deref()), budget)
}
