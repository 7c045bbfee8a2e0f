//! What counts as a power level (rooms/v1/#deprecated-event-content-schemas, rooms/v10/#authorisation-rules).
//!
//! Every form is put where levels are named, and, if it is one, where it has to be read: Bob has it, one type of event
//! needs just that much, and another one more.

use oracle::Rule;
use protocol::{RoomVersion, canonical_json};
use serde_json::{Value, json};
use vectors::file::{Vector, VectorFile};
use vectors::question::{Authorize, Pool, Question};
use vectors::{Draft, Text};

use super::leaf::Verdict::{self, Allowed, Rejected};
use super::scene::{ALICE, BOB, Beginning, CAROL, Scene};
use super::{add, answer};
use crate::published::publish;

/// The oldest and the newest version that take floats.
const FLOATS: [&str; 2] = ["1", "5"];
/// The oldest and the newest version that take strings, but no floats.
const STRINGS: [&str; 2] = ["6", "9"];
/// The oldest and the newest version that take integers alone.
const INTEGERS: [&str; 2] = ["10", "12"];

/// A spelling, what people call it, and what it counts as in room versions.
struct Form {
    name: &'static str,
    json: &'static str,
    levels: &'static [([&'static str; 2], Option<i64>)],
}

/// A form of one level, in these versions.
macro_rules! forms {
    ($($name:literal: $json:literal $(in $version:ident: $level:expr),+;)+) => {
        [$(Form { name: $name, json: $json, levels: &[$(($version, $level)),+] }),+]
    };
}

#[rustfmt::skip]
const FORMS: &[Form] = &forms! {
    "integer":                    "50"                          in STRINGS: Some(50), in INTEGERS: Some(50);
    "zero":                       "0"                           in STRINGS: Some(0), in INTEGERS: Some(0);
    "negative":                   "-50"                         in STRINGS: Some(-50), in INTEGERS: Some(-50);
    "greatest-but-one":           "9007199254740990"            in STRINGS: Some(9_007_199_254_740_990), in INTEGERS: Some(9_007_199_254_740_990);
    "least":                      "-9007199254740991"           in STRINGS: Some(-9_007_199_254_740_991), in INTEGERS: Some(-9_007_199_254_740_991);

    "string":                     r#""50""#                     in FLOATS: Some(50), in STRINGS: Some(50), in INTEGERS: None;
    "string-zero":                r#""0""#                      in STRINGS: Some(0), in INTEGERS: None;
    "string-leading-zeros":       r#""00050""#                  in FLOATS: Some(50), in STRINGS: Some(50);
    "string-zeros":               r#""000""#                    in STRINGS: Some(0);
    "string-plus":                r#""+50""#                    in STRINGS: Some(50);
    "string-minus":               r#""-50""#                    in FLOATS: Some(-50), in STRINGS: Some(-50);
    "string-plus-zero":           r#""+0""#                     in STRINGS: Some(0);
    "string-minus-zero":          r#""-0""#                     in STRINGS: Some(0);
    "string-blanks":              r#""  50  ""#                 in FLOATS: Some(50), in STRINGS: Some(50), in INTEGERS: None;
    "string-leading-blank":       r#"" 50""#                    in STRINGS: Some(50);
    "string-trailing-blank":      r#""50 ""#                    in STRINGS: Some(50);
    "string-blanks-zeros":        r#"" 00050 ""#                in STRINGS: Some(50);
    "string-blanks-plus":         r#"" +50 ""#                  in STRINGS: Some(50);
    "string-blanks-minus-zeros":  r#"" -0050 ""#                in STRINGS: Some(-50);
    "string-tab-and-line":        r#""\t50\n""#                 in STRINGS: Some(50);
    "string-greatest-but-one":    r#""9007199254740990""#       in STRINGS: Some(9_007_199_254_740_990);
    "string-least":               r#""-9007199254740991""#      in STRINGS: Some(-9_007_199_254_740_991);

    "string-empty":               r#""""#                       in FLOATS: None, in STRINGS: None, in INTEGERS: None;
    "string-blank":               r#"" ""#                      in STRINGS: None;
    "string-word":                r#""fifty""#                  in STRINGS: None;
    "string-suffix":              r#""50a""#                    in STRINGS: None;
    "string-prefix":              r#""a50""#                    in STRINGS: None;
    "string-underscore":          r#""5_0""#                    in FLOATS: None, in STRINGS: None;
    "string-inner-blank":         r#""5 0""#                    in STRINGS: None;
    "string-comma":               r#""5,0""#                    in STRINGS: None;
    "string-two-signs":           r#""+-50""#                   in STRINGS: None;
    "string-two-minus":           r#""--50""#                   in STRINGS: None;
    "string-two-plus":            r#""++50""#                   in STRINGS: None;
    "string-minus-blank":         r#""- 50""#                   in STRINGS: None;
    "string-plus-blank":          r#""+ 50""#                   in STRINGS: None;
    "string-sign-alone":          r#""-""#                      in STRINGS: None;
    "string-trailing-sign":       r#""50-""#                    in STRINGS: None;
    "string-hexadecimal":         r#""0x32""#                   in STRINGS: None;
    "string-octal":               r#""0o62""#                   in STRINGS: None;
    "string-fraction":            r#""50.57""#                  in FLOATS: None, in STRINGS: None;
    "string-whole-fraction":      r#""50.0""#                   in FLOATS: None, in STRINGS: None;
    "string-trailing-point":      r#""50.""#                    in STRINGS: None;
    "string-exponent":            r#""5e1""#                    in FLOATS: None, in STRINGS: None;
    "string-infinity":            r#""Infinity""#               in FLOATS: None, in STRINGS: None;
    "string-nan":                 r#""NaN""#                    in FLOATS: None, in STRINGS: None;
    "string-true":                r#""true""#                   in STRINGS: None;
    "string-null":                r#""null""#                   in STRINGS: None;

    "fraction":                   "50.57"                       in FLOATS: Some(50);
    "whole-fraction":             "50.0"                        in FLOATS: Some(50);
    "almost-the-next":            "50.99999"                    in FLOATS: Some(50);
    "negative-fraction":          "-1.9"                        in FLOATS: Some(-1);
    "small-fraction":             "0.9"                         in FLOATS: Some(0);
    "small-negative-fraction":    "-0.9"                        in FLOATS: Some(0);
    "exponent":                   "5e1"                         in FLOATS: Some(50);
    "upper-case-exponent":        "5E1"                         in FLOATS: Some(50);
    "signed-exponent":            "5e+1"                        in FLOATS: Some(50);
    "negative-exponent":          "505e-1"                      in FLOATS: Some(50);
    "fraction-and-exponent":      "5.114698E4"                  in FLOATS: Some(51_146);
    "whole-after-exponent":       "5.05e2"                      in FLOATS: Some(505);
    "least-fraction":             "5e-324"                      in FLOATS: Some(0);
    "large-exponent":             "1e15"                        in FLOATS: Some(1_000_000_000_000_000);
    "beyond-doubles":             "1e400"                       in FLOATS: None;
    "beyond-negative-doubles":    "-1e400"                      in FLOATS: None;

    "null":                       "null"                        in FLOATS: None, in STRINGS: None, in INTEGERS: None;
    "true":                       "true"                        in FLOATS: None, in STRINGS: None, in INTEGERS: None;
    "false":                      "false"                       in STRINGS: None, in INTEGERS: None;
    "list":                       "[]"                          in STRINGS: None, in INTEGERS: None;
    "list-of-one":                "[50]"                        in STRINGS: None, in INTEGERS: None;
    "object":                     "{}"                          in STRINGS: None, in INTEGERS: None;
    "object-of-one":              r#"{"level":50}"#             in STRINGS: None, in INTEGERS: None;
};

#[test]
fn every_form_counts_as_the_text_says() {
    let mut file = VectorFile::new("rooms/v1/#deprecated-event-content-schemas");
    for id in [FLOATS, STRINGS, INTEGERS].concat() {
        let ordinary = Scene::ordinary(RoomVersion::find(id).unwrap());
        for form in FORMS {
            let levels = form.levels.iter().filter(|(ids, _)| ids.contains(&id));
            levels.for_each(|(_, level)| stage(&mut file, &ordinary, form, *level));
        }
    }
    for place in PLACES {
        stage_place(&mut file, &place);
    }
    publish("authorization/power_level_forms.json", &file);
}

/// Adds what follows from a form: whether it may be a user's level, and what that user may do then.
fn stage(file: &mut VectorFile, ordinary: &Scene, form: &Form, level: Option<i64>) {
    let path = format!("authorization/power-level-forms/v{}/{}", ordinary.version().id, form.name);
    let mut scene = ordinary.clone();
    let levels = levels(scene.only(Beginning::Joined), form, level.unwrap_or_default());
    let Some(level) = level else {
        let says = format!("`{}` is no level.", form.json);
        return ask(
            file,
            &mut scene,
            form,
            &format!("{path}/named"),
            says,
            levels,
            Rejected(Rule::UserLevelsMalformed),
        );
    };
    let says = format!("`{}` is a level.", form.json);
    ask(
        file,
        &mut scene.clone(),
        form,
        &format!("{path}/named"),
        says,
        levels.clone(),
        Allowed(Rule::FirstLevels),
    );
    scene.happens(levels);
    for (name, event_type, verdict) in [
        ("enough", ENOUGH, Allowed(Rule::Otherwise)),
        ("too-little", MORE, Rejected(Rule::RequiredPowerLevel)),
    ] {
        let says = match verdict {
            Allowed(_) => format!("`{}` is not less than {level}.", form.json),
            Rejected(_) => format!("`{}` is less than {}.", form.json, level + 1),
        };
        let event = scene.event(BOB, event_type, None, json!({}));
        ask(file, &mut scene, form, &format!("{path}/{name}"), says, event, verdict);
    }
}

/// A type of event that needs the level that the form spells.
const ENOUGH: &str = "com.example.enough";
/// A type of event that needs one more.
const MORE: &str = "com.example.more";

/// The first power levels, in which Bob has the level of the form. The name of the form makes them an event of their
/// own where two forms have the same canonical one.
fn levels(scene: &Scene, form: &Form, level: i64) -> Draft<'static> {
    let content = json!({
        "com.example.form": form.name,
        "events": {ENOUGH: level, MORE: level + 1},
        "users": {BOB: form.value(scene.version())},
    });
    scene.sets(ALICE, "m.room.power_levels", "", content)
}

impl Form {
    /// What is spelled, or zero where no event of the room version can hold it: such an event has no hash.
    fn value(&self, version: &RoomVersion) -> Value {
        let value = serde_json::from_str(self.json).ok();
        let fits = |value: &Value| canonical_json::encode(value, version.canonical_json).is_ok();
        value.filter(fits).unwrap_or_else(|| json!(0))
    }

    /// Spells Bob's level as the form does, which is not always its canonical form.
    fn respell(&self, text: &mut Text, version: &RoomVersion) {
        let canonical = canonical_json::encode(&self.value(version), version.canonical_json).unwrap();
        if let Text::Utf8(text) = text {
            *text = text.replace(&format!("\"{BOB}\":{canonical}"), &format!("\"{BOB}\":{}", self.json));
        }
    }
}

/// Adds a case in which the form is spelled as it is.
fn ask(
    file: &mut VectorFile,
    scene: &mut Scene,
    form: &Form,
    id: &str,
    says: String,
    draft: Draft<'static>,
    verdict: Verdict,
) {
    let event_id = scene.make(draft);
    let mut question = scene.asks(&event_id);
    if let Question::Authorize(Authorize { event, events: Pool::Texts(texts), .. }) = &mut question {
        texts.values_mut().chain([event]).for_each(|text| form.respell(text, scene.version()));
    }
    let answer = answer(scene, id, &event_id, verdict);
    let vector = Vector { id: id.to_owned(), says, specification: None, question, answer };
    add(file, scene, vector);
}

/// A property other than `users` that holds levels, and an act of Bob, who has 50, that it decides.
struct Place {
    name: &'static str,
    allowed: Rule,
    rejected: Rule,
    act: fn(&mut Scene, Value) -> Draft<'static>,
}

const PLACES: [Place; 8] = [
    Place {
        name: "events-default",
        allowed: Rule::Otherwise,
        rejected: Rule::RequiredPowerLevel,
        act: |s, level| s.levels(json!({"events_default": level})).sends(BOB),
    },
    Place {
        name: "state-default",
        allowed: Rule::Otherwise,
        rejected: Rule::RequiredPowerLevel,
        act: |s, level| s.levels(json!({"state_default": level})).names_room(BOB),
    },
    Place {
        name: "events",
        allowed: Rule::Otherwise,
        rejected: Rule::RequiredPowerLevel,
        act: |s, level| s.levels(json!({"events": {"m.room.name": level}})).names_room(BOB),
    },
    Place {
        name: "invite",
        allowed: Rule::InviteAllowed,
        rejected: Rule::InviteOtherwise,
        act: |s, level| s.levels(json!({"invite": level})).invites(BOB, CAROL),
    },
    Place {
        name: "kick",
        allowed: Rule::LeaveAllowed,
        rejected: Rule::LeaveOtherwise,
        act: |s, level| s.levels(json!({"kick": level})).kicks(BOB, CAROL),
    },
    Place {
        name: "ban",
        allowed: Rule::BanAllowed,
        rejected: Rule::BanOtherwise,
        act: |s, level| s.levels(json!({"ban": level})).bans(BOB, CAROL),
    },
    Place {
        name: "new-level",
        allowed: Rule::LevelsAllowed,
        rejected: Rule::LevelsNew,
        act: |s, level| s.relevels(BOB, |levels| levels["redact"] = level),
    },
    Place {
        name: "new-level-of-event",
        allowed: Rule::LevelsAllowed,
        rejected: Rule::EventLevelsNew,
        act: |s, level| s.relevels(BOB, |levels| levels["events"] = json!({"m.room.name": level})),
    },
];

/// Adds what follows where a level that is no integer stands elsewhere than with a user.
fn stage_place(file: &mut VectorFile, place: &Place) {
    let floats = FLOATS.map(|id| (id, json!(50.9), json!(51.0)));
    let strings = STRINGS.map(|id| (id, json!(" 50"), json!("+51")));
    for (id, enough, too_much) in floats.into_iter().chain(strings) {
        let version = RoomVersion::find(id).unwrap();
        let verdicts =
            [("enough", enough, Allowed(place.allowed)), ("too-little", too_much, Rejected(place.rejected))];
        for (name, level, verdict) in verdicts {
            let id = format!("authorization/power-level-forms/v{}/{}/{name}", version.id, place.name);
            let says = match verdict {
                Allowed(_) => format!("50 suffices where {level} is needed."),
                Rejected(_) => format!("50 does not suffice where {level} is needed."),
            };
            let mut scene = Scene::ordinary(version);
            let draft = (place.act)(&mut scene, level);
            let event_id = scene.make(draft);
            let (question, answer) = (scene.asks(&event_id), answer(&scene, &id, &event_id, verdict));
            add(file, &scene, Vector { id, says, specification: None, question, answer });
        }
    }
}
