//! New rooms: client-server-api/#creation.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use protocol::RoomVersion;
use serde_json::{Map, Value, json};

use super::joining_rooms::{check_invitee, invite_by_address};
use super::room_membership::member_content;
use super::{Routes, invite_permission, room_aliases};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Requester};
use crate::rooms::event::Template;
use crate::store::rooms;
use crate::timeline::{Founding, Timeline};

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/createRoom", post(create))
}

async fn create(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    let timeline = found(&server, &requester, &body).await?;
    Ok(Json(json!({"room_id": timeline.room_id()})))
}

/// Makes a room as it is ordered.
pub(super) async fn found(
    server: &Homeserver,
    requester: &Requester,
    body: &Body,
) -> Result<Arc<Timeline>, MatrixError> {
    must_have_room(server)?;
    let plan = Plan::read(server, requester, body)?;
    invited_by_address(body)?;
    if let Some(alias) = plan.alias.clone()
        && server.store.read(move |c| rooms::find_alias(c, &alias)).await?.is_some()
    {
        return Err(MatrixError::room_in_use("this alias leads to another room: choose another"));
    }
    for user_id in &plan.invited {
        invite_permission::must_be_wanted(server, user_id).await?;
    }
    let templates = plan.templates(server).await?;
    let founding = Founding {
        version: plan.version,
        templates,
        published: plan.published,
        alias: plan.alias.clone().map(|alias| (alias, requester.user_id.clone())),
    };
    let timeline = Timeline::create(server, founding).await.map_err(invalid)?;
    for invite in invited_by_address(body)? {
        if let Err(error) = invite_by_address(server, requester, timeline.room_id(), invite, None).await {
            // The room is there; that an address could not be invited is no reason to tell the creator otherwise.
            tracing::warn!("invite by address to {}: {}", timeline.room_id(), error.message());
        }
    }
    Ok(timeline)
}

/// Refuses one room more than the server may have (client-server-api/#common-error-codes).
fn must_have_room(server: &Homeserver) -> Result<(), MatrixError> {
    let Some(limits) = &server.config.resource_limits else { return Ok(()) };
    if server.timelines.all().len() < limits.rooms {
        return Ok(());
    }
    let refusal = MatrixError::resource_limit_exceeded("this server has as many rooms as it may have");
    Err(refusal.with("admin_contact", limits.admin_contact.as_str()))
}

/// Who is invited by address; all four fields have to be there.
fn invited_by_address(body: &Body) -> Result<Vec<&Map<String, Value>>, MatrixError> {
    let read = |invite: &'_ Value| {
        let invite =
            invite.as_object().ok_or_else(|| MatrixError::bad_json("invite_3pid must be objects"))?;
        for name in ["id_server", "id_access_token", "medium", "address"] {
            invite.text(name)?;
        }
        Ok::<_, MatrixError>(())
    };
    let invites = body.list("invite_3pid")?;
    invites.iter().try_for_each(read)?;
    Ok(invites.iter().filter_map(Value::as_object).collect())
}

/// What the rules forbid in a room that does not exist yet is a wrong request.
fn invalid(error: MatrixError) -> MatrixError {
    if error.has_status(StatusCode::FORBIDDEN) {
        MatrixError::invalid_room_state(format!("these events do not go together: {}", error.message()))
    } else {
        error
    }
}

/// A room as it was ordered.
struct Plan<'a> {
    creator: &'a Requester,
    body: &'a Body,
    version: &'static RoomVersion,
    preset: &'static Preset,
    published: bool,
    alias: Option<String>,
    invited: Vec<&'a str>,
}

/// The state that a preset stands for.
struct Preset {
    name: &'static str,
    join_rule: &'static str,
    guest_access: &'static str,
    invite_level: i64,
    trusts_invited: bool,
}

const PRESETS: [Preset; 3] = [
    Preset {
        name: "private_chat",
        join_rule: "invite",
        guest_access: "can_join",
        invite_level: 0,
        trusts_invited: false,
    },
    Preset {
        name: "trusted_private_chat",
        join_rule: "invite",
        guest_access: "can_join",
        invite_level: 0,
        trusts_invited: true,
    },
    Preset {
        name: "public_chat",
        join_rule: "public",
        guest_access: "forbidden",
        invite_level: 50,
        trusts_invited: false,
    },
];

impl<'a> Plan<'a> {
    fn read(server: &Homeserver, creator: &'a Requester, body: &'a Body) -> Result<Self, MatrixError> {
        let version =
            match body.optional_text("room_version")?.filter(|_| !commits(Fault::RoomVersionIgnored)) {
                None => RoomVersion::DEFAULT,
                Some(id) => RoomVersion::find(id).ok_or_else(|| {
                    MatrixError::unsupported_room_version(format!(
                        "this server does not know room version {id:?}"
                    ))
                })?,
            };
        let published = body.one_of("visibility", &["public", "private"])? == Some("public")
            && !commits(Fault::VisibilityIgnored);
        let names = PRESETS.each_ref().map(|preset| preset.name);
        let by_visibility = if published { "public_chat" } else { "private_chat" };
        let name = body.one_of("preset", &names)?.unwrap_or(by_visibility);
        let [first, ..] = &PRESETS;
        let preset = PRESETS.iter().find(|preset| preset.name == name).unwrap_or(first);
        let invited = body.optional_texts("invite")?.unwrap_or_default();
        for user_id in &invited {
            check_invitee(server, user_id)?;
        }
        let alias = match body.optional_text("room_alias_name")? {
            None => None,
            Some(localpart) => {
                let alias = format!("#{localpart}:{}", server.name());
                Some(room_aliases::local(server, &alias, creator.application_service.as_deref())?)
            }
        };
        Ok(Self { creator, body, version, preset, published, alias, invited })
    }

    /// The first events, in the order that the specification gives them.
    async fn templates(&self, server: &Homeserver) -> Result<Vec<Template>, MatrixError> {
        let creator = &self.creator.user_id;
        let mut templates = vec![
            self.state("m.room.create", self.create_content()?),
            Template {
                state_key: Some(creator.clone()),
                ..self.state("m.room.member", member_content(server, creator, "join", None).await?)
            },
            self.state("m.room.power_levels", self.power_levels()?),
        ];
        if let Some(alias) = self.alias.as_ref().filter(|_| !commits(Fault::CanonicalAliasNotSet)) {
            templates.push(self.state("m.room.canonical_alias", object(json!({"alias": alias}))));
        }
        let initial = self.initial_state()?;
        let said = |event_type: &str| initial.iter().any(|event| event.event_type == event_type);
        for (event_type, content) in [
            ("m.room.join_rules", json!({"join_rule": self.preset.join_rule})),
            ("m.room.history_visibility", json!({"history_visibility": "shared"})),
            ("m.room.guest_access", json!({"guest_access": self.preset.guest_access})),
        ] {
            if !said(event_type) {
                templates.push(self.state(event_type, object(content)));
            }
        }
        let at = if commits(Fault::InitialStateOverruled) { 3.min(templates.len()) } else { templates.len() };
        templates.splice(at..at, initial);
        if let Some(name) = self.body.optional_text("name")?.filter(|_| !commits(Fault::NameNotSet)) {
            templates.push(self.state("m.room.name", object(json!({"name": name}))));
        }
        if let Some(topic) = self.body.optional_text("topic")?.filter(|_| !commits(Fault::TopicNotSet)) {
            let content =
                json!({"topic": topic, "m.topic": {"m.text": [{"body": topic, "mimetype": "text/plain"}]}});
            templates.push(self.state("m.room.topic", object(content)));
        }
        for user_id in self.invited.iter().filter(|_| !commits(Fault::InvitesNotSent)) {
            let mut content = member_content(server, user_id, "invite", None).await?;
            if self.body.flag("is_direct")? && !commits(Fault::IsDirectLost) {
                content.insert("is_direct".to_owned(), true.into());
            }
            let state_key = Some((*user_id).to_owned());
            templates.push(Template { state_key, ..self.state("m.room.member", content) });
        }
        Ok(templates)
    }

    fn create_content(&self) -> Result<Map<String, Value>, MatrixError> {
        let mut content = self
            .body
            .optional_object("creation_content")?
            .filter(|_| !commits(Fault::CreationContentIgnored))
            .cloned()
            .unwrap_or_default();
        content.insert("room_version".to_owned(), self.version.id.into());
        content.remove("creator");
        if self.version.creator_in_content {
            content.insert("creator".to_owned(), self.creator.user_id.as_str().into());
        }
        if self.version.privileged_creators
            && self.preset.trusts_invited
            && !commits(Fault::TrustedAreNoCreators)
        {
            let more = content.entry("additional_creators").or_insert_with(|| json!([]));
            // Anything but a list is left for the authorization rules to reject.
            if let Some(creators) = more.as_array_mut() {
                for user_id in &self.invited {
                    if !creators.iter().any(|creator| creator == user_id) {
                        creators.push((*user_id).into());
                    }
                }
            }
        }
        Ok(content)
    }

    fn power_levels(&self) -> Result<Map<String, Value>, MatrixError> {
        let mut users = Map::new();
        if !self.version.privileged_creators {
            users.insert(self.creator.user_id.clone(), 100.into());
            if self.preset.trusts_invited && !commits(Fault::TrustNotGiven) {
                users.extend(self.invited.iter().map(|user_id| ((*user_id).to_owned(), 100.into())));
            }
        }
        let mut content = object(json!({
            "users": users,
            "users_default": 0,
            "events": {
                "m.room.name": 50,
                "m.room.avatar": 50,
                "m.room.canonical_alias": 50,
                "m.room.power_levels": 100,
                "m.room.history_visibility": 100,
                "m.room.server_acl": 100,
                "m.room.encryption": 100,
                "m.room.tombstone": match self.version.privileged_creators {
                    true if commits(Fault::TombstonesLikeOtherState) => 50,
                    true => 150,
                    false => 100,
                },
            },
            "events_default": 0,
            "state_default": 50,
            "ban": 50,
            "kick": 50,
            "redact": 50,
            "invite": self.preset.invite_level,
            "notifications": {"room": 50},
        }));
        content.extend(
            self.body
                .optional_object("power_level_content_override")?
                .filter(|_| !commits(Fault::PowerLevelOverrideIgnored))
                .cloned()
                .unwrap_or_default(),
        );
        Ok(content)
    }

    fn initial_state(&self) -> Result<Vec<Template>, MatrixError> {
        let read = |event: &Value| {
            let event = event
                .as_object()
                .ok_or_else(|| MatrixError::bad_json("initial_state must be a list of objects"))?;
            let state_key = event.optional_text("state_key")?.unwrap_or_default().to_owned();
            let template = self.state(event.text("type")?, event.object("content")?.clone());
            Ok(Template { state_key: Some(state_key), ..template })
        };
        self.body
            .list("initial_state")?
            .iter()
            .filter(|_| !commits(Fault::InitialStateIgnored))
            .map(read)
            .collect()
    }

    fn state(&self, event_type: &str, content: Map<String, Value>) -> Template {
        Template {
            event_type: event_type.to_owned(),
            state_key: Some(String::new()),
            sender: self.creator.user_id.clone(),
            content,
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
