//! The language, accepted and refused.

use super::*;

fn refused(text: &str) -> String {
    parse(text).unwrap_err().text().to_owned()
}

fn one(line: &str) -> Compare {
    let mut request = parse(&format!("{line}\n\n\n")).unwrap();
    assert_eq!((request.success.len(), request.failure.len()), (0, 0));
    request.compare.pop().unwrap()
}

#[test]
fn three_parts_are_told_apart_by_empty_lines() {
    let text = "version(\"a\") = \"0\"\nmod(a) > 3\n\nput a 1\nput b 2\n\nget a\n\n";
    let request = parse(text).unwrap();
    let sizes = (request.compare.len(), request.success.len(), request.failure.len());
    assert_eq!(sizes, (2, 2, 1));
}

#[test]
fn parts_may_be_empty_or_missing() {
    assert_eq!(parse("").unwrap(), TxnRequest::default());
    assert_eq!(parse("\n\n\n").unwrap(), TxnRequest::default());
    let request = parse("\n\nget a").unwrap();
    assert_eq!((request.success.len(), request.failure.len()), (0, 1));
    assert!(refused("\n\n\nget a\n").starts_with("line 4 of the transaction"));
}

#[test]
fn each_target_takes_its_kind_of_value() {
    let value = one(r#"value("k") = "text""#);
    assert_eq!(value.target(), CompareTarget::Value);
    assert_eq!(value.target_union, Some(TargetUnion::Value("text".into())));
    let targets = [
        ("version(k) = 7", CompareTarget::Version, TargetUnion::Version(7)),
        (r#"ver("k") = "7""#, CompareTarget::Version, TargetUnion::Version(7)),
        ("create(k) = 7", CompareTarget::Create, TargetUnion::CreateRevision(7)),
        ("mod(k) = -1", CompareTarget::Mod, TargetUnion::ModRevision(-1)),
        ("lease(k) = ff", CompareTarget::Lease, TargetUnion::Lease(255)),
    ];
    for (line, target, union) in targets {
        let compare = one(line);
        assert_eq!((compare.target(), compare.target_union.clone()), (target, Some(union)));
        assert_eq!(&compare.key[..], b"k");
    }
}

#[test]
fn each_operator_is_known() {
    let operators = [
        ("=", CompareResult::Equal),
        ("!=", CompareResult::NotEqual),
        ("<", CompareResult::Less),
        (">", CompareResult::Greater),
    ];
    for (sign, result) in operators {
        assert_eq!(one(&format!("mod(k) {sign} 1")).result(), result);
        assert_eq!(one(&format!("mod(k){sign}1")).result(), result);
    }
}

#[test]
fn quotes_and_escapes_make_any_bytes() {
    let compare = one(r#"value("a \"b\" (c) \x00\xff\n") = 'x\n y'"#);
    assert_eq!(&compare.key[..], b"a \"b\" (c) \x00\xff\n");
    assert_eq!(compare.target_union, Some(TargetUnion::Value(r"x\n y".into())));
    assert_eq!(&one("value(schlüssel) = wört").key[..], "schlüssel".as_bytes());
}

#[test]
fn operations_take_the_flags_of_their_commands() {
    let text =
        "\nput 'a key' \"a value\" --prev-kv --lease ff\nget p --prefix --limit 2\ndel a z\n";
    let ops = parse(text).unwrap().success;
    let [put, get, del] = &ops[..] else { panic!("three operations, not {}", ops.len()) };
    let Some(Request::RequestPut(put)) = &put.request else { panic!("{put:?}") };
    assert_eq!((&put.key[..], &put.value[..]), (&b"a key"[..], &b"a value"[..]));
    assert_eq!((put.prev_kv, put.lease), (true, 255));
    let Some(Request::RequestRange(get)) = &get.request else { panic!("{get:?}") };
    assert_eq!((&get.range_end[..], get.limit), (&b"q"[..], 2));
    let Some(Request::RequestDeleteRange(del)) = &del.request else { panic!("{del:?}") };
    assert_eq!(&del.range_end[..], b"z");
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    assert!(refused("nonsense").contains("line 1 of the transaction: \"nonsense\" is no compar"));
    assert!(refused("size(\"k\") = 1").contains("\"size\" is none of value"));
    assert!(refused("mod(\"k\") = many").contains("\"many\" is not a number"));
    assert!(refused("mod(\"k\") ~ 1").contains("is no comparison"));
    assert!(refused("mod(\"k) = 1").contains("a \" is not closed"));
    assert!(refused("mod(k) = 1 2").contains("is no comparison"));
    assert!(refused("value(k) = \"\\q\"").contains("\\q means nothing"));
    assert!(refused("value(k) = \"\\x4\"").contains("is no byte"));
    assert!(refused("\nmove a b").contains("line 2 of the transaction: \"move a b\": unrec"));
    assert!(refused("\nput a").contains("put needs a key and a value"));
    assert!(refused("\nput a -").contains("put needs a key and a value"));
    assert!(refused("\nget").contains("line 2"));
}
