//! What is to be driven: who keeps a sync open, who may do what, and when it is due.

use super::{Rig, RunError, Settings, USUAL_MOST_RATE};
use crate::{
    engine::Slot,
    machine,
    population::Population,
    profile::{self, Action},
};

/// Descriptors beside connections: standard streams, the runtime, the record, files of `/proc`.
const OTHER_DESCRIPTORS: u64 = 32;

/// What is to be driven here.
pub(super) struct Planned {
    pub(super) slots: Vec<Slot>,
    pub(super) all_slots: u64,
    /// Users who keep a sync open.
    pub(super) online: Vec<u32>,
    /// A user for each lane of actions.
    pub(super) lanes: Vec<u32>,
    /// A scripted server for each lane of theirs, which stand behind those of users.
    pub(super) of_servers: Vec<u32>,
    /// Who may do each action.
    pub(super) able: Vec<Able>,
}

/// The places among the lanes, and how many own equal shares of them.
pub(super) struct Able {
    pub(super) places: Vec<u32>,
    pub(super) owners: usize,
}

impl Planned {
    pub(super) fn of(settings: &Settings, population: &Population) -> Result<Self, RunError> {
        let profile = &settings.profile;
        let in_all: Vec<usize> =
            profile.actions.iter().map(|action| profile.doing(action, settings.users)).collect();
        let slots = profile::schedule(
            &profile.actions,
            &in_all,
            settings.course.as_ref(),
            settings.span,
            settings.seed,
        )
        .map_err(|error| RunError::Usage(error.to_string()))?;
        let everybody = population.active_in(None);
        let online = everybody
            .iter()
            .copied()
            .filter(|user| profile.groups[population.users[*user as usize].group].online);
        let lanes_of = |user: &u32| {
            let lanes = profile.groups[population.users[*user as usize].group].lanes;
            std::iter::repeat_n(*user, lanes as usize)
        };
        let lanes: Vec<u32> = everybody.iter().flat_map(lanes_of).collect();
        let servers = profile.servers.as_ref();
        let of_server = |number| servers.map(|servers| std::iter::repeat_n(number, servers.lanes as usize));
        let of_servers: Vec<u32> =
            (0..servers.map_or(0, |servers| servers.count)).filter_map(of_server).flatten().collect();
        let able = |group: Option<usize>| {
            let fits = |user: u32| group.is_none_or(|group| population.users[user as usize].group == group);
            (0..).zip(&lanes).filter(|(_, user)| fits(**user)).map(|(place, _)| place).collect()
        };
        let performers = |action: &Action| match servers.filter(|_| action.operation.is_of_servers()) {
            Some(servers) => Able {
                places: (0..).skip(lanes.len()).take(of_servers.len()).collect(),
                owners: servers.count as usize,
            },
            None => Able { places: able(profile.group(action)), owners: 1 },
        };
        Ok(Planned {
            all_slots: slots.len() as u64,
            slots: slots.into_iter().filter(|slot| settings.shard.owns(slot.number)).collect(),
            online: online.collect(),
            able: profile.actions.iter().map(performers).collect(),
            lanes,
            of_servers,
        })
    }

    /// Whether this machine can drive it, and the server may be burdened with it.
    pub(super) fn admit(&self, settings: &Settings, rig: &Rig<'_>) -> Result<(), RunError> {
        let connections = (self.online.len() + self.lanes.len() + self.of_servers.len()) as u64;
        let (descriptors, ports) = (machine::descriptor_limit(), machine::port_limit());
        if connections + OTHER_DESCRIPTORS > descriptors {
            return Err(RunError::Usage(format!(
                "{connections} connections need more than the {descriptors} descriptors that this process may have; raise the limit (ulimit -n) or drive the run in parts (--shard)"
            )));
        }
        if connections > ports {
            return Err(RunError::Usage(format!(
                "{connections} connections need more than the {ports} local ports of this machine; drive the run in parts on several machines (--shard)"
            )));
        }
        let rate = self.all_slots as f64 / settings.span.as_secs_f64();
        let most = settings.most_rate.or((!rig.server().is_loopback()).then_some(USUAL_MOST_RATE));
        match most {
            Some(most) if rate > most => Err(RunError::Usage(format!(
                "the schedule has {rate:.0} requests per second, and at most {most} are allowed on this server; give --max-rate to allow more"
            ))),
            _ => Ok(()),
        }
    }
}
