//! The format of the corpus: what it says, what may be passed over, what is refused.

use sim::check::corpus::{judge, parse};
use sim::check::register::{RegisterCall, RegisterResponse};
use sim::check::wgl::{Interval, Outcome};

fn parsed(text: &str) -> Vec<Interval<RegisterCall, RegisterResponse>> {
    parse(text).unwrap()
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().in_file("x.log").to_string()
}

fn returned(at: u64, response: RegisterResponse) -> Outcome<RegisterResponse> {
    Outcome::Returned { at, response }
}

#[test]
fn parser_reads_calls_and_results() {
    let log = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n\
               INFO  jepsen.util - 13  :invoke :cas    [-3 4]\n\
               INFO  jepsen.util - 0\t:ok\t:read\t-3\n\
               INFO  jepsen.util - 13  :fail   :cas    [-3 4]\n\
               INFO  jepsen.util - 0\t:invoke\t:write\t5\n\
               INFO  jepsen.util - 0\t:ok\t:write\t5\n";
    let interval = |client, invoked, call, outcome| Interval { client, invoked, call, outcome };
    let cas = RegisterCall::Cas { expected: Some(-3), new: 4 };
    let value = RegisterResponse::Value(Some(-3));
    assert_eq!(
        parsed(log),
        [
            interval(0, 1, RegisterCall::Read, returned(3, value)),
            interval(13, 2, cas, returned(4, RegisterResponse::Unequal)),
            interval(0, 5, RegisterCall::Write(5), returned(6, RegisterResponse::Written)),
        ]
    );
}

#[test]
fn parser_passes_over_noise() {
    let plain = parsed("0 :invoke :write 1\n0 :ok :write 1\n");
    let noisy = "\u{feff}0 :invoke :write 1   :why-not\r\n0 :ok :write 1 ; done\r\n\r\n  \n\
                 # c\n; c\n// c\n\
                 INFO  jepsen.core - Everything looks good\n\
                 WARN  jepsen.client - 3 retries\n\
                 INFO [2018-03-21 16:38:16,112] nemesis - jepsen.util :nemesis\t:info\t:start\n";
    assert_eq!(parsed(noisy), plain);
    let newer = "INFO [2018-03-21 16:38:16,112] worker 0 - jepsen.util 0\t:invoke\t:write\t1\n\
                 INFO [2018-03-21 16:38:17,004] worker 0 - jepsen.util 0\t:ok\t:write\t1";
    assert_eq!(parsed(newer), plain);
    assert_eq!(parsed(""), []);
    assert_eq!(parsed("# nothing\n\n"), []);
}

#[test]
fn parser_takes_a_lost_result_for_unknown() {
    for result in [
        "1 :info :write :timed-out",
        "1 :info :write 4 :timed-out",
        "1 :info :write 4 \"connection reset\"",
        "1 :fail :write :timed-out",
        "1 :fail :write 4 :timed-out",
    ] {
        let history = parsed(&format!("1 :invoke :write 4\n{result}\n1 :invoke :read nil"));
        let unknown: Vec<_> = history.iter().map(|call| call.outcome.clone()).collect();
        assert_eq!(unknown, [Outcome::Unknown, Outcome::Unknown], "{result}");
    }
}

#[test]
fn parser_drops_what_did_not_happen() {
    for (call, result) in [
        (":write 4", ":fail :write 4"),
        (":write 4", ":fail :write :refused"),
        (":cas [1 2]", ":fail :cas :refused"),
        (":read nil", ":fail :read nil"),
    ] {
        assert_eq!(parsed(&format!("1 :invoke {call}\n1 {result}\n")), [], "{result}");
    }
    let timed_out = "1 :invoke :read nil\n1 :fail :read :timed-out\n1 :invoke :write 3\n";
    assert!(parsed(timed_out).iter().all(|call| call.outcome == Outcome::Unknown));
}

#[test]
fn parser_refuses_with_line_and_expectation() {
    const VALUE: &str = "nil, a number, [expected new] or a keyword as the value";
    const REASON: &str =
        "nothing behind the value but a reason (keyword, string, map, list or comment)";
    for (log, expected) in [
        ("\n0 :invoke :write x", VALUE),
        ("0 :invoke :write 1 2", REASON),
        ("0 :invoke :write nil", "a number to write"),
        ("0 :invoke :write [1 2]", "a number to write"),
        ("0 :invoke :read 3", "nil as the value of an invoked read"),
        ("0 :invoke :cas 1", "[expected new] to compare and set"),
        ("0 :invoke :cas [1 2", "`]` behind a pair"),
        ("0 :invoke :cas [1 2 3]", "two values between `[` and `]`"),
        ("0 :invoke :cas [1 nil]", "a number to set"),
        ("0 :invoke :drain", ":read, :write or :cas"),
        ("0 :invoke", ":read, :write or :cas"),
        (":invoke :read nil", "the number of a process before the kind of event"),
        ("0 :ok :read 1", "an :invoke of process 0 before its result"),
        (
            "0 :invoke :read nil\n0 :invoke :read nil",
            "a result of process 0 first, whose call of line 1 is open",
        ),
        ("0 :invoke :read nil\n0 :ok :write 1", "the result of the open read"),
        ("0 :invoke :read nil\n0 :ok :read :gone", "nil or a number that was read"),
        ("0 :invoke :write 1\n0 :ok :write 2", "the value that was invoked"),
    ] {
        let (number, found) = log.lines().enumerate().last().unwrap();
        let error = format!("x.log:{}: expected {expected}, found `{found}`", number + 1);
        assert_eq!(refused(log), error);
    }
}

#[test]
fn parser_refuses_what_may_be_a_damaged_event() {
    for log in [
        "INFO  jepsen.util - 3",
        "INFO  jepsen.util - 3\t:invok\t:write\t4",
        "3 :invok :write 4",
        "}\u{0}garbage",
        "FILE\tlinearizable",
    ] {
        let error = refused(log);
        assert!(error.starts_with("x.log:1: expected an event (process, "), "{error}");
    }
    let no_event = "INFO  jepsen.core - Running\n";
    assert!(refused(no_event).starts_with("x.log:1: expected at least one event in the file"));
}

#[test]
fn parser_and_search_judge_a_log() {
    let word = |log: &str| judge(log).unwrap().word();
    assert_eq!(word(""), "linearizable");
    assert_eq!(word("1 :invoke :read nil\n1 :ok :read nil"), "linearizable");
    assert_eq!(word("1 :invoke :read nil\n1 :ok :read 0"), "not");
    let failed_compare =
        "1 :invoke :write 3\n1 :ok :write 3\n1 :invoke :cas [3 4]\n1 :fail :cas [3 4]";
    assert_eq!(word(failed_compare), "not");
    assert_eq!(word(&failed_compare.replace("cas [3", "cas [2")), "linearizable");
    assert_eq!(
        word(&failed_compare.replace(":fail :cas [3 4]", ":info :cas :timed-out")),
        "linearizable"
    );
}
