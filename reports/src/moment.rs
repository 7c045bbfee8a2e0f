//! Points in time as RFC 3339, in UTC and whole seconds.

use std::time::SystemTime;

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A point in time as RFC 3339, in UTC and whole seconds.
#[must_use]
pub fn rfc_3339(time: SystemTime) -> String {
    // It fails for years beyond 9999.
    OffsetDateTime::from(time).truncate_to_second().format(&Rfc3339).unwrap_or_default()
}

/// A point in time from RFC 3339; nothing of anything else.
#[must_use]
pub fn parse_rfc_3339(text: &str) -> Option<SystemTime> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(time.to_offset(UtcOffset::UTC).into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "1970-01-01T00:00:00Z")]
    #[case(951_782_400, "2000-02-29T00:00:00Z")]
    #[case(1_795_392_000 + 86_399, "2026-11-23T23:59:59Z")]
    fn what_is_written_is_read(#[case] seconds: u64, #[case] text: &str) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(rfc_3339(time), text);
        assert_eq!(parse_rfc_3339(text), Some(time));
    }

    #[test]
    fn an_offset_is_taken_into_account() {
        assert_eq!(parse_rfc_3339("2026-11-23T01:00:00+01:00"), parse_rfc_3339("2026-11-23T00:00:00Z"));
    }

    #[rstest]
    #[case("")]
    #[case("2026-11-23")]
    #[case("2026-13-23T00:00:00Z")]
    fn anything_else_is_no_point_in_time(#[case] text: &str) {
        assert_eq!(parse_rfc_3339(text), None);
    }
}
