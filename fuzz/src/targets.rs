//! One function for each decoder.
use crate::apply::document::{Document, parse_one};
use crate::parts::Parts;
use axum::extract::Query;
use fleet_api::session::wire;
use fleet_api::{cursor, events, http};
use fleet_core::State;
use fleet_journal::{Batch, FleetKey, GENESIS, Row, SealedSnapshot, Snapshot};
use fleet_runtime::recall::Shelf;
use fleet_runtime::recall::place::{InMemory, Place};
use fleet_types::session::{self, ClientFrame, ServerFrame};
use fleet_types::view::Page;
use fleet_types::{
    Envelope, Pattern, PermitId, Record, RequestId, ResourcePath, ScopePath, Seq, action, agent,
    budget, connector, graph, group, halt, limit, plan, policy, rule, scope, settings, tool,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// What it takes comes back the same from its own encoding.
fn same<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(data).ok()?;
    let text = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(again, value, "it changes on its way");
    Some(value)
}

/// What is never written again: nothing may panic.
fn read<T: DeserializeOwned>(data: &[u8]) {
    let _ = serde_json::from_slice::<T>(data);
}

/// As [`same`], of what cannot be compared: what is written twice is the same text.
fn same_text<T: DeserializeOwned + Serialize>(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(data) else {
        return;
    };
    let text = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    let again = serde_json::to_vec(&again).expect("what was read can be written");
    assert_eq!(again, text, "it changes on its way");
}

/// Frames of a client: JSON, and the bytes of WebSocket frames around it.
pub fn session_client(data: &[u8]) {
    same::<ClientFrame>(data);
    let mut decoder = wire::Decoder::new(session::FRAME_BYTES_MAX);
    for part in data.chunks(1 + data.len() / 3) {
        let space = decoder.space();
        let count = part.len().min(space.len());
        space[..count].copy_from_slice(&part[..count]);
        decoder.filled(count);
        while let Ok(Some(_)) = decoder.message() {}
    }
}

/// Frames of a server.
pub fn session_server(data: &[u8]) {
    same::<ServerFrame>(data);
}

/// Bodies of requests over HTTP.
pub fn bodies(data: &[u8]) {
    same::<session::PermitRequest>(data);
    same::<session::FinishBody>(data);
    same::<session::RenewBody>(data);
    same::<session::ExtendBody>(data);
    same::<action::Action>(data);
    same::<agent::Definition>(data);
    same::<budget::Budget>(data);
    same::<group::Group>(data);
    same::<halt::Order>(data);
    same::<limit::Limit>(data);
    same::<rule::Rule>(data);
    same::<policy::Policy>(data);
    same::<policy::Data>(data);
    same::<scope::Scope>(data);
    same::<settings::Settings>(data);
    same_text::<http::agents::StatusBody>(data);
    same::<tool::Tool>(data);
    same::<connector::Connector>(data);
    same::<plan::Plan>(data);
    same::<graph::Edge>(data);
    read::<http::batch::Batch>(data);
    read::<http::plans::PlanBody>(data);
    read::<http::policies::TestBody>(data);
    read::<http::conflicts::ResolveBody>(data);
    read::<http::conflicts::AnswerBody>(data);
    read::<http::conflicts::VoteBody>(data);
    read::<http::transactions::BeginBody>(data);
    read::<http::transactions::EnlistBody>(data);
    read::<http::transactions::HoldBody>(data);
    read::<http::transactions::EndBody>(data);
    read::<http::transactions::ReportBody>(data);
    read::<http::transactions::ResolveBody>(data);
    same_text::<http::budgets::TopUpBody>(data);
    same_text::<http::fleets::FleetBody>(data);
    same_text::<http::fleets::TenantBody>(data);
    same_text::<http::halts::ReleaseBody>(data);
    same_text::<http::instances::AcknowledgeBody>(data);
    same_text::<http::instances::ConnectBody>(data);
    same_text::<http::instances::EpochBody>(data);
    same_text::<http::keys::KeyBody>(data);
    same_text::<http::locks::ValidateBody>(data);
    same_text::<http::rules::ResetBody>(data);
    same_text::<http::rules::RollBackBody>(data);
}

/// Commands as the journal keeps and the doors hand over.
pub fn commands(data: &[u8]) {
    same::<Envelope>(data);
}

/// A name that says itself as it was read.
fn name<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let again = value.to_string().parse::<T>().ok();
        assert_eq!(again.as_ref(), Some(&value), "it changes on its way");
    }
}

/// Query strings, cursors and names in paths.
pub fn queries(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(Some(key)) = cursor::read(Some(text)) {
        let page = Page::<u8> {
            items: Vec::new(),
            next: Some(key),
            seq: Seq(0),
        };
        assert_eq!(cursor::seal(page).next.as_deref(), Some(text));
    }
    name::<PermitId>(text);
    name::<RequestId>(text);
    name::<ResourcePath>(text);
    name::<ScopePath>(text);
    name::<Pattern>(text);
    name::<FleetKey>(text);
    let Ok(uri) = format!("/?{text}").parse() else {
        return;
    };
    // What they hold is checked by its own type; here nothing may panic.
    let _ = Query::<http::PageQuery>::try_from_uri(&uri);
    let _ = Query::<http::agents::AgentsQuery>::try_from_uri(&uri);
    let _ = Query::<http::halts::HaltsQuery>::try_from_uri(&uri);
    let _ = Query::<http::instances::DisconnectQuery>::try_from_uri(&uri);
    let _ = Query::<http::instances::InstancesQuery>::try_from_uri(&uri);
    let _ = Query::<http::instances::SignalsQuery>::try_from_uri(&uri);
    let _ = Query::<http::keys::KeysQuery>::try_from_uri(&uri);
    let _ = Query::<http::locks::LocksQuery>::try_from_uri(&uri);
    let _ = Query::<http::permits::PermitsQuery>::try_from_uri(&uri);
    let _ = Query::<http::permits::WaitQuery>::try_from_uri(&uri);
    let _ = Query::<events::EventsQuery>::try_from_uri(&uri);
}

/// Rows of the journal: as stored bytes of any encoding, as events sealed and opened, and the records in them.
pub fn rows(data: &[u8]) {
    let fleet: FleetKey = "acme/main".parse().expect("a key");
    for encoding in 0..3 {
        let row = Row {
            fleet: fleet.clone(),
            first_seq: 1,
            last_seq: 2,
            epoch: 3,
            at: 4,
            prev_hash: GENESIS,
            hash: GENESIS,
            encoding,
            body: data.to_vec(),
        };
        assert!(row.open().is_err(), "a row without its hash was taken");
    }
    let batch = Batch {
        fleet,
        first_seq: 1,
        last_seq: 1 + data.iter().filter(|byte| **byte == b'{').count() as u64,
        epoch: 3,
        at: 4,
        events: data.to_vec(),
    };
    if let Ok(row) = Row::seal(&batch, &GENESIS) {
        assert_eq!(row.open().expect("it was just sealed"), batch);
    }
    same::<Vec<Record>>(data);
}

/// Snapshots: as stored bytes of any encoding, and the state in them.
pub fn snapshots(data: &[u8]) {
    let snapshot = Snapshot {
        fleet: "acme/main".parse().expect("a key"),
        seq: 1,
        at: 2,
        format: 1,
        body: data.to_vec(),
    };
    let sealed = SealedSnapshot::seal(&snapshot, &GENESIS);
    for encoding in 0..3 {
        let forged = SealedSnapshot {
            encoding,
            body: data.to_vec(),
            hash: GENESIS,
            ..sealed.clone()
        };
        assert!(
            forged.open().is_err(),
            "a snapshot without its hash was taken"
        );
    }
    assert_eq!(sealed.open().expect("it was just sealed"), snapshot);
    if let Ok(state) = State::from_snapshot(data) {
        let body = state.to_snapshot();
        let again = State::from_snapshot(&body).expect("what was written can be read");
        assert!(again.to_snapshot() == body, "it changes on its way");
    }
}

/// Files of stored answers: as they lie on the disk, and made of parts, which no checksum guards from being changed.
pub fn runs(data: &[u8]) {
    run(data, 1);
    if let Some(parts) = Parts::read(data) {
        // Of eight the same one is made, without any of them twice.
        run(&parts.pack(), 8);
    }
}

fn run(file: &[u8], count: u64) {
    let place = InMemory::with_room(usize::MAX);
    for number in 1..=count {
        let written = place.write(number, &mut |out| out.write_all(file));
        written.expect("there is room");
    }
    let fleet: FleetKey = "acme/main".parse().expect("a key");
    let Ok(shelf) = Shelf::open(fleet, Box::new(place)) else {
        return;
    };
    let is_sound = shelf.verify().is_ok();
    let merged = shelf.tidy(&|| false);
    assert!(merged.is_ok() || !is_sound, "{:?}", merged.err());
    if is_sound {
        shelf.verify().expect("what is made of sound runs is sound");
    }
}

/// Modules of policies: what compiles is asked as well, on a stack as the server's.
pub fn modules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let module = match fleet_policy::compile(text) {
        Ok(module) => module,
        // A fault is shown, which is also under test.
        Err(fault) => return drop(fault.to_string()),
    };
    let request = r#"{"request_id":"r","agent":"a","action":"pay","parameters":{"amount":7},"resources":[{"path":"a/b","mode":"shared"}]}"#;
    let request = serde_json::from_str(request).expect("a request");
    let empty = fleet_policy::Document::empty_fleet();
    let agent = fleet_policy::Document::object([("id", empty.clone())]);
    let input = fleet_policy::input(&request, agent, fleet_types::Time(1), false);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(fleet_policy::STACK_BYTES);
        let ask = || drop(module.evaluate(&input, &empty, fleet_policy::Bounds::default()));
        let asked = thread.spawn_scoped(scope, ask).expect("a thread starts");
        asked.join().expect("it never panics");
    });
}

/// Schemas of tools' arguments, and arguments: a line each. What is taken is asked.
pub fn schemas(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let Some(schema) = same::<tool::Schema>(line()) else {
        return;
    };
    let Ok(schema) = fleet_schema::compile(&schema) else {
        return;
    };
    let arguments = serde_json::from_slice(line()).unwrap_or_default();
    let faults = schema.check(&arguments);
    assert!(faults.len() <= tool::FAULTS_MAX, "{faults:?}");
    assert_eq!(schema.check(&arguments), faults, "it is not sure");
}

/// The file of `fleet apply`, which rules and their tests stand in too, and that of one rule.
pub fn manifest(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        // A mistake is shown, which is also under test.
        let _ = Document::parse(text, "fuzz.yaml");
        let _ = parse_one::<rule::Rule>(text, "fuzz.yaml");
    }
}

/// Definitions of workflows, as anybody may hand them in.
pub fn definitions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match fleet_workflow::read(text, &fleet_workflow::Unchecked) {
        Ok(workflow) => {
            assert_eq!(workflow.graph.unsound(), None);
            let canonical = fleet_workflow::version::canonical(&workflow.definition);
            let again = fleet_workflow::read(&canonical, &fleet_workflow::Unchecked);
            assert_eq!(Ok(&workflow), again.as_ref());
            let profiles = fleet_workflow::plan::Profiles::default();
            let plan = fleet_workflow::plan::plan(&workflow.graph, &profiles, &BTreeSet::new());
            assert_eq!(plan.nodes.len(), workflow.graph.nodes.len());
        }
        Err(faults) => {
            assert!(!faults.faults.is_empty());
            for fault in &faults.faults {
                assert!(
                    text.get(fault.range.clone()).is_some(),
                    "{fault} is nowhere"
                );
            }
        }
    }
}

/// Expressions, as anybody may hand them in.
pub fn expressions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let bounds = fleet_expression::Bounds {
        steps: 100_000,
        memory: 4 << 20,
        ..fleet_expression::Bounds::default()
    };
    let inputs =
        serde_json::json!({"inputs": {"a": 1, "list": [1, 2]}, "nodes": {"x": {"outputs": {}}}});
    let checked = fleet_expression::check(text);
    let value = fleet_expression::evaluate(text, &inputs, &bounds);
    if checked.is_ok() {
        let is_flawed = matches!(value, Err(fleet_expression::Fault::Flawed(_)));
        assert!(!is_flawed, "{text:?}: {value:?}");
    }
}
