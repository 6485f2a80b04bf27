//! Many programs on one machine.

use datom::Value;
use yin::{AgentId, Event, Kind, Limits, NoFacts, Program, Scheduler};

fn scheduler() -> Scheduler {
    Scheduler::new(NoFacts, Limits::default().heap_words(1 << 16))
}

fn spawn(scheduler: &mut Scheduler, source: &str) -> AgentId {
    scheduler.spawn(&Program::read("agent.yin", source).unwrap())
}

/// Runs until nobody can run; how each agent ended, in the order of their ends.
fn all(scheduler: &mut Scheduler) -> Vec<(AgentId, Result<Value, yin::Error>)> {
    let mut ended = Vec::new();
    loop {
        match scheduler.run() {
            Event::Ended { agent, result } => ended.push((agent, result)),
            Event::Idle => return ended,
            Event::Parked { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn int(n: i64) -> Value {
    Value::Int(n)
}

#[test]
fn agents_take_turns_and_one_that_never_ends_keeps_nobody_from_ending() {
    let mut scheduler = scheduler();
    let endless = spawn(&mut scheduler, "(loop [] (recur))");
    let agents: Vec<AgentId> = (0..50)
        .map(|n| {
            spawn(
                &mut scheduler,
                &format!("(def own {n}) (loop [k 30000] (if (= k 0) own (recur (- k 1))))"),
            )
        })
        .collect();
    let mut ended = Vec::new();
    while ended.len() < agents.len() {
        if let Event::Ended { agent, result } = scheduler.run() {
            assert_ne!(agent, endless);
            // What one defines, no other sees.
            let at = agents.iter().position(|&id| id == agent).unwrap();
            assert_eq!(result.unwrap(), int(at as i64));
            ended.push(agent);
        }
    }
}

#[test]
fn whatever_an_agent_does_wrong_ends_that_agent_alone() {
    let mut scheduler = scheduler();
    let wrong = [
        ("(defn f [n] (+ 1 (f n))) (f 1)", Kind::Depth),
        ("(loop [v []] (recur (conj v [1 2 3])))", Kind::Memory),
        ("(range 100000000000)", Kind::Memory),
        ("(+ 1 :a)", Kind::Type),
        ("(unknown)", Kind::Unbound),
    ];
    let agents: Vec<_> = wrong.iter().map(|(source, _)| spawn(&mut scheduler, source)).collect();
    let good = spawn(&mut scheduler, "(reduce + 0 (range 100))");
    let mut ended = all(&mut scheduler);
    ended.sort_by_key(|(agent, _)| *agent);
    for ((agent, result), (_, kind)) in ended.iter().zip(&wrong) {
        let error = result.as_ref().unwrap_err();
        assert_eq!(error.kind, *kind, "{agent:?}: {error}");
        assert!(error.position.is_some(), "{error}");
    }
    assert_eq!(ended.last().unwrap(), &(good, Ok(int(4950))));
    assert_eq!(ended.len(), agents.len() + 1);
}

#[test]
fn a_stream_carries_values_in_order_and_a_full_one_holds_its_writer_back() {
    let mut scheduler = scheduler();
    let _more_may_come = scheduler.source();
    spawn(
        &mut scheduler,
        "(let [s (perform :stream/make 2) c (perform :stream/cursor s)]
           (perform :test/hand s c)
           (loop [n 0] (if (= n 100) (perform :stream/close s) (do (perform :stream/put s n) (recur (+ n 1)))))
           :written)",
    );
    let Event::Perform { agent: writer, request, args, .. } = scheduler.run() else { panic!() };
    scheduler.resume(writer, request, Ok(Value::Nil)).unwrap();
    // Two values fit, and the writer waits.
    assert_eq!(scheduler.run(), Event::Idle);
    let reader = spawn(
        &mut scheduler,
        &format!(
            "(loop [sum 0] (let [x (perform :stream/next '{})] (if (nil? x) sum (recur (+ sum x)))))",
            args[1]
        ),
    );
    let mut ended = all(&mut scheduler);
    ended.sort_by_key(|(agent, _)| *agent);
    assert_eq!(ended, [(writer, Ok(Value::keyword("written"))), (reader, Ok(int(4950)))]);
}

#[test]
fn a_parked_agent_is_resumed_in_the_place_of_another_and_once() {
    let mut scheduler = scheduler();
    spawn(&mut scheduler, "(let [x 10] (+ x (perform :vm/park)))");
    let Event::Parked { agent } = scheduler.run() else { panic!() };
    let source = format!("(do (perform :vm/resume {} 5) :never)", agent.number());
    let other = spawn(&mut scheduler, &source);
    assert_eq!(scheduler.run(), Event::Ended { agent: other, result: Ok(int(15)) });
    let again = spawn(&mut scheduler, &source);
    let Event::Ended { agent, result } = scheduler.run() else { panic!() };
    assert_eq!(agent, again);
    assert!(result.unwrap_err().message.contains("parked continuation not found"));
}

#[test]
fn an_agent_moves_to_another_scheduler() {
    let program = Program::read(
        "p",
        "(let [x (perform :ask)] (loop [n 3 s x] (if (= n 0) s (recur (- n 1) (+ s n)))))",
    )
    .unwrap();
    let mut here = scheduler();
    here.spawn(&program);
    let Event::Perform { agent, request, .. } = here.run() else { panic!() };
    let state = here.give_up(agent).unwrap();
    assert!(here.is_empty());
    let mut there = scheduler();
    let agent = there.adopt(state, &[program]);
    there.resume(agent, request, Ok(int(1))).unwrap();
    assert_eq!(there.run(), Event::Ended { agent, result: Ok(int(7)) });
}
