//! Records to draw pictures of.

use reports::{
    BothWays, Chapter, Check, Coverage, Exchange, Failure, Header, Level, Machine, Operations, Record,
    Releases, Requirements, Severity, Share, Summary, Tally, Target, Verdict,
};

/// Text that tries to be markup, commands and mentions of every format at once.
pub(crate) const HOSTILE: &str = "</script><img src=x onerror=alert(1)>]]>&amp;\"'`|*@team #1 %0A\u{1b}[2J\u{0}\u{202e}```\n::error::x\nnot ok 7\n...";

pub(crate) fn header() -> Header {
    Header {
        target: Target {
            name: "Synapse".to_owned(),
            version: Some("1.140.0".to_owned()),
            notes: vec!["rate limits off".to_owned(), "cheap password hashing".to_owned()],
        },
        seed: 42,
        releases: Releases {
            advertised: vec!["v1.11".to_owned(), "v1.12".to_owned()],
            judged: "v1.12".to_owned(),
            chosen_by: "the newest advertised".to_owned(),
        },
        total: 9,
        machine: Machine { os: "linux".to_owned(), arch: "x86_64".to_owned(), cores: 2 },
        started: "2026-11-23T01:32:22Z".to_owned(),
        command: "determinant run --target synapse.toml --seed 42".to_owned(),
    }
}

pub(crate) fn check(id: &str, verdict: Verdict) -> Check {
    Check {
        id: id.to_owned(),
        level: match verdict {
            Verdict::Advice => Level::Should,
            Verdict::Observed => Level::May,
            _ => Level::Must,
        },
        severity: Severity::Interop,
        verdict,
        expected: Verdict::Pass,
        expectation: None,
        spec: "client-server-api/#syncing".to_owned(),
        duration_ms: 12.5,
        requirement: "A sync returns what happened since `since`, and nothing else.".to_owned(),
        reason: None,
        failure: None,
    }
}

/// One check of every sort.
pub(crate) fn record() -> Record {
    let mut record = Record::begun(&header());
    record.checks = vec![
        check("client/sync/returns-what-happened", Verdict::Pass),
        failed_check(),
        Check { duration_ms: 2_345.0, ..failed_case() },
        surprising_pass(),
        foreseen_failure(),
        fault("client/voip/turn-server"),
        Check {
            reason: Some("the answer has no `Access-Control-Allow-Origin`".to_owned()),
            ..check("client/versions/allows-cross-origin", Verdict::Advice)
        },
        Check {
            reason: Some("redacted events keep `age`".to_owned()),
            ..check("rooms/redaction/age[11]", Verdict::Observed)
        },
        Check {
            reason: Some("the target advertises no v1.13".to_owned()),
            ..check("client/report/room", Verdict::NotApplicable)
        },
    ];
    record.checks = record.checks.iter().map(Check::for_record).collect();
    record.summary = Summary::of(&record.checks);
    record.coverage = Some(coverage());
    record.notices = vec!["the clock of the target is 3 s behind".to_owned()];
    record.interrupted = false;
    record.duration_ms = 83_250.0;
    record.exchanges = 12_345;
    record.harness_cpu_ms = Some(4_100.0);
    record
}

/// One check of a room version that everything hostile has been put into.
pub(crate) fn hostile_record() -> Record {
    let mut record = Record::begun(&header());
    HOSTILE.clone_into(&mut record.target.name);
    HOSTILE.clone_into(&mut record.command);
    record.notices = vec![HOSTILE.to_owned()];
    let failure = Failure {
        expected: HOSTILE.to_owned(),
        got: HOSTILE.to_owned(),
        exchanges: vec![Exchange {
            method: "GET".to_owned(),
            url: HOSTILE.to_owned(),
            request_headers: vec![(HOSTILE.to_owned(), HOSTILE.to_owned())],
            response_body: Some(HOSTILE.to_owned()),
            error: Some(HOSTILE.to_owned()),
            note: Some(HOSTILE.to_owned()),
            ..Exchange::default()
        }],
        repeat: HOSTILE.to_owned(),
        server_log: Some(HOSTILE.to_owned()),
    };
    for verdict in Verdict::ALL {
        record.checks.push(Check {
            id: format!("client/hostile/{}[{HOSTILE}]", verdict.as_str()),
            requirement: HOSTILE.to_owned(),
            spec: HOSTILE.to_owned(),
            reason: Some(HOSTILE.to_owned()),
            expectation: Some(HOSTILE.to_owned()),
            failure: Some(failure.clone()),
            ..check("", verdict)
        });
    }
    record.checks[0].expected = Verdict::Fail;
    record.summary = Summary::of(&record.checks);
    record.interrupted = false;
    record
}

/// A run of many checks, with a few failures that are told at length.
pub(crate) fn long_record(checks: usize) -> Record {
    let mut record = Record::begun(&header());
    for number in 0..checks {
        let mut check = if number % 50 == 49 { failed_check() } else { check("", Verdict::Pass) };
        check.id = format!("client/area-{}/check[{number}]", number % 60);
        record.checks.push(check);
    }
    record.summary = Summary::of(&record.checks);
    record.interrupted = false;
    record
}

pub(crate) fn failed_check() -> Check {
    let exchange = Exchange {
        method: "GET".to_owned(),
        url: "/_matrix/client/v3/sync?since=s1&timeout=0".to_owned(),
        request_headers: vec![
            ("Authorization".to_owned(), "Bearer syt_ZXZl_secret".to_owned()),
            ("User-Agent".to_owned(), "determinant".to_owned()),
        ],
        status: Some(200),
        response_headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        response_body: Some(
            r#"{"next_batch":"s2","rooms":{"join":{"!a:localhost":{"ephemeral":{"events":[{"type":"m.typing","content":{"user_ids":["@alice:localhost"]}}]}}}}}"#.to_owned(),
        ),
        duration_ms: 14.2,
        ..Exchange::default()
    };
    let earlier = Exchange {
        method: "PUT".to_owned(),
        url: "/_matrix/client/v3/rooms/!a:localhost/typing/@alice:localhost".to_owned(),
        request_body: Some(r#"{"typing":true,"timeout":30000}"#.to_owned()),
        status: Some(200),
        response_body: Some("{}".to_owned()),
        duration_ms: 8.0,
        ..Exchange::default()
    };
    Check {
        severity: Severity::Security,
        spec: "client-server-api/#typing-notifications".to_owned(),
        requirement: "A typing notice reaches the other members of the room, and nobody else.".to_owned(),
        failure: Some(Failure {
            expected: "nothing about the room in the sync of somebody who is not in it".to_owned(),
            got: "eve's sync has the room `!a:localhost`".to_owned(),
            exchanges: vec![earlier, exchange],
            repeat:
                "determinant run --target synapse.toml --only client/typing/reaches-members-only --seed 42"
                    .to_owned(),
            server_log: Some("INFO  started\nERROR typing: no such member\n".to_owned()),
        }),
        ..check("client/typing/reaches-members-only", Verdict::Fail)
    }
}

fn failed_case() -> Check {
    let exchange = Exchange {
        method: "POST".to_owned(),
        url: "/_matrix/client/v3/createRoom".to_owned(),
        request_body: Some(r#"{"room_version":"12"}"#.to_owned()),
        duration_ms: 2_300.0,
        error: Some("connection closed before the answer was complete".to_owned()),
        note: Some("alice creates the room".to_owned()),
        ..Exchange::default()
    };
    Check {
        requirement: "A room can be created in every version that the server offers.".to_owned(),
        spec: "rooms/".to_owned(),
        failure: Some(Failure {
            expected: "200 with a `room_id`".to_owned(),
            got: "no answer".to_owned(),
            exchanges: vec![exchange],
            repeat: "determinant run --only rooms/creation/every-version[12] --seed 42".to_owned(),
            server_log: None,
        }),
        ..check("rooms/creation/every-version[12]", Verdict::Fail)
    }
}

fn surprising_pass() -> Check {
    Check {
        expected: Verdict::Fail,
        expectation: Some("fixed upstream, not yet released".to_owned()),
        ..check("client/search/orders-by-rank", Verdict::Pass)
    }
}

fn foreseen_failure() -> Check {
    Check {
        expected: Verdict::Fail,
        expectation: Some("known since 2021, see the tracker of the target".to_owned()),
        failure: failed_case().failure,
        ..check("client/search/groups-by-room", Verdict::Fail)
    }
}

fn fault(id: &str) -> Check {
    Check {
        reason: Some("the target did not start within 30 s; look at its log".to_owned()),
        ..check(id, Verdict::Fault)
    }
}

pub(crate) fn coverage() -> Coverage {
    let share = |total, asserted| Share {
        total,
        asserted,
        touched: (asserted + 1).min(total),
        missing: vec!["GET /missing".to_owned()],
    };
    Coverage {
        operations: Operations {
            client_server: share(150, 120),
            server_server: BothWays {
                total: 34,
                asserted_inbound: 30,
                asserted_outbound: 20,
                ..BothWays::default()
            },
            application_service: share(6, 6),
            identity: share(9, 4),
            push_gateway: share(1, 1),
        },
        responses: share(400, 310),
        error_codes: share(60, 41),
        refusals: share(250, 170),
        requirements: Requirements {
            total: 700,
            proved: 512,
            chapters: vec![
                Chapter {
                    name: "client-server-api/typing_notifications".to_owned(),
                    must: Tally { total: 500, proved: 400 },
                    should: Tally { total: 100, proved: 100 },
                },
                Chapter {
                    name: HOSTILE.to_owned(),
                    must: Tally::default(),
                    should: Tally { total: 100, proved: 12 },
                },
            ],
            missing: Vec::new(),
        },
    }
}
