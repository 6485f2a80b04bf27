use crate::{Call, CallError, Guest, Kind, LoadError, Outcome, TrapKind, Value};

fn load(text: &str) -> Guest {
    Guest::load(text.as_bytes()).unwrap()
}

fn refused(text: &str) -> LoadError {
    Guest::load(text.as_bytes()).unwrap_err()
}

/// A module with one function "f" of this signature and body.
fn function(signature_and_body: &str) -> Guest {
    load(&format!("(module (memory 1) (func (export \"f\") {signature_and_body}))"))
}

fn call(guest: &Guest) -> Result<Outcome, CallError> {
    guest.call(&Call::new("f"))
}

fn trap(body: &str) -> TrapKind {
    match call(&function(body)).unwrap_err() {
        CallError::Trap { kind, .. } => kind,
        other => panic!("{other}"),
    }
}

#[test]
fn every_kind_of_value_crosses_in_order() {
    let guest = function(
        "(param i32 i64 f32 f64) (result f64 f32 i64 i32) \
         (local.get 3) (local.get 2) (local.get 1) (local.get 0)",
    );
    let call = Call::new("f")
        .arg(Value::I32(-1))
        .arg(Value::I64(i64::MIN))
        .arg(Value::F32(1.5))
        .arg(Value::F64(-0.25));
    let back = [Value::F64(-0.25), Value::F32(1.5), Value::I64(i64::MIN), Value::I32(-1)];
    assert_eq!(guest.call(&call).unwrap().results, back);
}

#[test]
fn functions_are_listed_with_their_types() {
    let guest = load(
        "(module (memory (export \"m\") 1) (func (export \"a\") (param i32) (result f64) (f64.const 0)) \
         (func (export \"b\") (param v128)))",
    );
    let functions: Vec<_> = guest.functions().map(|f| (f.name, f.params, f.results)).collect();
    assert_eq!(
        functions,
        [
            ("a".to_owned(), Some(vec![Kind::I32]), Some(vec![Kind::F64])),
            ("b".to_owned(), None, Some(vec![])),
        ]
    );
}

#[test]
fn a_call_that_does_not_fit_is_refused_with_the_reason() {
    let guest = load(
        "(module (memory (export \"m\") 1) (func (export \"f\") (param i32)) (func (export \"g\") (result v128) (v128.const i64x2 0 0)))",
    );
    let error = guest.call(&Call::new("h")).unwrap_err();
    assert_eq!(error.to_string(), "the guest exports no function \"h\"; it exports f, g");
    assert!(matches!(guest.call(&Call::new("m")), Err(CallError::NoFunction { .. })));
    let arity = CallError::Arity { name: "f".into(), wanted: 1, got: 0 };
    assert_eq!(guest.call(&Call::new("f")), Err(arity));
    let kind = CallError::Type { name: "f".into(), index: 0, wanted: Kind::I32, got: Kind::I64 };
    assert_eq!(guest.call(&Call::new("f").arg(Value::I64(1))), Err(kind));
    assert!(matches!(guest.call(&Call::new("g")), Err(CallError::Foreign { .. })));
}

#[test]
fn a_loop_without_end_ends_with_its_fuel() {
    let guest = function("(loop $again (br $again))");
    assert_eq!(
        guest.call(&Call::new("f").fuel(10_000)),
        Err(CallError::OutOfFuel { fuel: 10_000 })
    );
    assert_eq!(guest.call(&Call::new("f").fuel(0)), Err(CallError::OutOfFuel { fuel: 0 }));
}

#[test]
fn fuel_is_counted_alike_every_time() {
    let guest = function(
        "(local $i i32) (loop $again (local.set $i (i32.add (local.get $i) (i32.const 1))) \
         (br_if $again (i32.lt_u (local.get $i) (i32.const 1000))))",
    );
    let used = call(&guest).unwrap().fuel_used;
    assert!(used > 1000, "{used}");
    assert_eq!(guest.call(&Call::new("f").fuel(used)).unwrap().fuel_used, used);
    assert_eq!(guest.call(&Call::new("f").fuel(u64::MAX / 2)).unwrap().fuel_used, used);
    // Fuel is looked at where the loop begins again, eight units apart.
    let fuel = used - 9;
    assert_eq!(guest.call(&Call::new("f").fuel(fuel)), Err(CallError::OutOfFuel { fuel }));
    assert_eq!(load("(module (func (export \"f\")))").call(&Call::new("f")).unwrap().fuel_used, 1);
}

#[test]
fn a_start_function_pays_too() {
    let guest =
        load("(module (func $s (loop $again (br $again))) (start $s) (func (export \"f\")))");
    assert!(matches!(call(&guest), Err(CallError::OutOfFuel { .. })));
    let guest = load("(module (func $s unreachable) (start $s) (func (export \"f\")))");
    assert!(matches!(call(&guest), Err(CallError::Trap { kind: TrapKind::Unreachable, .. })));
}

#[test]
fn traps_say_why() {
    assert_eq!(trap("unreachable"), TrapKind::Unreachable);
    assert_eq!(
        trap("(result i32) (i32.div_s (i32.const 1) (i32.const 0))"),
        TrapKind::DivisionByZero
    );
    assert_eq!(
        trap("(result i32) (i32.div_s (i32.const 0x80000000) (i32.const -1))"),
        TrapKind::Overflow
    );
    assert_eq!(trap("(result i32) (i32.trunc_f64_s (f64.const nan))"), TrapKind::Overflow);
    assert_eq!(trap("(result i32) (i32.load (i32.const 65533))"), TrapKind::MemoryOutOfBounds);
    assert_eq!(trap("(i32.store (i32.const -1) (i32.const 0))"), TrapKind::MemoryOutOfBounds);
    let table = |index| {
        let text = format!(
            "(module (table 1 funcref) (func (export \"f\") (call_indirect (i32.const {index}))))"
        );
        match call(&load(&text)).unwrap_err() {
            CallError::Trap { kind, .. } => kind,
            other => panic!("{other}"),
        }
    };
    assert_eq!((table(0), table(1)), (TrapKind::BadCall, TrapKind::TableOutOfBounds));
}

#[test]
fn calls_that_nest_without_end_exhaust_the_stack_and_nothing_else() {
    let guest = load("(module (func $f (export \"f\") (call $f)))");
    assert!(matches!(call(&guest), Err(CallError::Trap { kind: TrapKind::StackExhausted, .. })));
}

#[test]
fn memory_is_bounded_at_the_beginning_and_when_it_grows() {
    let guest = function("(param i32) (result i32) (memory.grow (local.get 0))");
    let grow = |pages, bytes| {
        let call = Call::new("f").arg(Value::I32(pages)).memory_bytes(bytes);
        guest.call(&call).map(|outcome| outcome.results)
    };
    assert_eq!(grow(1, 2 * 65_536), Ok(vec![Value::I32(1)]));
    assert_eq!(grow(2, 2 * 65_536), Ok(vec![Value::I32(-1)]));
    let error = CallError::Memory { wanted_bytes: 65_536, limit_bytes: 65_535 };
    assert_eq!(grow(0, 65_535), Err(error));
}

#[test]
fn memory_is_fresh_at_every_call() {
    let guest = function(
        "(result i32) (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) \
         (i32.load (i32.const 0))",
    );
    for _ in 0..3 {
        assert_eq!(call(&guest).unwrap().results, [Value::I32(1)]);
    }
}

#[test]
fn every_nan_that_arithmetic_makes_is_the_canonical_one() {
    let bits = |body: &str| match call(&function(body)).unwrap().results[..] {
        [Value::I64(bits)] => bits,
        ref other => panic!("{other:?}"),
    };
    let canonical = 0x7ff8_0000_0000_0000;
    for body in [
        "(f64.div (f64.const 0) (f64.const 0))",
        "(f64.sqrt (f64.const -1))",
        "(f64.add (f64.const nan:0x4_0000_0000_0001) (f64.const 1))",
        "(f64.mul (f64.const -nan) (f64.const 2))",
        "(f64.promote_f32 (f32.const -nan:0x200001))",
    ] {
        let text = format!("(result i64) (i64.reinterpret_f64 {body})");
        assert_eq!(bits(&text), canonical, "{body}");
    }
}

#[test]
fn syntax_errors_name_their_place() {
    let place = |text: &str| match refused(text) {
        LoadError::Syntax { line, column, .. } => (line, column),
        other => panic!("{other}"),
    };
    assert_eq!(place("(module\n  (func (expotr \"f\")))"), (2, 10));
    assert_eq!(place("(module\n  (func (call $none)))"), (2, 15));
    assert_eq!(place("(module \"unclosed"), (1, 18));
    assert!(matches!(refused(&"(".repeat(100_000)), LoadError::Syntax { .. }));
}

#[test]
fn modules_that_break_the_rules_are_refused() {
    let message = |text: &str| match refused(text) {
        LoadError::Invalid { message } => message,
        other => panic!("{other}"),
    };
    assert!(message("(module (func (result i32)))").contains("type mismatch"));
    assert!(message("(module (memory 1) (memory 1))").contains("memor"));
    for text in [
        "(module (memory i64 1))",
        "(module (memory 1 1 shared))",
        "(module (func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
    ] {
        assert!(!message(text).is_empty());
    }
}

#[test]
fn a_guest_reaches_nothing_outside() {
    let LoadError::Import { module, name } = refused("(module (import \"env\" \"now\" (func)))")
    else {
        panic!("another error");
    };
    assert_eq!((module.as_str(), name.as_str()), ("env", "now"));
}

#[test]
fn other_bytes_are_no_guests() {
    assert!(matches!(Guest::load(&[0xff, 0xfe]), Err(LoadError::NotText { at: 0 })));
    assert!(matches!(Guest::load(b"\0asm\x01\0\0"), Err(LoadError::Invalid { .. })));
    let large = vec![b' '; crate::GUEST_BYTES_MAX + 1];
    assert!(matches!(Guest::load(&large), Err(LoadError::TooLarge { .. })));
}

/// `(module (func (export "f") (result i32) (i32.const 42)))`, assembled by hand.
const BINARY: &[u8] = b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x06\x01\x04\0\x41\x2a\x0b";

#[test]
fn a_binary_runs_and_no_damage_to_it_does_more_than_fail() {
    assert_eq!(call(&Guest::load(BINARY).unwrap()).unwrap().results, [Value::I32(42)]);
    for length in 0..BINARY.len() {
        // A cut between two sections can leave a module, but never this function's code.
        if let Ok(guest) = Guest::load(&BINARY[..length]) {
            assert!(call(&guest).is_err(), "{length}");
        }
    }
    for bit in 0..BINARY.len() * 8 {
        let mut damaged = BINARY.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(guest) = Guest::load(&damaged) {
            let _ = guest.call(&Call::new("f").fuel(1_000));
        }
    }
}

#[test]
fn threads_share_a_guest() {
    let guest = function("(param i64) (result i64) (i64.mul (local.get 0) (local.get 0))");
    std::thread::scope(|scope| {
        for n in 0..4 {
            let guest = &guest;
            scope.spawn(move || {
                let outcome = guest.call(&Call::new("f").arg(Value::I64(n))).unwrap();
                assert_eq!(outcome.results, [Value::I64(n * n)]);
            });
        }
    });
}
