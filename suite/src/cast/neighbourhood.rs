//! The neighbours that a run has once, because the configuration of the server names them.

use std::{sync::Arc, time::Duration};

use tokio::sync::OnceCell;

use super::neighbour::{Neighbour, Relay, turn_server::TurnServer};
use crate::{
    judge::Judge,
    target::{Neighbours, Target},
    verdict::Stop,
};

/// The neighbours of a run, or why there are none.
#[derive(Debug)]
pub(crate) struct Neighbourhood {
    application_service: Result<Arc<Neighbour>, Stop>,
    mail: Result<Arc<Relay>, Stop>,
    text_messages: Result<Arc<Neighbour>, Stop>,
    openid: Result<Arc<Neighbour>, Stop>,
    /// Asked by the server alone: held here so that it listens.
    _captcha: Result<Arc<Neighbour>, Stop>,
    target: Arc<Target>,
    /// A program of its own, started by the first test that asks for it.
    turn: OnceCell<Result<TurnServer, Stop>>,
}

impl Neighbourhood {
    /// Opens their listeners: the server may ask at any time.
    pub(crate) fn open(target: &Arc<Target>, judge: &Arc<Judge>) -> Self {
        let missing = |feature: &str| of_the_run(target, feature);
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
            let (listener, issuer) = neighbours.openid().ok_or_else(taken)?;
            Neighbour::openid_provider(judge.clone(), listener, issuer)
        });
        let captcha = missing("captcha").and_then(|neighbours| {
            Neighbour::captcha(judge.clone(), neighbours.captcha().ok_or_else(taken)?)
        });
        let (target, turn) = (target.clone(), OnceCell::new());
        Neighbourhood { application_service, mail, text_messages, openid, _captcha: captcha, target, turn }
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

    pub(crate) async fn turn_server(&self, patience: Duration) -> Result<&TurnServer, Stop> {
        let start = || async { TurnServer::beside(&self.target, patience).await };
        self.turn.get_or_init(start).await.as_ref().map_err(Stop::clone)
    }

    /// Ends every program that tests have started.
    pub(crate) fn end(&self) {
        if let Some(Ok(turn)) = self.turn.get() {
            turn.end();
        }
    }
}

/// Where the neighbours are, or why there is none for a feature.
pub(super) fn of_the_run<'a>(target: &'a Target, feature: &str) -> Result<&'a Neighbours, Stop> {
    if let Some(why) = target.missing.get(feature) {
        return Err(Stop::NotApplicable(format!("the server does not offer {feature}: {why}")));
    }
    target.neighbours.as_ref().ok_or_else(|| {
        let why = "only a server that a target file launches can be told of those of the run";
        Stop::NotApplicable(format!("no {feature}: {why}"))
    })
}
