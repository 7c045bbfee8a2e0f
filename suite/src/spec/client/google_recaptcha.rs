//! `client-server-api/#google-recaptcha`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, neighbour::captcha::SOLUTION},
    verdict::{Stop, Verdict},
};

/// A captcha completes its stage when the service behind it says that a person has solved it, and not before.
#[conformance(spec = "client-server-api/#google-recaptcha", level = Must, severity = Security)]
async fn solution_completes_the_stage(hs: &Homeserver) -> Verdict {
    let registration = Registration::begin(hs).await?;
    let completes = |answer: &Answer| {
        answer.at("/completed").as_array().is_some_and(|stages| stages.iter().any(|stage| stage == STAGE))
    };
    let wrong = registration.answer(json!({"response": "determinant-is-a-machine"})).await?;
    wrong.must(!completes(&wrong), "an incomplete stage", || wrong.at("/completed").to_string())?;
    wrong.must_be(401)?.must_have_list("/flows")?;

    let right = registration.answer(json!({"response": SOLUTION})).await?;
    let is_over = right.status().is_success() || completes(&right);
    right.must(is_over, "the completed stage, or an account", || right.json().to_string())
}

/// A captcha that is missing or wrong is refused with the code for just that.
#[conformance(
    spec = "client-server-api/#other-error-codes",
    level = May,
    severity = Usability,
    each = ways_to_fail
)]
async fn failure_is_told(hs: &Homeserver, way: &'static str) -> Verdict {
    let registration = Registration::begin(hs).await?;
    let (fields, errcode) = match way {
        "missing" => (json!({}), "M_CAPTCHA_NEEDED"),
        _ => (json!({"response": "determinant-is-a-machine"}), "M_CAPTCHA_INVALID"),
    };
    let answer = registration.answer(fields).await?;
    // The API for stages has 401; a request that lacks something is a wrong one as well.
    answer.must_refuse_with_one_of(&[(401, errcode), (400, errcode)]).map(drop)
}

fn ways_to_fail() -> [&'static str; 2] {
    ["missing", "wrong"]
}

const STAGE: &str = "m.login.recaptcha";

/// A registration that waits for the captcha.
struct Registration {
    hs: Homeserver,
    body: Value,
    session: Value,
}

impl Registration {
    async fn begin(hs: &Homeserver) -> Result<Self, Stop> {
        let body = json!({"username": hs.unused_localpart(), "password": "a password"});
        let challenge = hs.registration_before(STAGE, &body).await?;
        Ok(Registration { hs: hs.clone(), body, session: challenge.at("/session").clone() })
    }

    /// Puts the stage with these fields.
    async fn answer(&self, mut fields: Value) -> Result<Answer, Stop> {
        fields["type"] = json!(STAGE);
        fields["session"] = self.session.clone();
        let mut body = self.body.clone();
        body["auth"] = fields;
        self.hs.post("/_matrix/client/v3/register", body).answer().await
    }
}
