//! A service that tells people from machines: homeservers ask it in the way of Google's reCAPTCHA.

use std::{net::TcpListener, sync::Arc};

use serde_json::json;

use super::{Asked, Neighbour};
use crate::{cast::remote::Reply, judge::Judge, verdict::Stop};

/// What a person would answer.
pub const SOLUTION: &str = "determinant-is-a-person";

impl Neighbour {
    /// Listens for a run.
    pub(crate) fn captcha(judge: Arc<Judge>, listener: TcpListener) -> Result<Arc<Self>, Stop> {
        Neighbour::open("captcha service", None, judge, listener, None, answer)
    }
}

fn answer(asked: &Asked) -> Option<Reply> {
    let is_solved = asked.form_field("response").as_deref() == Some(SOLUTION);
    let errors = if is_solved { json!([]) } else { json!(["invalid-input-response"]) };
    Some(Reply::json(json!({"success": is_solved, "error-codes": errors})))
}
