//! Canonical JSON in both forms, and what has no canonical form (appendices/#canonical-json).
//!
//! The strict form follows from the appendix. The lenient one writes numbers as the appendix's Python snippet does.
//! Left out is what the text leaves open: repeated names, byte order marks, deep nesting, floats with an integral
//! value in the strict form (but for the appendix's own `1e10`), and in the lenient form integers beyond 64 bits,
//! floats beyond the doubles and `-0.0`.

use vectors::file::VectorFile;
use vectors::question::Form;
use vectors::{Answer, Question, Text};

use super::case;
use crate::published::publish;

#[test]
fn canonical_json() {
    let mut file = VectorFile::new("appendices/#canonical-json");
    for (name, says, input, canonical) in ACCEPTED {
        file.push(question("strict", name, says, Form::Strict, input.into(), Ok(canonical)));
    }
    for (name, says, input) in REFUSED {
        file.push(question("strict", name, says, Form::Strict, input.into(), Err(says)));
    }
    for (name, says, bytes) in NOT_UTF8 {
        let input = Text::Bytes { base64: protocol::base64::encode(bytes) };
        file.push(question("bytes", name, says, Form::Strict, input, Err(says)));
    }
    for (name, says, input, canonical) in ACCEPTED_LENIENTLY {
        file.push(question("lenient", name, says, Form::Lenient, input.into(), Ok(canonical)));
    }
    for (name, says, input) in REFUSED_LENIENTLY {
        file.push(question("lenient", name, says, Form::Lenient, input.into(), Err(says)));
    }
    publish("canonical_json.json", &file);
}

fn question(
    group: &str,
    name: &str,
    says: &str,
    form: Form,
    json: Text,
    expected: Result<&str, &str>,
) -> vectors::file::Vector {
    let answer = match expected {
        Ok(canonical) => Answer { canonical: Some(canonical.to_owned()), ..Answer::default() },
        Err(why) => Answer::refused(why),
    };
    case(format!("canonical-json/{group}/{name}"), says, Question::CanonicalJson { json, form }, answer)
}

/// Name, sentence, input and canonical JSON. The first ten are the appendix's examples.
const ACCEPTED: [(&str, &str, &str, &str); 49] = [
    ("example/empty", "An empty object stays.", "{}", "{}"),
    (
        "example/white-space",
        "White space goes.",
        "{\n    \"one\": 1,\n    \"two\": \"Two\"\n}",
        r#"{"one":1,"two":"Two"}"#,
    ),
    (
        "example/sorted",
        "Names are sorted.",
        "{\n    \"b\": \"2\",\n    \"a\": \"1\"\n}",
        r#"{"a":"1","b":"2"}"#,
    ),
    (
        "example/sorted-compact",
        "Names are sorted in compact input.",
        r#"{"b":"2","a":"1"}"#,
        r#"{"a":"1","b":"2"}"#,
    ),
    (
        "example/nested",
        "Names of nested objects are sorted.",
        r#"{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"medium":"email","address":"john.doe@example.org"},{"medium":"msisdn","address":"123456789"}]}}}"#,
        r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
    ),
    ("example/utf8", "UTF-8 is not escaped.", r#"{"a": "日本語"}"#, r#"{"a":"日本語"}"#),
    ("example/code-points", "Names are sorted by code point.", r#"{"本": 2, "日": 1}"#, r#"{"日":1,"本":2}"#),
    ("example/escape", "Escapes are resolved.", r#"{"a": "\u65E5"}"#, r#"{"a":"日"}"#),
    ("example/null", "A null stays.", r#"{"a": null}"#, r#"{"a":null}"#),
    (
        "example/numbers",
        "Negative zero and an exponent become plain integers.",
        r#"{"a": -0, "b": 1e10}"#,
        r#"{"a":0,"b":10000000000}"#,
    ),
    ("value/array", "An array alone is a value.", "[ ]", "[]"),
    ("value/string", "A string alone is a value.", r#" "x" "#, r#""x""#),
    ("value/integer", "An integer alone is a value.", "3", "3"),
    ("value/null", "Null alone is a value.", "null", "null"),
    ("value/true", "True alone is a value.", "true", "true"),
    ("value/false", "False alone is a value.", "\nfalse\n", "false"),
    (
        "white-space/all-kinds",
        "All four kinds of white space go.",
        "\t{ \"a\"\r\n:\t[ 1 ,\r2 ]\n} ",
        r#"{"a":[1,2]}"#,
    ),
    (
        "white-space/in-strings",
        "White space within strings stays.",
        r#"{" a ":"  b  "}"#,
        r#"{" a ":"  b  "}"#,
    ),
    ("order/arrays", "Arrays keep their order.", "[3,1,2]", "[3,1,2]"),
    (
        "order/objects-in-arrays",
        "Objects within arrays are sorted.",
        r#"[{"b":1,"a":2}]"#,
        r#"[{"a":2,"b":1}]"#,
    ),
    (
        "order/every-level",
        "Every level is sorted.",
        r#"{"b":{"d":{"f":1,"e":2},"c":3},"a":4}"#,
        r#"{"a":4,"b":{"c":3,"d":{"e":2,"f":1}}}"#,
    ),
    (
        "order/case",
        "Upper case sorts before the underscore, and that before lower case.",
        r#"{"a":1,"B":2,"_":3}"#,
        r#"{"B":2,"_":3,"a":1}"#,
    ),
    ("order/prefix", "A name sorts before those that it begins.", r#"{"ab":1,"a":2}"#, r#"{"a":2,"ab":1}"#),
    ("order/empty-name", "The empty name sorts first.", r#"{"a":1,"":2}"#, r#"{"":2,"a":1}"#),
    ("order/digits", "Names of digits are sorted as text.", r#"{"9":1,"10":2}"#, r#"{"10":2,"9":1}"#),
    (
        "order/escaped-names",
        "Names are sorted by what their escapes mean.",
        r#"{"\u0062":1,"a":2}"#,
        r#"{"a":2,"b":1}"#,
    ),
    (
        "order/supplementary",
        "Code points beyond the basic plane sort last, unlike their units in UTF-16.",
        r#"{"\ud83d\ude00": 1, "\uffee": 2}"#,
        r#"{"￮":2,"😀":1}"#,
    ),
    (
        "order/control-characters",
        "A control character in a name sorts by its code point, not by its escape.",
        r#"{"0":1,"\u0001":2}"#,
        r#"{"\u0001":2,"0":1}"#,
    ),
    (
        "order/not-normalised",
        "Names that differ only in normalisation are two.",
        "{\"\u{e9}\":1,\"e\u{301}\":2}",
        "{\"e\u{301}\":2,\"\u{e9}\":1}",
    ),
    ("strings/pair", "A pair of surrogates is one character.", r#""\ud83d\ude00""#, r#""😀""#),
    ("strings/last-code-point", "The last code point is a character.", r#""\udbff\udfff""#, "\"\u{10ffff}\""),
    ("strings/noncharacter", "A noncharacter is a code point like any other.", r#""\uffff""#, "\"\u{ffff}\""),
    ("strings/hexadecimal", "Hexadecimal digits may have either case.", r#""\u00E9\u00e9""#, r#""éé""#),
    ("strings/not-normalised", "Strings are not normalised.", "\"e\\u0301\"", "\"e\u{301}\""),
    (
        "strings/short-escapes",
        "Five control characters have short escapes.",
        r#""\u0008\u0009\u000a\u000c\u000d""#,
        r#""\b\t\n\f\r""#,
    ),
    (
        "strings/control-characters",
        "The other control characters have escapes in lower case, and DEL has none.",
        r#""\u0000\u0007\u000B\u001F\u007f""#,
        "\"\\u0000\\u0007\\u000b\\u001f\u{7f}\"",
    ),
    ("strings/solidus", "Quotes and backslashes are escaped, slashes are not.", r#""\"\\\/""#, r#""\"\\/""#),
    (
        "strings/line-separators",
        "Line and paragraph separator are not escaped.",
        r#""\u2028\u2029""#,
        "\"\u{2028}\u{2029}\"",
    ),
    ("strings/byte-order-mark", "Within a string, U+FEFF is a character.", r#""\ufeff""#, "\"\u{feff}\""),
    ("strings/html", "What HTML escapes is not escaped.", r#""\u003cb\u003e\u0026'""#, r#""<b>&'""#),
    ("strings/escape-of-escape", "An escaped backslash begins no escape.", r#""\\u0041""#, r#""\\u0041""#),
    (
        "strings/escapes-in-names",
        "Names are escaped like strings.",
        r#"{"\"\u005c\u000a":1}"#,
        r#"{"\"\\\n":1}"#,
    ),
    ("strings/numbers", "A number in a string stays a string.", r#"{"a":"1.50"}"#, r#"{"a":"1.50"}"#),
    ("strings/empty", "An empty string stays.", r#"{"a":""}"#, r#"{"a":""}"#),
    ("numbers/largest", "The largest integer is 2^53 - 1.", "9007199254740991", "9007199254740991"),
    ("numbers/smallest", "The smallest integer is -2^53 + 1.", "-9007199254740991", "-9007199254740991"),
    ("numbers/small", "Small integers stay.", "[0,1,-1,10,-10]", "[0,1,-1,10,-10]"),
    ("numbers/long", "Sixteen digits are within the range.", "[1000000000000001]", "[1000000000000001]"),
    (
        "literals/as-names",
        "Literals may be names.",
        r#"{"true":true,"null":null,"false":false}"#,
        r#"{"false":false,"null":null,"true":true}"#,
    ),
];

/// Name, sentence and input.
const REFUSED: [(&str, &str, &str); 41] = [
    ("numbers/too-large", "2^53 is out of range.", r#"{"a":{"b":[0,9007199254740992]}}"#),
    ("numbers/too-small", "-2^53 is out of range.", r#"{"a":-9007199254740992}"#),
    ("numbers/64-bits", "2^63 - 1 is out of range.", "9223372036854775807"),
    ("numbers/beyond-64-bits", "2^64 is out of range.", "18446744073709551616"),
    (
        "numbers/a-hundred-digits",
        "An integer of any length is out of range.",
        "1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
    ("numbers/fraction", "A fraction is no integer.", r#"{"a":[{"b":1.5}]}"#),
    ("numbers/small-fraction", "A small fraction is no integer.", "[0.1]"),
    ("numbers/negative-exponent", "An exponent may make a fraction.", "[1e-1]"),
    ("numbers/exponent-out-of-range", "An exponent may lead out of range.", "[1e16]"),
    ("numbers/beyond-doubles", "A number beyond the doubles is out of range.", r#"{"m.x":1e400}"#),
    ("numbers/far-below", "A negative number beyond the doubles is out of range.", "-1e400"),
    ("json/nan", "JSON has no NaN.", r#"{"a":NaN}"#),
    ("json/infinity", "JSON has no infinity.", "[Infinity]"),
    ("json/negative-infinity", "JSON has no negative infinity.", "[-Infinity]"),
    ("json/empty", "No text is no JSON.", ""),
    ("json/white-space", "White space alone is no JSON.", " \n"),
    ("json/comma-after-item", "An array does not end in a comma.", "[1,]"),
    ("json/comma-after-member", "An object does not end in a comma.", r#"{"a":1,}"#),
    ("json/no-comma", "Commas part items.", "[1 2]"),
    ("json/no-colon", "A colon parts name and value.", r#"{"a" 1}"#),
    ("json/no-value", "A member has a value.", r#"{"a":}"#),
    ("json/unquoted-name", "Names have quotes.", "{a:1}"),
    ("json/number-as-name", "Names are strings.", "{1:1}"),
    ("json/single-quotes", "Strings have double quotes.", "{'a':1}"),
    ("json/comment", "JSON has no comments.", "{}/* */"),
    ("json/two-values", "There is one value.", "{}{}"),
    ("json/open-object", "An object has an end.", r#"{"a":1"#),
    ("json/open-string", "A string has an end.", "\"a"),
    ("json/cut-literal", "Literals are whole.", "nul"),
    ("json/literal-in-capitals", "Literals are in lower case.", "True"),
    ("json/leading-zero", "Integers have no leading zero.", "01"),
    ("json/plus", "Numbers have no plus sign.", "+1"),
    ("json/no-integer-part", "Numbers begin with an integer.", ".5"),
    ("json/hexadecimal", "Numbers are decimal.", "0x10"),
    ("json/minus", "A minus sign is no number.", "-"),
    ("strings/line-feed", "A line feed in a string is escaped.", "\"a\nb\""),
    ("strings/tab", "A tab in a string is escaped.", "\"\t\""),
    ("strings/nul", "NUL in a string is escaped.", "\"\0\""),
    ("strings/unknown-escape", "There are no other escapes.", r#""\x41""#),
    ("strings/short-code-point", "An escaped unit has four digits.", r#""\u12""#),
    ("strings/lone-surrogate", "A surrogate on its own has no encoding in UTF-8.", r#"{"a":"\ud800"}"#),
];

/// Name, sentence and input.
const NOT_UTF8: [(&str, &str, &[u8]); 9] = [
    ("no-lead-byte", "The byte FF begins no character.", b"\"\xff\""),
    ("latin-1", "A character of Latin-1 is not UTF-8.", b"\"\xe9\""),
    ("overlong", "An overlong encoding is not UTF-8.", b"\"\xc0\x80\""),
    ("encoded-surrogate", "A surrogate cannot be encoded.", b"\"\xed\xa0\x80\""),
    ("encoded-pair", "A pair of encoded surrogates is not UTF-8.", b"\"\xed\xa0\xbd\xed\xb8\x80\""),
    ("cut-character", "A character is whole.", b"\"\xe6\x97\""),
    ("beyond-unicode", "There is nothing beyond U+10FFFF.", b"\"\xf4\x90\x80\x80\""),
    ("in-name", "Names are in UTF-8 too.", b"{\"\xff\":1}"),
    ("utf-16", "JSON is not in UTF-16.", b"\xff\xfe{\0}\0"),
];

/// Name, sentence, input and canonical JSON.
const ACCEPTED_LENIENTLY: [(&str, &str, &str, &str); 12] = [
    ("fractions", "Fractions keep their shortest digits.", "[1.5,0.1,50.57,-0.25]", "[1.5,0.1,50.57,-0.25]"),
    (
        "integral-floats",
        "Floats with an integral value stay floats.",
        "[1.0,1e10,1e15,0.1e1]",
        "[1.0,10000000000.0,1000000000000000.0,1.0]",
    ),
    (
        "exponents",
        "Exponents appear from 1e16 on and below 1e-4.",
        "[1e16,1.5e300,0.0001,0.00001,-1.25e-7,9999999999999998.0]",
        "[1e+16,1.5e+300,0.0001,1e-05,-1.25e-07,9999999999999998.0]",
    ),
    (
        "capital-exponent",
        "An exponent may have a capital letter and a plus sign.",
        "[1E5,1e+5]",
        "[100000.0,100000.0]",
    ),
    (
        "large-integers",
        "Integers of 64 bits keep every digit.",
        "[9007199254740993,-9223372036854775808,18446744073709551615]",
        "[9007199254740993,-9223372036854775808,18446744073709551615]",
    ),
    (
        "nearest-double",
        "A float is the nearest double.",
        "[9007199254740993.0,0.30000000000000004]",
        "[9007199254740992.0,0.30000000000000004]",
    ),
    (
        "largest-double",
        "The largest double has a form.",
        "[1.7976931348623157e308]",
        "[1.7976931348623157e+308]",
    ),
    (
        "smallest-double",
        "The smallest double has a form.",
        "[5e-324,2.2250738585072011e-308]",
        "[5e-324,2.225073858507201e-308]",
    ),
    ("zero", "A zero with a fraction stays a float.", "[0.0,0e5]", "[0.0,0.0]"),
    ("negative-zero", "The integer negative zero is zero.", "[-0]", "[0]"),
    (
        "integers",
        "Other integers are as in the strict form.",
        "[0,-1,9007199254740991]",
        "[0,-1,9007199254740991]",
    ),
    (
        "everything-else",
        "All but numbers is as in the strict form.",
        r#" {"b": "\u00e9\/", "a": [null, true]} "#,
        r#"{"a":[null,true],"b":"é/"}"#,
    ),
];

/// Name, sentence and input.
const REFUSED_LENIENTLY: [(&str, &str, &str); 6] = [
    ("nan", "JSON has no NaN.", "[NaN]"),
    ("infinity", "JSON has no infinity.", "[-Infinity]"),
    ("lone-high-surrogate", "A high surrogate on its own has no encoding in UTF-8.", r#""\ud83dx""#),
    ("lone-low-surrogate", "A low surrogate on its own has no encoding in UTF-8.", r#"{"\ude00":1}"#),
    ("reversed-pair", "A pair of surrogates has the high one first.", r#""\ude00\ud83d""#),
    ("leading-zero", "Integers have no leading zero.", "[007]"),
];
