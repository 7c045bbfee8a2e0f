//! Servers that a room keeps out: client-server-api/#server-access-control-lists-acls-for-rooms.

use protocol::identifiers::ServerName;
use serde_json::Value;

use crate::error::MatrixError;
use crate::misbehave::{Fault, commits};
use crate::rooms::state::StateLookup;

/// Whether a room lets a server take part.
pub(crate) fn admits(state: &impl StateLookup, server_name: &str) -> bool {
    let acl = state.find("m.room.server_acl", "").filter(|_| !commits(Fault::ServerAclsIgnored));
    let Some(acl) = acl else { return true };
    let Ok(name) = ServerName::parse(server_name) else { return false };
    if acl.content("allow_ip_literals") == Some(&Value::Bool(false)) && name.is_ip_literal() {
        return false;
    }
    let host = if commits(Fault::PortsOfServersCompared) { server_name } else { name.hostname() }
        .to_ascii_lowercase();
    let lists = |list: &str| {
        let globs = acl.content(list).and_then(Value::as_array).into_iter().flatten();
        globs.filter_map(Value::as_str).any(|glob| matches(&glob.to_ascii_lowercase(), &host))
    };
    !lists("deny") && lists("allow")
}

/// Refuses a server that a room keeps out.
pub(super) fn check(state: &impl StateLookup, server_name: &str) -> Result<(), MatrixError> {
    if admits(state, server_name) {
        Ok(())
    } else {
        Err(MatrixError::forbidden("the room keeps your server out"))
    }
}

/// Whether text is as a glob says, in which `*` stands for any characters and `?` for one.
fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match glob.get(at) {
            Some('*') => {
                last_star = Some((at, seen));
                at += 1;
            }
            Some(character) if *character == '?' || *character == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match last_star {
                // The star takes one character more.
                Some((star, taken)) => {
                    last_star = Some((star, taken + 1));
                    at = star + 1;
                    seen = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::matches;

    #[rstest]
    #[case("*", "example.org", true)]
    #[case("example.org", "example.org", true)]
    #[case("*.example.org", "a.b.example.org", true)]
    #[case("*.example.org", "example.org", false)]
    #[case("example.???", "example.org", true)]
    #[case("example.??", "example.org", false)]
    #[case("*a*b", "xaxxb", true)]
    #[case("*a*b", "xbxxa", false)]
    #[case("", "", true)]
    #[case("", "a", false)]
    fn globs_stand_for_names(#[case] glob: &str, #[case] name: &str, #[case] expected: bool) {
        assert_eq!(matches(glob, name), expected);
    }
}
