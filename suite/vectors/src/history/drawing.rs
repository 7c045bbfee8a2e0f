//! The graph of a history as text, oldest event first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use oracle::{Decision, Event, select_auth_events};

use super::scene::{BEGINNING_MS, SECOND_MS, short};
use super::{History, Merge, Moment, Occasion};

impl History {
    /// The graph, one event to a line below those that it follows, with what the oracle says: a cross stands before a
    /// rejected event and the rule behind it, its seconds since the beginning before its sender; where branches meet, what they disagree on and what comes of it.
    pub fn draw(&self) -> String {
        Drawing { history: self }.to_string()
    }
}

struct Drawing<'a> {
    history: &'a History,
}

impl Display for Drawing<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "room version {}", self.history.version().id)?;
        let mut lanes = Lanes::new(self.history);
        let width = lanes.clone().width(self.history);
        for moment in &self.history.moments {
            let rows = lanes.rows(&moment.event_id, moment.is_rejected());
            let text = self.event(moment);
            if let Some(row) = rows.before {
                writeln!(formatter, "{}", row.trim_end())?;
            }
            writeln!(formatter, "{:width$}  {text}", rows.at)?;
            for line in self.merged_by(&moment.event_id) {
                writeln!(formatter, "{:width$}       {line}", rows.below)?;
            }
            if let Some(row) = rows.after {
                writeln!(formatter, "{}", row.trim_end())?;
            }
        }
        for merge in self.history.merges.iter().filter(|merge| !matches!(merge.occasion, Occasion::Event(_)))
        {
            self.standing_apart(formatter, merge)?;
        }
        Ok(())
    }
}

impl Drawing<'_> {
    fn event(&self, moment: &Moment) -> String {
        let name = self.history.room.name(&moment.event_id);
        let Some(event) = self.history.room.events().get(&moment.event_id) else { return String::new() };
        let mut text = format!("{name:<4} {:>5} {:<5} {}", time(event), short(event.sender()), moment.says);
        let is_elsewhere = event.room_id().is_some_and(|room_id| room_id != self.history.room.room_id());
        let elsewhere = is_elsewhere.then(|| "of another room".to_owned());
        let notes = [elsewhere, self.auth_events(event, moment), self.depth(event), verdict(moment)];
        text.extend(notes.into_iter().flatten().map(|note| format!(" · {note}")));
        text
    }

    /// The auth events, where they are not those that the state before the event selects.
    fn auth_events(&self, event: &Event, moment: &Moment) -> Option<String> {
        let right = select_auth_events(self.history.version(), event, &moment.before);
        let is_right = right.as_slice() == event.auth_events();
        (!is_right).then(|| format!("auth events {}", self.names(event.auth_events())))
    }

    /// The depth, where it is not one more than the greatest of the previous events.
    fn depth(&self, event: &Event) -> Option<String> {
        let depth_of = |id: &String| Some(self.history.room.events().get(id)?.depth());
        let greatest = event.prev_events().iter().filter_map(depth_of).max().unwrap_or(0);
        let is_next = event.depth().checked_sub(1) == Some(greatest);
        (!is_next).then(|| format!("depth {}", event.depth()))
    }

    /// What the branches disagree on that an event joins.
    fn merged_by(&self, event_id: &str) -> Vec<String> {
        let is_of = |merge: &&Merge| matches!(&merge.occasion, Occasion::Event(id) if id == event_id);
        self.history.merges.iter().filter(is_of).flat_map(|merge| self.disagreement(merge)).collect()
    }

    fn standing_apart(&self, formatter: &mut Formatter<'_>, merge: &Merge) -> fmt::Result {
        let occasion = match merge.occasion {
            Occasion::Grouping => "if only these met",
            Occasion::Forward | Occasion::Event(_) => "at the end",
        };
        writeln!(formatter, "{occasion}: {}", self.names(&merge.tips))?;
        for line in self.disagreement(merge) {
            writeln!(formatter, "  {line}")?;
        }
        Ok(())
    }

    /// What each set has under a key on which they differ, and what comes of it.
    fn disagreement(&self, merge: &Merge) -> Vec<String> {
        let keys: BTreeSet<_> = merge.state_sets.iter().flat_map(|state| state.keys()).collect();
        let differs = |key: &&(String, String)| {
            merge.state_sets.windows(2).any(|pair| pair[0].get(*key) != pair[1].get(*key))
        };
        let name = |id: Option<&String>| id.map_or("–", |id| self.history.room.name(id));
        let line = |key: &(String, String)| {
            let candidates: Vec<&str> = merge.state_sets.iter().map(|state| name(state.get(key))).collect();
            let result = name(merge.resolution.state.get(key));
            let (event_type, state_key) = (key.0.trim_start_matches("m.room."), short(&key.1));
            format!("{event_type} {state_key}: {} → {result}", candidates.join(" | ")).replace(" :", ":")
        };
        keys.into_iter().filter(differs).map(line).collect()
    }

    fn names(&self, ids: &[String]) -> String {
        let names: Vec<&str> = ids.iter().map(|id| self.history.room.name(id)).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" ") }
    }
}

/// The time since the beginning.
fn time(event: &Event) -> String {
    format!("{}s", (event.origin_server_ts() - BEGINNING_MS).div_euclid(SECOND_MS))
}

fn verdict(moment: &Moment) -> Option<String> {
    match (&moment.by_auth_events, &moment.by_state) {
        (Decision::Reject(rejection), _) => {
            Some(format!("rejected by its auth events, rule {}", rejection.rule))
        }
        (_, Decision::Reject(rejection)) => Some(format!("rejected by the state, rule {}", rejection.rule)),
        _ => None,
    }
}

/// The lanes in which lines run from events down to those that follow them.
#[derive(Clone)]
struct Lanes {
    /// In every lane, the event that the line leads to.
    lanes: Vec<Option<String>>,
    /// The events that follow each.
    followers: BTreeMap<String, Vec<String>>,
}

/// What is drawn for one event.
struct Rows {
    before: Option<String>,
    at: String,
    /// What runs on beside further lines of text.
    below: String,
    after: Option<String>,
}

impl Lanes {
    fn new(history: &History) -> Self {
        let mut followers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for moment in &history.moments {
            let event = history.room.events().get(&moment.event_id);
            for id in event.map(Event::prev_events).unwrap_or_default() {
                followers.entry(id.clone()).or_default().push(moment.event_id.clone());
            }
        }
        Self { lanes: Vec::new(), followers }
    }

    /// How many characters the widest row takes.
    fn width(mut self, history: &History) -> usize {
        let rows = history.moments.iter().map(|moment| self.rows(&moment.event_id, false));
        rows.map(|rows| rows.at.chars().count()).max().unwrap_or(0)
    }

    /// Draws an event in the first of the lanes that lead to it, and opens one for each event that follows it.
    fn rows(&mut self, event_id: &str, is_rejected: bool) -> Rows {
        let leads_here = |lane: &Option<String>| lane.as_deref() == Some(event_id);
        let arriving: Vec<usize> =
            (0..self.lanes.len()).filter(|index| leads_here(&self.lanes[*index])).collect();
        let before = (arriving.len() > 1).then(|| self.crossing(&arriving, ['╯', '┴']));
        let own = arriving.first().copied().unwrap_or_else(|| self.free_lane(0, &[]));
        for index in arriving {
            self.lanes[index] = None;
        }
        self.lanes[own] = Some(event_id.to_owned());
        let at = self.row(|index| (index == own).then_some(if is_rejected { '×' } else { '●' }));
        self.lanes[own] = None;
        let mut leaving = Vec::new();
        for follower in self.followers.get(event_id).cloned().unwrap_or_default() {
            let lane = if leaving.is_empty() { own } else { self.free_lane(own, &leaving) };
            self.lanes[lane] = Some(follower);
            leaving.push(lane);
        }
        leaving.sort_unstable();
        let below = self.row(|index| (leaving.contains(&index) && index != own).then_some(' '));
        let after = (leaving.len() > 1).then(|| self.crossing(&leaving, ['╮', '┬']));
        while self.lanes.last() == Some(&None) {
            self.lanes.pop();
        }
        Rows { before, at, below, after }
    }

    /// A lane from that one on that is not in use.
    fn free_lane(&mut self, from: usize, taken: &[usize]) -> usize {
        let is_free = |index: &usize| self.lanes[*index].is_none() && !taken.contains(index);
        (from..self.lanes.len()).find(is_free).unwrap_or_else(|| {
            self.lanes.push(None);
            self.lanes.len() - 1
        })
    }

    /// All lanes, with something else in some.
    fn row(&self, instead: impl Fn(usize) -> Option<char>) -> String {
        let cell = |(index, lane): (usize, &Option<String>)| {
            let line = if lane.is_some() { '│' } else { ' ' };
            format!("{} ", instead(index).unwrap_or(line))
        };
        self.lanes.iter().enumerate().map(cell).collect()
    }

    /// All lanes, with a line from the first of some to the others, which end or begin there: the last with one sign,
    /// those between with another.
    fn crossing(&self, joined: &[usize], [last_sign, sign]: [char; 2]) -> String {
        let (first, last) = (joined[0], joined[joined.len() - 1]);
        let cell = |(index, lane): (usize, &Option<String>)| {
            let is_crossed = first < index && index < last;
            let symbol = match lane {
                _ if index == first => '├',
                _ if index == last => last_sign,
                _ if joined.contains(&index) => sign,
                Some(_) if is_crossed => '┼',
                None if is_crossed => '─',
                Some(_) => '│',
                None => ' ',
            };
            let filling = if first <= index && index < last { '─' } else { ' ' };
            format!("{symbol}{filling}")
        };
        self.lanes.iter().enumerate().map(cell).collect()
    }
}
