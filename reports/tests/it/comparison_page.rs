//! The page of several records: complete, small, and made of tags that close.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;
use reports::{Record, Verdict, compare, comparison};
use serde_json::Value;

use crate::comparing::later;
use crate::html::check_page;
use crate::sample;

/// What the script of a page reads.
fn data(page: &str) -> Value {
    let (_, encoded) = page.split_once("<script id=\"data\" type=\"text/plain\">").expect("data");
    let (encoded, _) = encoded.split_once("</script>").expect("their end");
    let mut text = String::new();
    ZlibDecoder::new(&*STANDARD.decode(encoded).expect("base64"))
        .read_to_string(&mut text)
        .expect("deflated");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_small_page() {
    let page = comparison::to_html(&[sample::record(), later()]);
    check_page(&page);
    let (_, body) = page.split_once("<body>").expect("a body");
    let (body, _) = body.split_once("<script").expect("a script");
    insta::assert_snapshot!(body.replace("><", ">\n<"));
    insta::assert_json_snapshot!(data(&page));
}

#[test]
fn hostile_text_makes_no_tag() {
    let page = comparison::to_html(&[sample::record(), sample::hostile_record()]);
    check_page(&page);
    assert!(!page.contains("<img"));
    assert!(!page.contains(['\u{0}', '\u{1b}', '\u{202e}']));
}

#[test]
fn the_page_of_recorded_servers_holds_every_check_and_regression() {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded");
    let records = ["reference-server/0.1.0", "synapse/1.163.2"]
        .map(|folder| Record::read(recorded.join(folder).join("record.json")).expect("a record"));
    let page = comparison::to_html(&records);
    check_page(&page);
    let data = data(&page);
    let rows = data["rows"].as_array().expect("rows");
    let held: BTreeSet<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    let checks: BTreeSet<&str> =
        records.iter().flat_map(|record| &record.checks).map(|check| check.id.as_str()).collect();
    assert_eq!(held, checks);
    let (listed, _) = page.split_once("<section id=\"checks\"").expect("the checks");
    let told = comparison::tell_regressions(&records, reports::Style::plain());
    let comparison = compare(&records);
    for regression in comparison.regressions() {
        let id = &regression.id;
        assert!(
            listed.contains(&format!("data-check=\"{}\"", id.replace('&', "&amp;"))),
            "{id} is not listed"
        );
        let row = rows.iter().find(|row| row["id"] == **id).expect("a row");
        assert_eq!(row["change"], "regression", "{id}");
        let account = row["accounts"][1].as_u64().map(|place| &data["texts"][place as usize]);
        let account = account.and_then(Value::as_str).unwrap_or_default();
        assert!(
            account.contains("repeat  ") && account.contains("https://spec.matrix.org/"),
            "{id}: {account}"
        );
        assert!(told.contains(id.as_str()), "{id} is not told");
    }
    assert!(comparison.regressions().count() > 0, "there is nothing to hold");
}

/// Six servers that differ here and there, each failure with an exchange of its own.
fn many(checks: usize) -> Vec<Record> {
    let record = |server: usize| {
        let mut record = sample::long_record(checks);
        record.target.name = format!("server-{server}");
        for (number, check) in record.checks.iter_mut().enumerate() {
            check.requirement = format!("The server answers question {number} as the text says.");
            if number % 7 == server {
                let broken = sample::failed_check();
                (check.verdict, check.failure) = (Verdict::Fail, broken.failure);
            }
            if let Some(exchange) = check.failure.as_mut().and_then(|failure| failure.exchanges.last_mut()) {
                exchange.url = format!("/_matrix/client/v3/rooms/!{}/{server}", number * 7_919);
                exchange.duration_ms = (number * 31 % 997) as f64 / 7.0;
            }
        }
        record
    };
    (0..6).map(record).collect()
}

#[test]
fn ten_thousand_checks_of_six_servers_stay_below_five_megabytes() {
    let page = comparison::to_html(&many(10_000));
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
}

/// `DETERMINANT_PAGE=many.html cargo test -p reports -- --ignored a_page_to_open` writes a page whose opening can be timed.
#[test]
#[ignore = "writes a file for a browser"]
fn a_page_to_open() {
    let path = std::env::var_os("DETERMINANT_PAGE").expect("DETERMINANT_PAGE names the file");
    std::fs::write(&path, comparison::to_html(&many(10_000))).expect("it can be written");
}
