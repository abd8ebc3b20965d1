//! Which publications of a fan-out pass the filters of members. Each filter is evaluated once.

use gateway_core::{channel::TagsFilter, model::Publication};
use std::{rc::Rc, sync::Arc};

/// Most filters whose result a fan-out remembers. Others are evaluated for each member.
const MAX_FILTERS: usize = 64;

/// The publications of a fan-out that a member wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    All,
    Nothing,
    /// Those at these indices, in order. There are others, too.
    Part(Rc<[u32]>),
}

impl Selection {
    fn of(filter: &TagsFilter, all: &[Arc<Publication>]) -> Self {
        let wanted: Vec<_> = (0..).zip(all).filter(|(_, publication)| filter.matches(&publication.tags)).map(|(at, _)| at).collect();
        match wanted.len() {
            0 => Self::Nothing,
            count if count == all.len() => Self::All,
            _ => Self::Part(wanted.into()),
        }
    }
}

/// The results of filters, by filter. Equal filters of a channel are one object.
#[derive(Default)]
pub(crate) struct Selections(Vec<(Arc<TagsFilter>, Selection)>);

impl Selections {
    /// The result of a filter.
    pub(crate) fn of(&mut self, filter: &Arc<TagsFilter>, all: &[Arc<Publication>]) -> Selection {
        if let Some((_, known)) = self.0.iter().find(|(known, _)| Arc::ptr_eq(known, filter)) {
            return known.clone();
        }
        let selection = Selection::of(filter, all);
        if self.0.len() < MAX_FILTERS {
            self.0.push((filter.clone(), selection.clone()));
        }
        selection
    }
}
