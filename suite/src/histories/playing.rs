//! A history told to the server in one order, and what it says of it then.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use oracle::Receipt;
use tokio::time::Instant;
use vectors::history::History;

use super::{
    Asked,
    order::{self, Order},
    parting::{Kind, Parting, Shows},
    transcript::{Company, Line, Transcript},
};
use crate::{
    cast::{
        Answer, Homeserver, User,
        remote::{Pdu, Remote},
    },
    path,
    verdict::Stop,
};

/// How long is waited before the server is asked again whether it has an event by now.
const PAUSE: Duration = Duration::from_millis(20);

/// Those who tell histories, and the user of the server who is told them.
pub(super) struct Table {
    company: Company,
    guest: User,
    /// The kinds of parting that are only counted.
    known: Vec<Kind>,
}

impl Table {
    pub(super) async fn set(hs: &Homeserver, known: Vec<Kind>) -> Result<Self, Stop> {
        Ok(Table { company: Company::gather(hs).await?, guest: hs.user("guest").await?, known })
    }

    /// Whether a kind of parting is only counted.
    pub(super) fn knows(&self, kind: Kind) -> bool {
        self.known.contains(&kind)
    }

    /// Tells a history in a new room, and waits for as long as it may take to arrive. Gives what was compared, or how the
    /// server parts from the oracle.
    pub(super) async fn tell(
        &self,
        history: &History,
        order: Order,
        seed: u64,
        within: Duration,
    ) -> Result<Result<Asked, Parting>, Stop> {
        let transcript = Transcript::write(history, &self.company, &self.guest).await?;
        let mut objections = BTreeMap::new();
        for transaction in order.transactions(&transcript.lines, seed) {
            let pdus: Vec<&Pdu> = transaction.iter().map(|number| &transcript.lines[*number].pdu).collect();
            let sender = pdus.first().and_then(|pdu| pdu.json().get("sender")?.as_str());
            let answer = self.company.of(sender.unwrap_or_default()).transmit(&pdus).await?;
            for (id, result) in answer.at("/pdus").as_object().into_iter().flatten() {
                objections.extend(result["error"].as_str().map(|error| (id.clone(), error.to_owned())));
            }
        }
        let until = Instant::now() + within;
        let telling =
            Telling { table: self, transcript: &transcript, order, within, until, arrived: 0, objections };
        telling.compare().await
    }
}

/// A history that was told.
struct Telling<'a> {
    table: &'a Table,
    transcript: &'a Transcript,
    order: Order,
    /// How long the server may take for the next event.
    within: Duration,
    /// Until when another event has to have arrived.
    until: Instant,
    /// How many events had arrived when that was said.
    arrived: usize,
    /// What the server said against events, by their ids.
    objections: BTreeMap<String, String>,
}

impl Telling<'_> {
    async fn compare(mut self) -> Result<Result<Asked, Parting>, Stop> {
        let mut asked = Asked::default();
        let mut absent = BTreeSet::new();
        let Transcript { lines, .. } = self.transcript;
        let last = order::last(lines);
        // When the last events have arrived, those before them have, if they ever do.
        let (ends, others): (Vec<usize>, Vec<usize>) =
            (0..lines.len()).partition(|number| last.contains(number));
        for number in ends.iter().chain(&others) {
            let line = &lines[*number];
            if matches!(line.receipt, Receipt::Rejected { .. }) {
                continue;
            }
            let must_have = self.order.tells_all() || last.contains(number);
            let answer = self.state_before(line, must_have).await?;
            if answer.status().is_success() {
                asked.states += 1;
                if let Some(parting) = self.compare_state(line, &answer)?
                    && let Some(parting) = self.unless_known(parting, &mut asked)
                {
                    return Ok(Err(parting));
                }
            } else if must_have && line.receipt == Receipt::Accepted && !is_refused(&answer) {
                let shows = Shows::Absent(self.said_of(line, &answer));
                if let Some(parting) = self.unless_known(self.parting(line, shows), &mut asked) {
                    return Ok(Err(parting));
                }
                absent.insert(*number);
            } else {
                asked.unknown += 1;
            }
        }
        // What the server does not have, it does not show either.
        for line in (0..lines.len()).filter(|number| !absent.contains(number)).map(|number| &lines[number]) {
            asked.visible += 1;
            if let Some(parting) = self.compare_visibility(line).await?
                && let Some(parting) = self.unless_known(parting, &mut asked)
            {
                return Ok(Err(parting));
            }
        }
        Ok(Ok(asked))
    }

    /// What the server says of the state before an event; where it must have it, when it has had time for that.
    async fn state_before(&mut self, line: &Line, must_have: bool) -> Result<Answer, Stop> {
        loop {
            let answer = self.ask_for_state(line).await?;
            let may_wait = must_have && line.receipt == Receipt::Accepted && !is_refused(&answer);
            if answer.status().is_success() || !may_wait {
                return Ok(answer);
            }
            if Instant::now() > self.until && !self.goes_on().await? {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether events have arrived since the last time that this was asked: a busy server is given more time as long as some do.
    async fn goes_on(&mut self) -> Result<bool, Stop> {
        let mut arrived = 0;
        for line in &self.transcript.lines {
            arrived += usize::from(self.ask_for_state(line).await?.status().is_success());
        }
        let goes_on = arrived > self.arrived;
        if goes_on {
            (self.arrived, self.until) = (arrived, Instant::now() + self.within);
        }
        Ok(goes_on)
    }

    /// Asks as one server after the other, until one of them is in the room as the server under test sees it: what is
    /// soft-failed, and with it who is in the room at the end, follows from the order in which events arrive.
    async fn ask_for_state(&self, line: &Line) -> Result<Answer, Stop> {
        let path = path!("/_matrix/federation/v1/state_ids/{}", self.transcript.room.id());
        let ask = async |remote: &Remote| remote.get(&path)?.query("event_id", line.pdu.id()).answer().await;
        let [first, others @ ..] = self.table.company.remotes() else {
            return Err(Stop::Fault("nobody tells the history".to_owned()));
        };
        let mut answer = ask(first).await?;
        for remote in others {
            if is_refused(&answer) {
                answer = ask(remote).await?;
            }
        }
        Ok(answer)
    }

    fn compare_state(&self, line: &Line, answer: &Answer) -> Result<Option<Parting>, Stop> {
        let (expected, _) = self.transcript.room.state_and_auth_chain_before(&line.pdu)?;
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        let came = answer.must_have_list("/pdu_ids")?;
        let came: BTreeSet<&str> = came.iter().filter_map(|id| id.as_str()).collect();
        if expected == came {
            return Ok(None);
        }
        let named = |ids: &BTreeSet<&str>, others: &BTreeSet<&str>| -> Vec<String> {
            ids.difference(others).map(|id| self.described(id)).collect()
        };
        let (only_oracle, only_server) = (named(&expected, &came), named(&came, &expected));
        let replaces = |id: &&str| {
            let replaced = self.transcript.room.pdu(id);
            replaced.is_some_and(|pdu| {
                ["type", "state_key"].iter().all(|name| pdu.json().get(*name) == line.pdu.json().get(*name))
            })
        };
        let shows = match (only_oracle.as_slice(), only_server.as_slice()) {
            ([replaced], []) if expected.difference(&came).all(replaces) => {
                Shows::Unreplaced(replaced.clone())
            }
            _ => Shows::State { only_oracle, only_server },
        };
        Ok(Some(self.parting(line, shows)))
    }

    /// Rejected events are told to no client. Others are, but for redactions that do not count and aliases, of which the text
    /// does not speak any more. Whether others are soft-failed follows from the order in which they arrive,
    /// which is known only where the server is told one after the other.
    async fn compare_visibility(&self, line: &Line) -> Result<Option<Parting>, Stop> {
        let must_show = match &line.receipt {
            Receipt::Rejected { .. } => false,
            Receipt::Accepted if is_of_its_own(&line.pdu) => return Ok(None),
            Receipt::Accepted if self.order == Order::AsMade => true,
            Receipt::SoftFailed(_) if self.order == Order::AsMade => false,
            _ => return Ok(None),
        };
        let path = path!("/_matrix/client/v3/rooms/{}/event/{}", self.transcript.room.id(), line.pdu.id());
        let answer = self.table.guest.get(path).answer().await?;
        let shows = match (must_show, answer.status().is_success()) {
            (true, false) => Shows::Hidden(self.said_of(line, &answer)),
            (false, true) => Shows::Shown(reason(&line.receipt)),
            _ => return Ok(None),
        };
        Ok(Some(self.parting(line, shows)))
    }

    /// A parting, unless it is of a kind that is only counted.
    fn unless_known(&self, parting: Parting, asked: &mut Asked) -> Option<Parting> {
        if self.table.knows(parting.kind()) {
            asked.known += 1;
            return None;
        }
        Some(parting)
    }

    fn parting(&self, line: &Line, shows: Shows) -> Parting {
        Parting { order: self.order, event: self.transcript.name(line.pdu.id()), shows }
    }

    /// An answer that is no success, and what was said against the event when it was told.
    fn said_of(&self, line: &Line, answer: &Answer) -> String {
        let code = format!("{} {}", answer.status().as_u16(), answer.errcode().unwrap_or_default());
        match self.objections.get(line.pdu.id()) {
            Some(objection) => format!("{}, and when it was told: {objection}", code.trim_end()),
            None => code.trim_end().to_owned(),
        }
    }

    /// An event by its name, with the place that it has in the state.
    fn described(&self, id: &str) -> String {
        let name = self.transcript.name(id);
        let Some(pdu) = self.transcript.room.pdu(id) else { return format!("{name}, which nobody made") };
        let text = |property: &str| pdu.json()[property].as_str().unwrap_or_default().to_owned();
        match text("state_key").as_str() {
            "" => format!("{name} as {}", text("type")),
            key => format!("{name} as {} of {key}", text("type")),
        }
    }
}

/// Whether more than the rules decides if clients are shown an event.
fn is_of_its_own(pdu: &Pdu) -> bool {
    ["m.room.redaction", "m.room.aliases"].iter().any(|kind| pdu.json()["type"] == *kind)
}

/// Whether the server says that the asking one is not in the room.
fn is_refused(answer: &Answer) -> bool {
    answer.status() == http::StatusCode::FORBIDDEN
}

fn reason(receipt: &Receipt) -> String {
    match receipt {
        Receipt::Rejected { check, rejection } => {
            format!(
                "which is rejected by check {check}, rule {} (server-server-api/#rejection)",
                rejection.rule
            )
        }
        Receipt::SoftFailed(rejection) => {
            format!("which is soft-failed by rule {} (server-server-api/#soft-failure)", rejection.rule)
        }
        Receipt::Accepted => "which is accepted".to_owned(),
    }
}
