//! What the command line of a load run comes to.

use loadgen::{
    objective::Demand,
    profile::{Profile, Shard},
    prometheus::Offer,
    run::Settings,
};
use url::Url;

use crate::{Failure, arguments::LoadCommon};

/// The profile and the URL among what stands on the command line, in either order.
pub(super) fn what(common: &LoadCommon, usual: &str) -> Result<(Profile, Option<Url>), Failure> {
    let (urls, profiles): (Vec<&String>, Vec<&String>) =
        common.what.iter().partition(|word| word.contains("://"));
    if urls.len() > 1 || profiles.len() > 1 {
        return Err(Failure::Usage(format!(
            "expected one profile and one URL at most, got {}",
            common.what.join(" ")
        )));
    }
    if !urls.is_empty() && common.target.is_some() {
        return Err(Failure::Usage("a URL and --target exclude each other".to_owned()));
    }
    let name = profiles.first().map_or(usual, |name| name);
    let profile = Profile::find(name).map_err(|error| Failure::Usage(error.to_string()))?;
    let url = urls.first().map(|url| url.parse().map_err(|error| Failure::Usage(format!("{url}: {error}"))));
    Ok((profile, url.transpose()?))
}

/// The objectives that were given, or the usual ones.
pub(super) fn demands(given: &[Demand], usual: &[&str]) -> Vec<Demand> {
    if given.is_empty() {
        usual.iter().filter_map(|text| text.parse().ok()).collect()
    } else {
        given.to_vec()
    }
}

/// What the record calls the traffic of a profile.
fn traffic(profile: &Profile) -> &'static str {
    match profile {
        Profile { servers: Some(_), .. } => "federation",
        Profile { journeys, .. } if !journeys.is_empty() => "journeys",
        _ => "client",
    }
}

pub(super) fn settings(common: &LoadCommon, profile: Profile, usual: &[&str]) -> Result<Settings, Failure> {
    let demands = demands(&common.slo, usual);
    let measured = profile.series();
    if let Some(name) =
        demands.iter().filter_map(Demand::series).find(|name| !measured.iter().any(|known| known == name))
    {
        return Err(Failure::Usage(format!(
            "an objective is about `{name}`, which {} does not measure; it measures {}",
            profile.name,
            measured.join(", ")
        )));
    }
    let is_part = common.shard.is_some_and(|shard| shard != Shard::WHOLE);
    if profile.servers.is_some() && is_part {
        return Err(Failure::Usage(format!(
            "{} has scripted servers, which share what they know, so its runs cannot be driven in parts (--shard)",
            profile.name
        )));
    }
    Ok(Settings {
        users: common.users.map_or(profile.users(), u32::from),
        traffic: traffic(&profile),
        profile,
        span: common.span,
        seed: common.seed.unwrap_or_else(suite::seed),
        course: common.course.clone(),
        within: common.timeout,
        hands: u32::from(common.hands) as usize,
        shard: common.shard.unwrap_or(Shard::WHOLE),
        calls: loadgen::Calls::default(),
        metrics: common.metrics.clone(),
        offer: Offer::default(),
        start_at: common.start_at,
        demands,
        most_lag: common.max_lag,
        most_rate: common.max_rate,
        owned: common.i_own_this_server,
        command: std::env::args()
            .skip(1)
            .fold("determinant".to_owned(), |line, word| format!("{line} {word}")),
        record: common.output.record.clone(),
    })
}
