//! The neighbours that a run has once, because the configuration of the server names them.

use std::sync::Arc;

use super::neighbour::{Neighbour, Relay};
use crate::{judge::Judge, target::Target, verdict::Stop};

/// The neighbours of a run, or why there are none.
#[derive(Debug)]
pub(crate) struct Neighbourhood {
    application_service: Result<Arc<Neighbour>, Stop>,
    mail: Result<Arc<Relay>, Stop>,
    text_messages: Result<Arc<Neighbour>, Stop>,
    openid: Result<Arc<Neighbour>, Stop>,
}

impl Neighbourhood {
    /// Opens their listeners: the server may ask at any time.
    pub(crate) fn open(target: &Target, judge: &Arc<Judge>) -> Self {
        let missing = |feature: &str| match target.missing.get(feature) {
            Some(why) => Err(Stop::NotApplicable(format!("the server does not offer {feature}: {why}"))),
            None => target.neighbours.as_ref().ok_or_else(|| {
                let why = "only a server that a target file launches can be told of those of the run";
                Stop::NotApplicable(format!("no {feature}: {why}"))
            }),
        };
        let taken = || Stop::Fault("a listener of the run was taken twice".to_owned());
        let application_service = missing("application_services").and_then(|neighbours| {
            Neighbour::application_service(judge.clone(), neighbours.application_service().ok_or_else(taken)?)
        });
        let mail = missing("email")
            .and_then(|neighbours| Relay::open(neighbours.mail().ok_or_else(taken)?).map(Arc::new));
        let text_messages = missing("msisdn").and_then(|neighbours| {
            Neighbour::text_messages(judge.clone(), neighbours.text_messages().ok_or_else(taken)?)
        });
        let openid = missing("sso").and_then(|neighbours| {
            let (listener, port) = neighbours.openid().ok_or_else(taken)?;
            Neighbour::openid_provider(judge.clone(), listener, port)
        });
        Neighbourhood { application_service, mail, text_messages, openid }
    }

    pub(crate) fn application_service(&self) -> Result<Arc<Neighbour>, Stop> {
        self.application_service.clone()
    }

    pub(crate) fn mail(&self) -> Result<Arc<Relay>, Stop> {
        self.mail.clone()
    }

    pub(crate) fn openid(&self) -> Result<Arc<Neighbour>, Stop> {
        self.openid.clone()
    }

    pub(crate) fn text_messages(&self) -> Result<Arc<Neighbour>, Stop> {
        self.text_messages.clone()
    }
}
