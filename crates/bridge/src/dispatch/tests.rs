use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use datom::{Datom, Keyword, Tag, Value, Word};
use eve::ring::{Heap, Layout, Ring};
use proptest::prelude::*;
use shibi::{Expiry, Grant, Keypair, Proof, ProofError, Token, Trust};

use super::{Bridge, Unmatched};
use crate::audit::{self, Audit, Record, Unaudited};
use crate::{
    Call, Deny, Dock, Failure, Layer, Next, Operation, Payloads, Port, Refusal, SendError, Shelf,
};

const ECHO: u64 = 4096;
const BROKEN: u64 = 4097;
const ABSENT: u64 = 5000;

fn key(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

fn token(name: &str) -> Token {
    Token::mint(&key(1), key(1).public(), &Grant::new(name, Expiry::Never)).unwrap()
}

fn trust() -> Trust {
    Trust::in_roots([*key(1).public()])
}

fn echo(call: &Call<'_>) -> Result<Value, Failure> {
    Ok(call.args.clone())
}

fn broken(_: &Call<'_>) -> Result<Value, Failure> {
    panic!("on purpose")
}

/// A bridge with an echo and a handler that panics, and everything between it and a program.
struct World {
    bridge: Bridge,
    port: Port<Heap>,
    dock: Dock<Heap>,
    shelf: Arc<Shelf>,
    reports: Arc<Mutex<Vec<Value>>>,
}

fn world() -> World {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = reports.clone();
    let audit = move |record: &Record<'_>| sink.lock().unwrap().extend(record.transaction());
    let mut bridge = Bridge::new(trust(), *key(1).public(), audit);
    bridge.install(Operation::new(ECHO, "test/echo"), echo, &token("test/echo"), &key(1)).unwrap();
    bridge
        .install(Operation::new(BROKEN, "test/broken"), broken, &token("test/broken"), &key(1))
        .unwrap();
    let shelf = Shelf::shared();
    let (port, dock) = crate::link(8, shelf.clone()).unwrap();
    World { bridge, port, dock, shelf, reports }
}

impl World {
    fn ask(&mut self, operation: u64, args: &Value) -> Result<Value, Failure> {
        let id = self.port.send(operation, args).unwrap();
        assert_eq!(self.bridge.serve(&mut self.dock).unwrap(), 1);
        let response = self.port.poll().unwrap().unwrap();
        assert_eq!(response.id, id);
        assert_eq!(self.port.poll().unwrap(), None, "one response a request");
        response.result
    }

    fn outcomes(&self) -> Vec<String> {
        let outcome = |report: &Value| report.get("bridge/outcome").unwrap().to_string();
        self.reports.lock().unwrap().iter().map(outcome).collect()
    }
}

#[test]
fn a_request_is_performed_and_answered_once() {
    let mut world = world();
    for args in ["42", "nil", "\"a text that needs a payload\"", "{:a [1 2 #{3}]}"] {
        let args = datom::edn::read(args).unwrap();
        assert_eq!(world.ask(ECHO, &args), Ok(args));
    }
    assert!(world.shelf.is_empty());
    assert_eq!(world.outcomes(), [":bridge.outcome/ok"; 4]);
}

#[test]
fn responses_carry_the_id_basis_and_metadata_of_their_requests() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let mut world = world();
    let look = move |call: &Call<'_>| {
        sink.lock().unwrap().push((call.id, call.t, call.operation.clone()));
        Ok(Value::Nil)
    };
    world
        .bridge
        .install(Operation::new(1, "test/look"), look, &token("test/look"), &key(1))
        .unwrap();
    world.port.note(17, 99);
    let id = world.port.send(1, &Value::Nil).unwrap();
    world.bridge.serve(&mut world.dock).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(id, 17, "test/look".into())]);
}

#[test]
fn a_handler_that_panics_fails_its_call_alone() {
    let mut world = world();
    for _ in 0..2 {
        let failure = world.ask(BROKEN, &Value::Nil).unwrap_err();
        assert_eq!(failure.kind.as_str(), "bridge/handler-panic");
        assert!(failure.message.contains("on purpose"), "{failure}");
    }
    assert_eq!(world.ask(ECHO, &Value::Int(1)), Ok(Value::Int(1)));
}

#[test]
fn what_nobody_handles_is_answered_by_policy() {
    let cases = [(Unmatched::Ignore, 0), (Unmatched::Log, 1), (Unmatched::Error, 1)];
    for (policy, reports) in cases {
        let mut world = world();
        world.bridge = world.bridge.with_unmatched(policy);
        let answer = world.ask(ABSENT, &Value::text("a payload, to be given back"));
        match policy {
            Unmatched::Error => assert_eq!(answer.unwrap_err().kind.as_str(), "bridge/no-handler"),
            _ => assert_eq!(answer, Ok(Value::Nil)),
        }
        assert_eq!(world.outcomes().len(), reports, "{policy:?}");
        assert!(world.shelf.is_empty());
    }
}

#[test]
fn a_declared_operation_without_a_handler_is_named() {
    let mut world = world();
    world.bridge.declare(Operation::new(ABSENT, "fs/read"));
    let failure = world.ask(ABSENT, &Value::Nil).unwrap_err();
    assert!(failure.message.contains(":fs/read"), "{failure}");
    let reports = world.reports.lock().unwrap();
    assert_eq!(reports[0].get("bridge/op"), Some(&Value::keyword("fs/read")));
    assert_eq!(reports[0].get("bridge/token"), None);
}

#[test]
fn registration_takes_a_token_for_exactly_the_operation() {
    let mut bridge = Bridge::new(trust(), *key(1).public(), Unaudited);
    let mut install = |token: &Token| {
        bridge.install(Operation::new(ECHO, "test/echo"), echo, token, &key(1)).unwrap_err()
    };
    assert!(matches!(install(&token("test/other")), Refusal::OtherOperation { .. }));
    assert!(matches!(install(&token("test/ech")), Refusal::OtherOperation { .. }));
    let wide = Grant::new("test/echo", Expiry::Never).and("test/other");
    let wide = Token::mint(&key(1), key(1).public(), &wide).unwrap();
    assert!(matches!(install(&wide), Refusal::TooWide { count: 2, .. }));
    let past = Grant::new("test/echo", Expiry::At(1));
    let past = Token::mint(&key(1), key(1).public(), &past).unwrap();
    assert!(matches!(
        install(&past),
        Refusal::Token { source: shibi::Refused::Expired { .. }, .. }
    ));
    let stranger =
        Token::mint(&key(9), key(1).public(), &Grant::new("test/echo", Expiry::Never)).unwrap();
    assert!(matches!(
        install(&stranger),
        Refusal::Token { source: shibi::Refused::UnknownRoot { .. }, .. }
    ));
    assert_eq!(bridge.operations().count(), 0);
}

#[test]
fn a_token_without_its_holders_proof_installs_nothing() {
    let mut bridge = Bridge::new(trust(), *key(1).public(), Unaudited);
    let operation = || Operation::new(ECHO, "test/echo");
    let name = operation().name;
    let grant = Grant::new("test/echo", Expiry::Never);
    let token = Token::mint(&key(1), key(2).public(), &grant).unwrap();

    let refused = bridge.install(operation(), echo, &token, &key(3)).unwrap_err();
    assert!(matches!(refused, Refusal::Proof { source: ProofError::NotHolder { .. }, .. }));

    bridge.demand(&name).unwrap();
    let made_up = Proof::from_bytes([7; 64]);
    let refused = bridge.register(operation(), echo, &token, &made_up).unwrap_err();
    assert!(matches!(refused, Refusal::Proof { source: ProofError::Mismatch, .. }));

    let demand = bridge.demand(&name).unwrap();
    let proof = token.prove(&key(2), &demand).unwrap();
    bridge.register(operation(), echo, &token, &proof).unwrap();
    assert!(bridge.unregister(ECHO));

    // The same proof again: its demand is used up.
    let refused = bridge.register(operation(), echo, &token, &proof).unwrap_err();
    assert!(matches!(refused, Refusal::NoDemand { .. }));
}

#[test]
fn an_operation_has_one_handler_at_a_time() {
    let mut world = world();
    let again =
        world.bridge.install(Operation::new(ECHO, "test/echo"), echo, &token("test/echo"), &key(1));
    assert!(matches!(again, Err(Refusal::Taken { .. })));
    assert!(world.bridge.unregister(ECHO) && !world.bridge.unregister(ECHO));
    assert_eq!(world.ask(ECHO, &Value::Nil).unwrap_err().kind.as_str(), "bridge/no-handler");
}

#[test]
fn a_token_that_expires_takes_its_handler_with_it() {
    static NOW: AtomicI64 = AtomicI64::new(10);
    let mut world = world();
    world.bridge = Bridge::new(trust(), *key(1).public(), Unaudited)
        .with_clock(|| NOW.load(Ordering::Relaxed));
    let grant = Grant::new("test/echo", Expiry::At(20));
    let token = Token::mint(&key(1), key(1).public(), &grant).unwrap();
    world.bridge.install(Operation::new(ECHO, "test/echo"), echo, &token, &key(1)).unwrap();
    NOW.store(19, Ordering::Relaxed);
    assert_eq!(world.ask(ECHO, &Value::Int(1)), Ok(Value::Int(1)));
    NOW.store(20, Ordering::Relaxed);
    assert_eq!(world.ask(ECHO, &Value::Int(1)).unwrap_err().kind.as_str(), "bridge/expired");
}

#[test]
fn revoking_a_block_uninstalls_what_grew_from_it_and_nothing_else() {
    let mut world = world();
    let parent =
        Token::mint(&key(1), key(2).public(), &Grant::new("test/grown", Expiry::Never)).unwrap();
    let grown = parent.attenuate(&key(2), key(3).public(), parent.grant()).unwrap();
    world.bridge.install(Operation::new(7, "test/grown"), echo, &grown, &key(3)).unwrap();
    assert_eq!(world.ask(7, &Value::Int(1)), Ok(Value::Int(1)));
    assert_eq!(world.bridge.revoke(parent.id()), 1);
    assert_eq!(world.ask(7, &Value::Int(1)).unwrap_err().kind.as_str(), "bridge/no-handler");
    assert_eq!(world.ask(ECHO, &Value::Int(1)), Ok(Value::Int(1)));
    let again = world.bridge.install(Operation::new(7, "test/grown"), echo, &grown, &key(3));
    assert!(matches!(again, Err(Refusal::Token { source: shibi::Refused::Revoked { .. }, .. })));
}

#[test]
fn a_denied_operation_fails_and_is_not_performed() {
    let mut world = world();
    world.bridge.layer(Deny::new([Keyword::from("test/echo")]));
    assert_eq!(world.ask(ECHO, &Value::Int(1)).unwrap_err().kind.as_str(), "bridge/denied");
    let reports = world.reports.lock().unwrap();
    assert_eq!(reports[0].get("bridge/outcome"), Some(&Value::keyword("bridge/denied")));
    assert_eq!(reports[0].get("bridge/performed"), Some(&Value::Bool(false)));
}

/// Writes its name on the way in, and adds one to integers on the way out.
struct Trace(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Layer for Trace {
    fn call(&mut self, call: &Call<'_>, next: Next<'_>) -> Result<Value, Failure> {
        self.1.lock().unwrap().push(self.0);
        match next.call(call)? {
            Value::Int(n) => Ok(Value::Int(n + 1)),
            other => Ok(other),
        }
    }
}

#[test]
fn layers_wrap_in_the_order_they_were_added_and_only_what_is_permitted() {
    let trace = Arc::new(Mutex::new(Vec::new()));
    let mut world = world();
    world.bridge.layer(Trace("outer", trace.clone()));
    world.bridge.layer(Trace("inner", trace.clone()));
    assert_eq!(world.ask(ECHO, &Value::Int(1)), Ok(Value::Int(3)));
    assert_eq!(*trace.lock().unwrap(), ["outer", "inner"]);
    world.ask(ABSENT, &Value::Int(1)).unwrap_err();
    assert_eq!(trace.lock().unwrap().len(), 2, "no layer answers what no token permits");
}

/// Cannot record anything.
struct FullDisk;

impl Audit for FullDisk {
    fn before(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        assert_eq!(record.outcome().as_str(), "bridge.outcome/pending");
        Err(Failure::new("audit/full", "no room for the record"))
    }

    fn after(&mut self, _: &Record<'_>) {}
}

#[test]
fn what_cannot_be_recorded_is_not_done() {
    let done = Arc::new(AtomicI64::new(0));
    let counter = done.clone();
    let mut world = world();
    world.bridge = Bridge::new(trust(), *key(1).public(), FullDisk);
    let count = move |_: &Call<'_>| Ok(Value::Int(counter.fetch_add(1, Ordering::Relaxed)));
    world
        .bridge
        .install(Operation::new(ECHO, "test/echo"), count, &token("test/echo"), &key(1))
        .unwrap();
    assert_eq!(world.ask(ECHO, &Value::Nil).unwrap_err().kind.as_str(), "audit/full");
    assert_eq!(done.load(Ordering::Relaxed), 0);
}

#[test]
fn every_attribute_of_a_report_is_in_the_schema() {
    let mut world = world();
    let _ = world.ask(ECHO, &Value::Int(1));
    let _ = world.ask(BROKEN, &Value::Int(1));
    let _ = world.ask(ABSENT, &Value::Int(1));
    let known: Vec<Value> =
        audit::schema().iter().filter_map(|a| a.get("db/ident").cloned()).collect();
    let mut seen = std::collections::BTreeSet::new();
    for report in world.reports.lock().unwrap().iter() {
        seen.extend(
            report.as_map().unwrap().keys().filter(|k| **k != Value::keyword("db/id")).cloned(),
        );
    }
    assert!(seen.iter().all(|attribute| known.contains(attribute)));
    assert_eq!(seen.len(), known.len(), "and every attribute of the schema is used");
}

#[test]
fn a_report_names_the_token_and_the_digest_of_the_argument() {
    let mut world = world();
    world.ask(ECHO, &Value::text("a longer argument")).unwrap();
    let report = world.reports.lock().unwrap()[0].clone();
    let mut bytes = Vec::new();
    datom::portable::encode(&Value::text("a longer argument"), &mut bytes);
    let digest = *blake3::hash(&bytes).as_bytes();
    assert_eq!(report.get("bridge/args-digest"), Some(&Value::Hash(digest)));
    let (_, token) = world.bridge.operations().next().unwrap();
    assert_eq!(report.get("bridge/token"), Some(&token.to_value()));
}

#[test]
fn a_port_has_no_more_under_way_than_responses_find_room() {
    let mut world = world();
    let ids: Vec<u64> = (0..8).map(|n| world.port.send(ECHO, &Value::Int(n)).unwrap()).collect();
    assert!(matches!(world.port.send(ECHO, &Value::Nil), Err(SendError::Full { capacity: 8 })));
    assert_eq!(world.bridge.serve(&mut world.dock).unwrap(), 8);
    // Served, but not yet taken: still no room.
    assert!(matches!(world.port.send(ECHO, &Value::Nil), Err(SendError::Full { .. })));
    for (n, id) in ids.iter().enumerate() {
        let response = world.port.poll().unwrap().unwrap();
        assert_eq!((response.id, response.result), (*id, Ok(Value::Int(n as i64))));
    }
    assert_eq!(world.port.under_way(), 0);
    assert!(world.port.send(ECHO, &Value::Nil).is_ok());
}

#[test]
fn a_result_without_room_becomes_a_failure() {
    let mut world = world();
    let large =
        |_: &Call<'_>| Ok(Value::Bytes(vec![0; crate::protocol::PAYLOAD_BYTES_MAX + 1].into()));
    world
        .bridge
        .install(Operation::new(9, "test/large"), large, &token("test/large"), &key(1))
        .unwrap();
    let failure = world.ask(9, &Value::Nil).unwrap_err();
    assert_eq!(failure.kind.as_str(), "bridge/too-large");

    // No room at all, not even for the failure.
    let filler: Vec<u64> = (0..4).map(|_| world.shelf.put(&vec![0; 64 << 20]).unwrap()).collect();
    let failure = world.ask(BROKEN, &Value::Nil).unwrap_err();
    assert_eq!(failure.kind.as_str(), "bridge/overloaded");
    for granule in filler {
        world.shelf.take(granule, usize::MAX).unwrap();
    }
    assert!(world.shelf.is_empty());
}

#[test]
fn a_closed_port_ends_serving_and_a_closed_dock_polling() {
    let World { mut bridge, port, mut dock, .. } = world();
    port.close();
    assert!(bridge.serve(&mut dock).is_err());
    let World { mut port, dock, .. } = world();
    dock.close();
    assert!(port.poll().is_err() && port.send(ECHO, &Value::Nil).is_err());
}

/// Both sides of two rings, without a port or a dock in the way.
struct Bare {
    requests: Ring<Heap>,
    responses: Ring<Heap>,
    shelf: Arc<Shelf>,
}

fn bare() -> Bare {
    let ring = || Ring::heap(Layout::Sequenced, 8).unwrap();
    Bare { requests: ring(), responses: ring(), shelf: Shelf::shared() }
}

#[test]
fn responses_nobody_waits_for_are_dropped_and_counted() {
    let bare = bare();
    let mut port = Port::attach(&bare.requests, &bare.responses, bare.shelf.clone()).unwrap();
    let mut bridge_side = bare.responses.producer().unwrap();
    let id = port.send(ECHO, &Value::Nil).unwrap();
    let granule = bare.shelf.put(&[0x0b, 0x00]).unwrap();
    let payload = Word::new(Tag::Text, granule);
    let mut respond = |id, v| {
        let response = Datom { e: id, a: crate::protocol::RESULT, v, t: 0, m: 1 };
        assert!(bridge_side.try_push(response.to_words()).unwrap());
    };
    respond(id + 8, payload); // another generation of the slot
    respond(id + 1, Word::NIL); // never issued
    respond(id, Word::TRUE);
    respond(id, Word::FALSE); // twice
    assert_eq!(port.poll().unwrap().unwrap().result, Ok(Value::Bool(true)));
    assert_eq!(port.poll().unwrap(), None);
    assert_eq!(port.strays(), 3);
    assert!(bare.shelf.is_empty(), "the payload of a stray goes back");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever five words a ring delivers, there is one response to each and the bridge goes on.
    #[test]
    fn no_request_ends_the_bridge(
        requests in prop::collection::vec((any::<u64>(), 4095u64..4099, any::<u64>(), any::<u64>(), any::<u64>()), 1..8)
    ) {
        let bare = bare();
        let mut dock = Dock::attach(&bare.requests, &bare.responses, bare.shelf.clone()).unwrap();
        let mut bridge = world().bridge;
        let mut program = bare.requests.producer().unwrap();
        let mut answers = bare.responses.consumer().unwrap();
        for (e, a, v, t, m) in &requests {
            prop_assert!(program.try_push([*e, *a, *v, *t, *m]).unwrap());
        }
        prop_assert_eq!(bridge.serve(&mut dock).unwrap(), requests.len());
        for (e, _, _, t, m) in requests {
            let response = Datom::from_words(answers.try_pop().unwrap().unwrap());
            prop_assert_eq!((response.e, response.t, response.m), (e, t, m));
            prop_assert!([crate::protocol::RESULT, crate::protocol::ERROR].contains(&response.a));
            let _ = crate::protocol::to_value(response.v, &*bare.shelf);
        }
        prop_assert_eq!(answers.try_pop().unwrap(), None);
        prop_assert!(bare.shelf.is_empty());
    }
}

/// Rings and payloads in one region that two handles map, as two processes would.
#[test]
fn program_and_bridge_share_a_region() {
    use eve::{Region, Slab, ring};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.eve");
    let here = Slab::create(Region::create(&path, &eve::Options::default()).unwrap()).unwrap();
    let there = Slab::open(Region::open(&path).unwrap()).unwrap();

    let bytes = ring::bytes(Layout::Sequenced, 8).unwrap() as usize;
    let words = [here.share(bytes).unwrap(), here.share(bytes).unwrap()];
    let rings = words.clone().map(|words| Ring::create(words, Layout::Sequenced, 8).unwrap());
    let mut port = Port::attach(&rings[0], &rings[1], Arc::new(here.clone())).unwrap();
    let seen = words.map(|words| Ring::open(there.shared(words.addr()).unwrap()).unwrap());
    let mut dock = Dock::attach(&seen[0], &seen[1], Arc::new(there.clone())).unwrap();

    let mut bridge = world().bridge;
    let args = datom::edn::read("{:text \"more than a word holds\" :list [1 2 3]}").unwrap();
    for _ in 0..20 {
        port.send(ECHO, &args).unwrap();
        assert_eq!(bridge.serve(&mut dock).unwrap(), 1);
        assert_eq!(port.poll().unwrap().unwrap().result, Ok(args.clone()));
    }
    let payload = crate::protocol::to_word(&args, &here).unwrap();
    assert_eq!(crate::protocol::to_value(payload, &there).unwrap(), args);
    assert!(crate::protocol::to_value(payload, &there).is_err(), "a block is taken once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The root of the region, blocks of versions, free room: nothing but a payload is one.
    #[test]
    fn no_granule_of_a_region_is_mistaken_for_a_payload(granule in prop_oneof![0u64..1 << 16, 0..Word::PAYLOAD_LIMIT]) {
        use eve::{Region, Slab, Write};
        let slab = Slab::create(Region::heap(1 << 20).unwrap()).unwrap();
        let (_, block) = slab.swap(|txn| {
            let block = txn.alloc(64)?;
            Ok::<_, eve::Error>((block, block))
        }).unwrap();
        let failed = |granule| {
            let word = Word::new(Tag::Bytes, granule);
            crate::protocol::to_value(word, &slab).unwrap_err().kind.as_str() == "bridge/bad-request"
        };
        prop_assert!(failed(granule) && failed(block.granule()));
    }
}

#[test]
fn a_hostile_program_that_takes_no_response_only_stops_itself() {
    let bare = bare();
    let mut dock = Dock::attach(&bare.requests, &bare.responses, bare.shelf.clone()).unwrap();
    let mut bridge = world().bridge;
    let mut program = bare.requests.producer().unwrap();
    let request = Datom::assert(1, ECHO, Word::NIL, 0).to_words();
    let mut sent = 0;
    for _ in 0..4 {
        while program.try_push(request).unwrap() {
            sent += 1;
        }
        bridge.serve(&mut dock).unwrap();
    }
    assert_eq!(sent, 16, "eight were served and eight wait");
    assert_eq!(bridge.serve(&mut dock).unwrap(), 0);
}

#[test]
fn program_and_bridge_on_two_threads() {
    let World { mut bridge, mut port, mut dock, shelf, .. } = world();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while dock.wait(None).is_ok() {
                if bridge.serve(&mut dock).is_err() {
                    break;
                }
            }
        });
        let mut got = 0;
        let mut sent = 0;
        while got < 1000 {
            while sent < 1000 && port.under_way() < 8 {
                port.send(ECHO, &Value::Vector(vec![Value::Int(sent)])).unwrap();
                sent += 1;
            }
            port.wait(None).unwrap();
            while let Some(response) = port.poll().unwrap() {
                assert_eq!(response.result, Ok(Value::Vector(vec![Value::Int(got)])));
                got += 1;
            }
        }
        port.close();
    });
    assert!(shelf.is_empty());
}
