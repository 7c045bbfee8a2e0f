//! Asking for push rules and changing them: client-server-api/#push-rules-api.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::push_rules::{KINDS, Rank, Ruleset, TYPE};
use crate::request::{Body, Fields, Path, Query, Requester};
use crate::store::account_data::{self, AccountData, GLOBAL};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/pushrules/", get(all))
        .route("/_matrix/client/v3/pushrules/global/", get(global))
        .route("/_matrix/client/v3/pushrules/global/{kind}/{rule_id}", get(find).put(set).delete(remove))
        .route("/_matrix/client/v3/pushrules/global/{kind}/{rule_id}/enabled", get(enabled).put(set_enabled))
        .route("/_matrix/client/v3/pushrules/global/{kind}/{rule_id}/actions", get(actions).put(set_actions))
}

type RulePath = Path<(String, String)>;

async fn all(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    Ok(Json(rules(&server, requester).await?.content()))
}

async fn global(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    Ok(Json(rules(&server, requester).await?.global()))
}

async fn find(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((kind, rule_id)): RulePath,
) -> Answer {
    check_kind(&kind)?;
    let rules = rules(&server, requester).await?;
    Ok(Json(Value::Object(rules.find(&kind, &rule_id)?.clone())))
}

async fn enabled(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((kind, rule_id)): RulePath,
) -> Answer {
    check_kind(&kind)?;
    let rules = rules(&server, requester).await?;
    Ok(Json(json!({"enabled": rules.find(&kind, &rule_id)?.get("enabled")})))
}

async fn actions(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((kind, rule_id)): RulePath,
) -> Answer {
    check_kind(&kind)?;
    let rules = rules(&server, requester).await?;
    Ok(Json(json!({"actions": rules.find(&kind, &rule_id)?.get("actions")})))
}

async fn set_enabled(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((kind, rule_id)): RulePath,
    body: Body,
) -> Answer {
    check_kind(&kind)?;
    let enabled = body.optional_flag("enabled")?;
    let enabled = enabled.ok_or_else(|| MatrixError::missing_param("add the field enabled"))?;
    edit(&server, requester.user_id, move |rules| rules.change(&kind, &rule_id, "enabled", enabled.into()))
        .await
}

async fn set_actions(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((kind, rule_id)): RulePath,
    body: Body,
) -> Answer {
    check_kind(&kind)?;
    let actions = read_actions(&body)?;
    edit(&server, requester.user_id, move |rules| rules.change(&kind, &rule_id, "actions", actions)).await
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((kind, rule_id)): RulePath,
    query: Query,
    body: Body,
) -> Answer {
    check_kind(&kind)?;
    check_own(&rule_id)?;
    if rule_id.contains(['/', '\\']) {
        return Err(MatrixError::invalid_param("a rule id has neither slash nor backslash"));
    }
    let rank = match (query.text("before"), query.text("after")) {
        (Some(before), _) => Rank::Before(before.to_owned()),
        (None, Some(after)) => Rank::After(after.to_owned()),
        (None, None) => Rank::First,
    };
    if let Rank::Before(other) | Rank::After(other) = &rank {
        check_own(other)?;
    }
    let mut rule = Map::new();
    rule.insert("rule_id".to_owned(), rule_id.into());
    rule.insert("default".to_owned(), false.into());
    rule.insert("enabled".to_owned(), true.into());
    rule.insert("actions".to_owned(), read_actions(&body)?);
    match kind.as_str() {
        "override" | "underride" => {
            let conditions = body.list("conditions")?;
            if !conditions.iter().all(|condition| condition["kind"].is_string()) {
                return Err(MatrixError::bad_json("conditions must be objects with a kind"));
            }
            rule.insert("conditions".to_owned(), conditions.into());
        }
        "content" => drop(rule.insert("pattern".to_owned(), body.text("pattern")?.into())),
        _ => {}
    }
    edit(&server, requester.user_id, move |rules| rules.set(&kind, rule, rank)).await
}

async fn remove(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((kind, rule_id)): RulePath,
) -> Answer {
    check_kind(&kind)?;
    check_own(&rule_id)?;
    edit(&server, requester.user_id, move |rules| rules.remove(&kind, &rule_id)).await
}

async fn rules(server: &Homeserver, requester: Requester) -> Result<Ruleset, MatrixError> {
    rules_of(server, &requester.user_id).await
}

async fn rules_of(server: &Homeserver, user_id: &str) -> Result<Ruleset, MatrixError> {
    let owner = user_id.to_owned();
    let content = server.store.read(move |c| account_data::get(c, &owner, GLOBAL, TYPE)).await?;
    Ok(Ruleset::read(content, user_id))
}

/// Gives a room the rule that its user has for the room that it replaces.
pub(super) async fn follow(
    server: &Homeserver,
    user_id: &str,
    predecessor: String,
    room_id: String,
) -> Result<(), MatrixError> {
    let rules = rules_of(server, user_id).await?;
    let (Ok(old), Err(_)) = (rules.find("room", &predecessor), rules.find("room", &room_id)) else {
        return Ok(());
    };
    let mut rule = old.clone();
    rule.insert("rule_id".to_owned(), room_id.into());
    edit(server, user_id.to_owned(), |rules| rules.set("room", rule, Rank::First)).await.map(drop)
}

/// Changes the rules of a user, if `change` finds nothing wrong, and tells the user's clients.
async fn edit(
    server: &Homeserver,
    user_id: String,
    change: impl FnOnce(&mut Ruleset) -> Result<(), MatrixError> + Send + 'static,
) -> Answer {
    let place = server.stream.place();
    let (position, owner) = (place.position(), user_id.clone());
    server
        .store
        .write(move |connection| {
            let content = account_data::get(connection, &owner, GLOBAL, TYPE)?;
            let mut rules = Ruleset::read(content, &owner);
            if let Err(error) = change(&mut rules) {
                return Ok(Err(error));
            }
            let content = rules.content();
            let data = AccountData { room_id: GLOBAL.to_owned(), event_type: TYPE.to_owned(), content };
            account_data::set(connection, &owner, &data, position).map(Ok)
        })
        .await??;
    server.unread.forget_rules(&user_id);
    place.finish([user_id]);
    empty()
}

fn read_actions(body: &Map<String, Value>) -> Result<Value, MatrixError> {
    if !body.contains_key("actions") {
        return Err(MatrixError::missing_param("add the field actions"));
    }
    let actions = body.list("actions")?;
    if actions.iter().all(|action| action.is_string() || action["set_tweak"].is_string()) {
        Ok(actions.into())
    } else {
        Err(MatrixError::bad_json("actions must be strings or objects with set_tweak"))
    }
}

fn check_kind(kind: &str) -> Result<(), MatrixError> {
    if KINDS.contains(&kind) {
        Ok(())
    } else {
        Err(MatrixError::invalid_param(format!("the kind of a rule is one of {}", KINDS.join(", "))))
    }
}

/// Rules whose id begins with a dot are the server's.
fn check_own(rule_id: &str) -> Result<(), MatrixError> {
    if rule_id.starts_with('.') && !commits(Fault::PredefinedRulesRemovable) {
        Err(MatrixError::invalid_param("the predefined rules are neither replaced nor removed: disable them"))
    } else {
        Ok(())
    }
}
