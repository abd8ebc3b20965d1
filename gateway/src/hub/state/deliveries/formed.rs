//! The publications of a fan-out as STOMP messages or events. Each publication is encoded once; the parts that differ between connections are added
//! to it.

use crate::hub::output::batch::{Batch, Budget};
use gateway_core::{
    model::Publication,
    protocol::{DeliveryForm, DeliveryTemplate},
};
use std::{rc::Rc, sync::Arc};

/// Most batches that a fan-out keeps for other connections with the same form.
const MAX_FORMS: usize = 16;

/// The encoded publications of a fan-out.
pub(crate) struct Formed {
    /// The number of the first publication, for the ids of those without a position.
    first_number: u64,
    /// The templates of all publications, for each kind of form.
    templates: Vec<Vec<DeliveryTemplate>>,
    batches: Vec<(DeliveryForm, Option<Rc<Batch>>)>,
}

impl Formed {
    pub(crate) fn new(first_number: u64) -> Self {
        Self { first_number, templates: Vec::new(), batches: Vec::new() }
    }

    /// All publications that a form wants, as one batch. `None` if it wants none of them.
    pub(crate) fn all(&mut self, publications: &[Arc<Publication>], form: &DeliveryForm, budget: &Rc<Budget>) -> Option<Rc<Batch>> {
        if !form.can_be_shared() {
            return self.encode(publications, |_| true, form, budget);
        }
        if let Some((_, known)) = self.batches.iter().find(|(known, _)| known.is_same(form)) {
            return known.clone();
        }
        let batch = self.encode(publications, |_| true, form, budget);
        if self.batches.len() < MAX_FORMS {
            self.batches.push((form.clone(), batch.clone()));
        }
        batch
    }

    /// The publications after an offset that a form wants.
    pub(crate) fn after(
        &mut self,
        offset: u64,
        publications: &[Arc<Publication>],
        form: &DeliveryForm,
        budget: &Rc<Budget>,
    ) -> Option<Rc<Batch>> {
        self.encode(publications, |it| it.position.is_none_or(|at| at.offset > offset), form, budget)
    }

    /// The newest publication that a form wants.
    pub(crate) fn newest(&mut self, publications: &[Arc<Publication>], form: &DeliveryForm, budget: &Rc<Budget>) -> Option<Rc<Batch>> {
        (0..publications.len()).rev().find_map(|at| {
            let newest = &publications[at];
            self.encode(publications, |it| Arc::ptr_eq(it, newest), form, budget)
        })
    }

    fn encode(
        &mut self,
        publications: &[Arc<Publication>],
        wants: impl Fn(&Arc<Publication>) -> bool,
        form: &DeliveryForm,
        budget: &Rc<Budget>,
    ) -> Option<Rc<Batch>> {
        let (mut bytes, mut count) = (Vec::new(), 0);
        let templates = self.templates(publications, form);
        for (template, publication) in templates.iter().zip(publications).filter(|(_, publication)| wants(publication)) {
            count += form.append(template, publication, &mut bytes);
        }
        (count > 0).then(|| Batch::with_deliveries(count, bytes, budget))
    }

    fn templates(&mut self, publications: &[Arc<Publication>], form: &DeliveryForm) -> &[DeliveryTemplate] {
        let known = self.templates.iter().position(|each| each.first().is_some_and(|template| template.fits(form)));
        let at = known.unwrap_or_else(|| {
            let numbered = (self.first_number..).zip(publications);
            self.templates.push(numbered.map(|(number, publication)| DeliveryTemplate::new(form, publication, number)).collect());
            self.templates.len() - 1
        });
        &self.templates[at]
    }
}

/// Encodes publications from history for one connection. `None` if the form wants none of them.
pub(crate) fn history(publications: &[Arc<Publication>], form: &DeliveryForm, budget: &Rc<Budget>) -> Option<Rc<Batch>> {
    Formed::new(0).encode(publications, |_| true, form, budget)
}
