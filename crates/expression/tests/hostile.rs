//! Expressions that are made to hurt: each ends soon, in little memory, and says why.
use fleet_expression::{Bounds, Checks, Fault, check, evaluate};
use serde_json::json;
use std::time::{Duration, Instant};

/// Unoptimised, on a busy machine.
const LONGEST: Duration = Duration::from_secs(30);

fn attempt(source: &str) -> Result<serde_json::Value, Fault> {
    let inputs = json!({"inputs": {"a": "x".repeat(1_000), "list": [1, 2, 3]}});
    let began = Instant::now();
    let ended = evaluate(source, &inputs, &Bounds::default());
    let took = began.elapsed();
    println!(
        "{took:>10.1?} {}",
        source.chars().take(80).collect::<String>()
    );
    assert!(took < LONGEST, "{source} took {took:?}");
    ended
}

#[test]
fn what_never_ends() {
    for source in [
        "(() => { for (;;); })()",
        "(() => { while (true) { try { throw 1 } catch {} } })()",
        "(() => { for (;;) { try { for (;;); } finally { continue } } })()",
        "(function* () { for (;;) yield 1 })().forEach(x => x)",
        "[...(function* () { for (;;) yield* [] })()]",
        "/(a+)+$/.test('a'.repeat(40) + 'b')",
        "/^(([a-z])+.)+[A-Z]([a-z])+$/.test('a'.repeat(60))",
        "({ toJSON() { for (;;); } })",
        "({ get a() { for (;;); } })",
        "`${{ toString() { for (;;); } }}`",
        "[3, 2, 1].sort(() => { for (;;); })",
        "(() => { const m = new Map([[1, 1]]); m.forEach((v, k) => { m.delete(k); m.set(k + 1, 1) }) })()",
    ] {
        assert_eq!(attempt(source), Err(Fault::TooLong), "{source}");
    }
}

#[test]
fn what_wants_all_memory() {
    for source in [
        "'x'.repeat(1e9)",
        "'x'.padEnd(1e9)",
        "(() => { let s = 'x'; for (;;) s += s; })()",
        "(() => { const a = []; for (;;) a.push(a.slice()); })()",
        "(() => { let o = {}; for (;;) o = { o, p: new Array(1000).fill(o) }; })()",
        "new Array(1e7).fill(0)",
        "Array.from({ length: 1e9 })",
        "[...Array(1e8)]",
        "JSON.stringify(Array(1e8))",
        "new Map(Array.from({ length: 1e6 }, (_, i) => [i, i]))",
        "'a'.repeat(1e6).split('').map(x => x.repeat(100))",
        "'a'.repeat(1e6).replace(/a/g, '$&'.repeat(1e6))",
    ] {
        let ended = attempt(source);
        assert!(
            matches!(
                ended,
                Err(Fault::TooMuchMemory | Fault::Threw { .. } | Fault::TooLong)
            ),
            "{source}: {ended:?}"
        );
    }
}

#[test]
fn what_goes_too_deep() {
    for source in [
        "(function f() { return f() })()",
        "(() => { const o = {}; o.toJSON = () => [o]; return o })()",
        "(() => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return JSON.stringify(a) })()",
        "(() => { let a = []; for (let i = 0; i < 1000; i++) a = [a]; return a })()",
        "JSON.parse('['.repeat(1e5))",
        "new RegExp('('.repeat(1e5))",
        "(() => { const f = () => `${{ toString: f }}`; return f() })()",
    ] {
        assert!(attempt(source).is_err(), "{source}");
    }
    for source in [
        "(".repeat(30_000),
        "[".repeat(30_000),
        "!".repeat(60_000) + "1",
        "a=>".repeat(20_000) + "1",
        "{".repeat(30_000),
        "`${".repeat(20_000),
    ] {
        let _ = check(&source);
        let _ = attempt(&source);
    }
}

#[test]
fn lists_of_holes() {
    for source in [
        "Array(4294967295).indexOf(1)",
        "Array(4294967295).forEach(x => x)",
        "Array(4294967295).join('')",
        "`${Array(4294967295)}`",
        "Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)",
        "[].concat(Array(4294967295)).includes(3)",
        "(() => { const a = []; a.length = 4e9; a.reverse(); return 1 })()",
        "String.prototype.indexOf.call({ toString: () => 'a' }, 'a')",
    ] {
        let ended = attempt(source);
        assert!(
            matches!(ended, Err(Fault::Threw { .. })),
            "{source}: {ended:?}"
        );
    }
}

#[test]
fn ways_out() {
    for source in [
        "[].constructor.constructor('return 1')()",
        "(() => {}).constructor('return 1')()",
        "(async () => {}).constructor('return 1')()",
        "(function* () {}).constructor('return 1')().next()",
        "Object.getPrototypeOf(async function* () {}).constructor('return 1')()",
        "eval('1')",
        "(0, globalThis.eval)('1')",
        "new Function('return 1')()",
        "import('fs')",
        "BigInt(2)",
    ] {
        let ended = attempt(source);
        // A promise that nobody waits for is an empty object.
        let is_harmless = ended == Ok(json!({})) && source.starts_with("import");
        assert!(ended.is_err() || is_harmless, "{source}: {ended:?}");
    }
    for source in [
        "({}).__proto__.polluted = 1",
        "Object.prototype.toJSON = () => 'mine'",
        "JSON.stringify = () => '\"mine\"'",
        "globalThis.JSON = null",
        "Object.defineProperty(Array.prototype, '0', { get() { return 'mine' } }) && [1]",
        "String.prototype.toJSON = function () { return 'mine' }",
        "(function () { return typeof this })()",
        "Error.prepareStackTrace = () => { for (;;); }",
    ] {
        let _ = attempt(source);
    }
    assert_eq!(
        attempt("({}).polluted === undefined && [1]"),
        Ok(json!([1]))
    );
    assert_eq!(
        attempt("(async () => { for (;;) await 1 })() && 1"),
        Ok(json!(1))
    );
}

/// Every step is dear: late, and not never.
#[test]
fn dear_steps() {
    for source in [
        "(() => { const s = 'x'.repeat(9e5); for (;;) s.indexOf('y'); })()",
        "(() => { const s = 'x'.repeat(9e5); for (;;) { try { s.indexOf('y') } catch {} } })()",
        "(() => { const a = Array(200000).fill(0); for (;;) a.indexOf(1); })()",
    ] {
        assert_eq!(attempt(source), Err(Fault::TooLong), "{source}");
    }
}

#[test]
fn it_takes_no_time_to_begin() {
    let began = Instant::now();
    for _ in 0..100 {
        evaluate("1 + 1", &json!({}), &Bounds::default()).unwrap();
    }
    println!("{:?} for each evaluation", began.elapsed() / 100);
}

#[test]
fn many_checks_in_one_world() {
    let mut checks = Checks::default();
    let began = Instant::now();
    for number in 0..2_500 {
        assert_eq!(
            checks.check(&format!("inputs.a{number} > {number}")),
            Ok(())
        );
        if number % 500 == 0 {
            // Gets out of its brackets, and is run: the next ones do not notice.
            let out = "1\n); })()); for (;;) ; (() => { return ((() => { return (1";
            assert!(checks.check(out).is_err());
            assert!(checks.check("1 +").is_err());
        }
    }
    println!("{:?} for each check", began.elapsed() / 2_500);
}
