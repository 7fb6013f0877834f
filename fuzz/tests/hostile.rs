//! A megabyte made to hurt: no decoder takes long for it, or much memory.
use fleet_fuzz::TARGETS;
use nix::sys::resource::{Resource, setrlimit};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

const SIZE: usize = 1 << 20;
/// A file for `fleet apply` is its reader's own; every mistake in it is looked for, one after the other.
const MANIFEST_SIZE: usize = 1 << 11;
/// Address space of the whole test; its threads and libraries take a part of it.
const MEMORY: u64 = 2 << 30;
/// As a program's first thread has it.
const STACK: usize = 8 << 20;
/// Of the processor's time, which other programs do not lengthen. Without optimisation everything takes many times as long.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });

/// A piece, again and again.
fn again(size: usize, begin: &str, piece: &str, end: &str) -> Vec<u8> {
    let count = size / piece.len();
    format!("{begin}{}{end}", piece.repeat(count)).into_bytes()
}

fn hostile(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let keys = (0..size / 12).map(|key| format!("\"{key:08}\":0,"));
    let numbers = (0..size / 4).map(|number| format!("a{number}: 0\n"));
    vec![
        ("deep arrays", again(size, "", "[", "")),
        ("deep objects", again(size, "", "{\"a\":", "")),
        (
            "deep parameters",
            again(size, "{\"action\":\"x\",\"parameters\":{\"a\":", "[", ""),
        ),
        ("a long string", again(size, "{\"id\":\"", "x", "\"}")),
        ("escapes", again(size, "\"", "\\u00e4", "\"")),
        ("a long number", again(size, "", "9", "")),
        ("many numbers", again(size, "[", "1,", "1]")),
        (
            "many keys",
            format!("{{{}\"a\":0}}", keys.collect::<String>()).into_bytes(),
        ),
        ("the same key", again(size, "{", "\"id\":0,", "\"id\":0}")),
        (
            "many resources",
            again(
                size,
                "{\"action\":\"x\",\"resources\":[",
                "{\"path\":\"a\",\"mode\":\"shared\"},",
                "]}",
            ),
        ),
        ("a long path", again(size, "", "a/", "a")),
        ("stars", again(size, "", "*", "")),
        ("a long query", again(size, "", "labels=a%3Db&", "")),
        ("a long cursor", again(size, "c1.", "61", "")),
        ("zeros", vec![0; size]),
        ("ones", vec![0xff; size]),
        ("empty pings", b"\x89\x80\0\0\0\0".repeat(size / 6)),
        ("parts of a message", b"\x00\x81\0\0\0\0x".repeat(size / 7)),
        (
            "a frame that says it is large",
            b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(),
        ),
        (
            "a zstd frame that says it is large",
            b"\x28\xb5\x2f\xfd\xe0\0\0\0\x3f\0\0\0\0\x01\0\0".to_vec(),
        ),
        ("deep yaml", again(size, "", "- ", "a")),
        ("flow yaml", again(size, "agents: ", "[", "")),
        ("anchors", again(size, "a: &a [x]\n", "b: [*a,*a]\n", "")),
        ("many lines", numbers.collect::<String>().into_bytes()),
        (
            "many mistakes",
            again(size, "agents:\n", "  - {id: a//b, colour: red}\n", ""),
        ),
    ]
}

fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

#[test]
fn a_megabyte_made_to_hurt() {
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).unwrap();
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(try_all).unwrap().join().unwrap();
}

fn try_all() {
    let mut worst = (Duration::ZERO, String::new());
    for target in TARGETS {
        let size = match target.name {
            "manifest" => MANIFEST_SIZE,
            _ => SIZE,
        };
        for (what, data) in &hostile(size) {
            // Before: an overflow of the stack leaves no message behind.
            println!("{}: {what}", target.name);
            let began = spent();
            (target.run)(data);
            let took = spent() - began;
            assert!(took < LONGEST, "{}: {what} took {took:?}", target.name);
            worst = worst.max((took, format!("{}: {what}", target.name)));
        }
    }
    println!("the worst: {worst:?}");
}
