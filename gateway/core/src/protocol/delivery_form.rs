//! How the deliveries of a channel are written for a connection that gets no pushes of the Centrifuge protocol.

use super::{
    event_stream::{EventForm, EventTemplate},
    stomp::{MessageForm, MessageTemplate},
};
use crate::model::Publication;
use std::sync::Arc;

/// The form in which the deliveries of one channel are written for one connection. Connections with equal forms get equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryForm {
    /// STOMP messages.
    Stomp(Arc<MessageForm>),
    /// Events of an event stream.
    Events(Arc<EventForm>),
}

/// What forms that are alike share of a publication, encoded once.
#[derive(Debug)]
pub enum DeliveryTemplate {
    /// For STOMP messages.
    Stomp(MessageTemplate),
    /// For events.
    Events(EventTemplate),
}

impl DeliveryForm {
    /// Whether both are the same object.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stomp(one), Self::Stomp(other)) => Arc::ptr_eq(one, other),
            (Self::Events(one), Self::Events(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Whether other connections can have an equal form.
    pub fn can_be_shared(&self) -> bool {
        match self {
            Self::Stomp(_) => true,
            Self::Events(form) => !form.has_own_ids(),
        }
    }

    /// The number of subscriptions that are answered together, at least 1. They share the limit of one page.
    pub fn page_shares(&self) -> usize {
        match self {
            Self::Stomp(_) => 1,
            Self::Events(form) => form.channels(),
        }
    }

    /// Appends everything that the connection gets of a publication. Returns the number of messages. `template` has to [fit](DeliveryTemplate::fits),
    /// and to be of this publication.
    pub fn append(&self, template: &DeliveryTemplate, publication: &Publication, out: &mut Vec<u8>) -> usize {
        match (self, template) {
            (Self::Stomp(form), DeliveryTemplate::Stomp(template)) => form.append(template, publication, out),
            (Self::Events(form), DeliveryTemplate::Events(template)) => {
                form.append(template, publication, out);
                1
            }
            _ => {
                debug_assert!(false, "the template is of another protocol");
                0
            }
        }
    }
}

impl DeliveryTemplate {
    /// Encodes a publication for this form and all that are like it. `number` has to be unique on the node; it identifies STOMP messages of
    /// publications without a position.
    pub fn new(form: &DeliveryForm, publication: &Publication, number: u64) -> Self {
        match form {
            DeliveryForm::Stomp(form) => Self::Stomp(MessageTemplate::new(form.version, form.framing, publication, number)),
            DeliveryForm::Events(form) => Self::Events(EventTemplate::new(form, publication)),
        }
    }

    /// Whether a form of the same channel can be written with the template.
    pub fn fits(&self, form: &DeliveryForm) -> bool {
        match (self, form) {
            (Self::Stomp(template), DeliveryForm::Stomp(form)) => template.fits(form),
            (Self::Events(template), DeliveryForm::Events(form)) => template.fits(form),
            _ => false,
        }
    }
}
