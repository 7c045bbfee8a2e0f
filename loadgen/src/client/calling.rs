//! Calls: two scripted parties who signal as the specification has it, after the model of SIPp.
//!
//! invite → candidates → answer → select_answer → negotiate → hangup, every event of version 1, with the pacing that
//! `client-server-api/#voice-over-ip` suggests. What one party sends, the other acts on when its own sync brings it.

mod content;
mod line;
mod relay;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Turn, now, nowhere};
use crate::{
    connection::Problem,
    recorder::Moments,
    switchboard::{Call, Heard},
};

use content::{Description, identifier};
use line::{Line, Party};

/// How calls go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calls {
    /// How long it rings before the callee takes a decision.
    pub ring: Duration,
    /// How long a call lasts once it is answered.
    pub talk: Duration,
    /// The share of calls in which both call each other at once.
    pub glare: f64,
    /// The share of calls that the callee rejects.
    pub reject: f64,
    /// Whether callees ask for a relay with the credentials that they were given.
    pub relay: bool,
}

/// The pacing that the specification suggests for batches of candidates.
const CANDIDATES_AFTER_INVITE: Duration = Duration::from_secs(2);
const CANDIDATES_AFTER_ANSWER: Duration = Duration::from_millis(500);

impl Default for Calls {
    fn default() -> Self {
        Calls {
            ring: Duration::from_secs(1),
            talk: Duration::from_secs(2),
            glare: 0.05,
            reject: 0.1,
            relay: false,
        }
    }
}

/// What keeps a call from going as it should; the kind of its error.
type Broken = String;

impl Turn<'_> {
    /// One call from dialling to hanging up. Its own latency is from the moment it was due until both know what came of it (the
    /// callee that he was chosen, or the caller that he was rejected), without the time that it rang.
    pub(super) async fn call(&mut self) {
        let Some((room, callee)) =
            self.room().and_then(|(_, room)| Some((room.segment.clone(), self.other_in(room)?)))
        else {
            return self.fails(&nowhere());
        };
        let recorder = self.recorder().clone();
        recorder.started(self.deed.measured, self.moments.due, 1);
        let traffic = self.traffic;
        let lane = traffic.callee_lane(callee);
        let mut callee_lane = lane;
        let caller = Party { user: self.place, party_id: identifier(self.chance(10), 8) };
        let called = Party { user: callee, party_id: identifier(self.chance(11), 8) };
        let due = self.moments.due;
        let ids = [self.chance(12), self.chance(13)].map(|number| identifier(number, 16));
        let (kind, number) = (self.kind(), self.number);
        let mut line = Line {
            traffic,
            room: &room,
            number,
            caller: (caller, &mut *self.lane),
            callee: (called, &mut callee_lane),
        };
        let came = match kind {
            Kind::Plain => line.plain(&ids[0], due).await,
            Kind::Rejected => line.rejected(&ids[0], due).await,
            Kind::Glare => line.glare(&ids, due).await,
        };
        ids.iter().for_each(|id| traffic.watch.switchboard.close(id));
        traffic.keep_callee_lane(callee, callee_lane);
        match came {
            Ok(post_dial) => recorder.ended_at(self.deed.measured, self.moments, due + post_dial),
            Err(broken) => recorder.failed(self.deed.measured, due, &broken, 1),
        }
    }

    fn kind(&self) -> Kind {
        let calls = &self.traffic.calls;
        let chance = (self.chance(14) >> 11) as f64 / (1_u64 << 53) as f64;
        if chance < calls.glare {
            Kind::Glare
        } else if chance < calls.glare + calls.reject {
            Kind::Rejected
        } else {
            Kind::Plain
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Rejected,
    Glare,
}

impl Line<'_> {
    async fn plain(&mut self, call_id: &str, due: Instant) -> Result<Duration, Broken> {
        let call = self.open(call_id);
        self.dial(&call, call_id, due).await?;
        let ring = self.traffic.calls.ring;
        // The caller gathers candidates while it rings at the other end.
        let (caller, callee) = self.ends();
        let (_, ()) = tokio::join!(caller.candidates(call_id, CANDIDATES_AFTER_INVITE.min(ring)), async {
            callee.turn_credentials().await;
            tokio::time::sleep(ring).await;
        });
        let set_up = self.answer(&call, call_id, now()).await?;
        self.talk(&call, call_id).await?;
        self.hang_up(&call, call_id).await?;
        Ok(set_up.saturating_duration_since(due).saturating_sub(ring))
    }

    async fn rejected(&mut self, call_id: &str, due: Instant) -> Result<Duration, Broken> {
        let call = self.open(call_id);
        self.dial(&call, call_id, due).await?;
        let ring = self.traffic.calls.ring;
        tokio::time::sleep(ring).await;
        let moments = now();
        let caller = self.caller.0.user;
        let (_, mut callee) = self.ends();
        callee.send("reject", content::reject(callee.id(call_id)), moments).await?;
        let known = self
            .awaited("reject-propagation", moments, &call, caller, |heard| heard.kind == "m.call.reject")
            .await?;
        Ok(known.saturating_duration_since(due).saturating_sub(ring))
    }

    /// Both call at once. Each decides by himself which call survives; they have to decide alike.
    async fn glare(&mut self, ids: &[String; 2], due: Instant) -> Result<Duration, Broken> {
        let calls = [self.open(&ids[0]), self.open(&ids[1])];
        let (caller_user, callee_user) = (self.caller.0.user, self.callee.0.user);
        let moments = Moments { due, begun: Instant::now() };
        let (mut caller, mut callee) = self.ends();
        let (calling, called) = (caller.user_id(), callee.user_id());
        let (one, other) = tokio::join!(
            caller.send("invite", content::invite(caller.id(&ids[0]), called), moments),
            callee.send("invite", content::invite(callee.id(&ids[1]), calling), moments),
        );
        one.and(other)?;
        let is_invite = |heard: &Heard| heard.kind == "m.call.invite";
        let seen_by_caller = calls[1].awaits(caller_user, self.traffic.within, is_invite).await;
        let seen_by_callee = calls[0].awaits(callee_user, self.traffic.within, is_invite).await;
        // Whoever has seen only his own call keeps it.
        let kept_by_caller = if seen_by_caller.is_some() { ids.iter().min() } else { Some(&ids[0]) };
        let kept_by_callee = if seen_by_callee.is_some() { ids.iter().min() } else { Some(&ids[1]) };
        let operation = self.traffic.watch.recorder.operation("glare");
        self.traffic.watch.recorder.started(operation, due, 1);
        if kept_by_caller != kept_by_callee {
            self.traffic.watch.recorder.failed(operation, due, "two calls survived", 1);
            return Err("two calls survived".to_owned());
        }
        self.traffic.watch.recorder.ended(operation, moments, Ok(()));
        let survivor = usize::from(kept_by_caller == Some(&ids[1]));
        if survivor == 1 {
            // From here on the other one is the caller.
            std::mem::swap(&mut self.caller, &mut self.callee);
        }
        let aborted = &ids[1 - survivor];
        let (_, mut callee) = self.ends();
        callee.send("hangup", content::hangup(callee.id(aborted), "user_hangup"), now()).await?;
        // The call that came in is taken without asking the user, who was calling anyway.
        let set_up = self.answer(&calls[survivor], &ids[survivor], now()).await?;
        self.talk(&calls[survivor], &ids[survivor]).await?;
        self.hang_up(&calls[survivor], &ids[survivor]).await?;
        Ok(set_up.saturating_duration_since(due))
    }

    /// The caller invites, and it rings where the callee's sync brings the invite.
    async fn dial(&mut self, call: &Arc<Call>, call_id: &str, due: Instant) -> Result<(), Broken> {
        let moments = Moments { due, begun: Instant::now() };
        let callee = self.callee.0.user;
        let (mut caller, called) = self.ends();
        caller.send("invite", content::invite(caller.id(call_id), called.user_id()), moments).await?;
        self.awaited("dial-to-ring", moments, call, callee, |heard| heard.kind == "m.call.invite").await?;
        Ok(())
    }

    /// The callee answers, the caller chooses his answer. Gives when the callee knew.
    async fn answer(&mut self, call: &Arc<Call>, call_id: &str, moments: Moments) -> Result<Instant, Broken> {
        let (caller_user, callee_user) = (self.caller.0.user, self.callee.0.user);
        let party_id = self.callee.0.party_id.clone();
        let (_, mut callee) = self.ends();
        callee.send("answer", content::answer(callee.id(call_id)), moments).await?;
        self.awaited("answer-to-caller", moments, call, caller_user, |heard| {
            heard.kind == "m.call.answer" && heard.party_id == party_id
        })
        .await?;
        let (mut caller, callee) = self.ends();
        let (selected, _) = tokio::join!(
            caller.send("select-answer", content::select_answer(caller.id(call_id), &party_id), now()),
            callee.candidates(call_id, CANDIDATES_AFTER_ANSWER),
        );
        selected?;
        let selected = call.awaits(callee_user, self.traffic.within, |heard| {
            heard.kind == "m.call.select_answer" && heard.selected_party_id == party_id
        });
        Ok(selected.await.ok_or("the callee never learnt that he was chosen")?.at)
    }

    /// Half-way through the call, it is negotiated anew.
    async fn talk(&mut self, call: &Arc<Call>, call_id: &str) -> Result<(), Broken> {
        let half = self.traffic.calls.talk / 2;
        tokio::time::sleep(half).await;
        let (caller_user, callee_user) = (self.caller.0.user, self.callee.0.user);
        let moments = now();
        let (mut caller, _) = self.ends();
        caller.send("negotiate", content::negotiate(caller.id(call_id), Description::Offer), moments).await?;
        let caller_party = self.caller.0.party_id.clone();
        let callee_party = self.callee.0.party_id.clone();
        let offered = |heard: &Heard| heard.kind == "m.call.negotiate" && heard.party_id == caller_party;
        call.awaits(callee_user, self.traffic.within, offered)
            .await
            .ok_or("an offer to negotiate never came")?;
        let (_, mut callee) = self.ends();
        callee.send("negotiate", content::negotiate(callee.id(call_id), Description::Answer), now()).await?;
        let answered = |heard: &Heard| heard.kind == "m.call.negotiate" && heard.party_id == callee_party;
        self.awaited("renegotiation", moments, call, caller_user, answered).await?;
        tokio::time::sleep(half).await;
        Ok(())
    }

    async fn hang_up(&mut self, call: &Arc<Call>, call_id: &str) -> Result<(), Broken> {
        let (moments, callee) = (now(), self.callee.0.user);
        let (mut caller, _) = self.ends();
        caller.send("hangup", content::hangup(caller.id(call_id), "user_hangup"), moments).await?;
        self.awaited("hangup-propagation", moments, call, callee, |heard| heard.kind == "m.call.hangup")
            .await?;
        Ok(())
    }

    /// Waits until a user's sync brings an event, and measures it from the moments of what it follows.
    async fn awaited(
        &self,
        timer: &str,
        moments: Moments,
        call: &Arc<Call>,
        user: u32,
        fits: impl Fn(&Heard) -> bool,
    ) -> Result<Instant, Broken> {
        let recorder = &self.traffic.watch.recorder;
        let operation = recorder.operation(timer);
        recorder.started(operation, moments.due, 1);
        match call.awaits(user, self.traffic.within, fits).await {
            Some(heard) => {
                recorder.ended_at(operation, moments, heard.at);
                Ok(heard.at)
            }
            None => {
                recorder.failed(operation, moments.due, "never came", 1);
                Err(format!("{timer} never came"))
            }
        }
    }
}

impl super::Traffic {
    /// The lane of somebody who is called: his own, from the last call, or a new one.
    fn callee_lane(&self, callee: u32) -> crate::connection::Lane {
        let kept = self.callees.lock().unwrap_or_else(PoisonError::into_inner).remove(&callee);
        let home = self.watch.population.users[callee as usize].home;
        kept.unwrap_or_else(|| self.homes.lane(home))
    }

    fn keep_callee_lane(&self, callee: u32, lane: crate::connection::Lane) {
        self.callees.lock().unwrap_or_else(PoisonError::into_inner).insert(callee, lane);
    }
}

/// A request of a call that failed, as the error of the call.
fn broken(event: &str, problem: &Problem) -> Broken {
    format!("{event}: {}", problem.kind())
}
