//! Agents on threads: streams between them, time, deadlocks, and what none does to another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};

use datom::Value;
use yin::{
    AgentId, Error, Event, Kind, Limits, NoFacts, Outside, Program, Request, Scheduler, Setup,
    VirtualClock,
};

fn read(source: &str) -> Program {
    Program::read("agent.yin", source).unwrap()
}

fn int(n: i64) -> Value {
    Value::Int(n)
}

fn limits() -> Limits {
    Limits::default().heap_words(1 << 16)
}

fn on(threads: usize) -> Scheduler {
    Scheduler::with(NoFacts, limits(), Setup::default().threads(threads))
}

/// Virtual time, on the calling thread and on two others.
fn in_virtual_time() -> [Scheduler; 2] {
    [0, 2].map(|threads| {
        let setup = Setup::default().threads(threads).clock(Arc::new(VirtualClock::default()));
        Scheduler::with(NoFacts, limits(), setup)
    })
}

type Ends = BTreeMap<AgentId, Result<Value, Error>>;

/// Runs until nobody can run; how each agent ended.
fn ends(scheduler: &mut Scheduler) -> Ends {
    let mut ended = Ends::new();
    loop {
        match scheduler.run() {
            Event::Ended { agent, result } => assert_eq!(ended.insert(agent, result), None),
            Event::Idle => return ended,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_token_goes_round_a_ring_of_streams_and_no_agent_is_lost() {
    let node = read(
        "(loop [n 0] (let [x (stream/next from)]
           (if (nil? x) (do (stream/close to) n) (do (stream/put to (+ x 1)) (recur (+ n 1))))))",
    );
    let driver = read(
        "(loop [turn 0 x 0] (if (= turn 20) (do (stream/close to) x)
           (do (stream/put to x) (recur (+ turn 1) (stream/next from)))))",
    );
    for threads in [0, 1, 2, 4] {
        let mut scheduler = on(threads);
        let ring = 200;
        let streams: Vec<Value> = (0..ring).map(|_| scheduler.stream(1)).collect();
        let mut agents = Vec::new();
        for at in 0..ring {
            let from = scheduler.cursor(&streams[at]).unwrap();
            let to = streams[(at + 1) % ring].clone();
            let program = if at == 0 { &driver } else { &node };
            agents.push(scheduler.spawn_with(program, &[("from", from), ("to", to)]));
        }
        let ended = ends(&mut scheduler);
        assert_eq!(ended[&agents[0]], Ok(int(20 * (ring as i64 - 1))), "{threads} threads");
        assert!(agents[1..].iter().all(|agent| ended[agent] == Ok(int(20))));
        assert!(scheduler.is_empty());
    }
}

#[test]
fn many_writers_and_readers_lose_and_repeat_nothing() {
    let writer =
        read("(loop [n 0] (if (= n 300) :done (do (stream/put to [own n]) (recur (+ n 1)))))");
    let reader = read(
        "(loop [seen {}] (let [x (stream/next from)]
           (if (nil? x) seen
             (let [[who n] x]
               (if (= n (get seen who 0)) (recur (assoc seen who (+ n 1))) (throw [:order x seen]))))))",
    );
    let mut scheduler = on(2);
    let stream = scheduler.stream(3);
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let from = scheduler.cursor(&stream).unwrap();
            scheduler.spawn_with(&reader, &[("from", from)])
        })
        .collect();
    let source = scheduler.source();
    for own in 0..5 {
        scheduler.spawn_with(&writer, &[("own", int(own)), ("to", stream.clone())]);
    }
    for _ in 0..5 {
        let Event::Ended { result, .. } = scheduler.run() else { panic!() };
        assert_eq!(result, Ok(Value::keyword("done")));
    }
    drop(source);
    let closer = read("(stream/close to)");
    scheduler.spawn_with(&closer, &[("to", stream)]);
    let ended = ends(&mut scheduler);
    // Each cursor has seen every value of every writer, in its order.
    let all = Value::map((0..5).map(|own| (int(own), int(300))));
    assert!(readers.iter().all(|reader| ended[reader] == Ok(all.clone())));
}

#[test]
fn hostile_agents_harm_nobody_else() {
    let wrong = [
        ("(loop [v []] (recur (conj v [1 2 3])))", Kind::Memory),
        ("(range 100000000000)", Kind::Memory),
        ("(defn f [n] (+ 1 (f n))) (f 1)", Kind::Depth),
        ("(loop [n 0] (do (keyword (str \"made-up-\" n)) (recur (+ n 1))))", Kind::Limit),
        ("(loop [s \"x\"] (recur (str s s)))", Kind::Memory),
    ];
    let good = read(
        "(defn map [f xs] :shadowed) (loop [n 0 sum 0] (if (= n 200) [sum (map inc [n]) (keyword (str \"own-\" (mod own 7)))]
           (recur (+ n 1) (+ sum (count (str own n))))))",
    );
    let plain = read("(vec (map inc [own]))");
    let mut scheduler =
        Scheduler::with(NoFacts, limits().calls(10_000), Setup::default().threads(2));
    let endless: Vec<_> =
        (0..3).map(|n| scheduler.spawn(&read(&format!("(loop [] (recur)) {n}")))).collect();
    let hostile: Vec<_> = wrong.iter().map(|(source, _)| scheduler.spawn(&read(source))).collect();
    let spawn = |program, own| scheduler.spawn_with(program, &[("own", int(own))]);
    let agents: Vec<_> = (0..500).map(|own| (own, spawn(&good, own), spawn(&plain, own))).collect();
    let mut ended = Ends::new();
    while ended.len() < hostile.len() + 2 * agents.len() {
        match scheduler.run() {
            Event::Ended { agent, result } => ended.insert(agent, result),
            other => panic!("{other:?}"),
        };
    }
    for (agent, (source, kind)) in hostile.iter().zip(&wrong) {
        assert_eq!(ended[agent].as_ref().unwrap_err().kind, *kind, "{source}: {:?}", ended[agent]);
    }
    for (own, good, plain) in agents {
        let digits = |n: i64| n.to_string().len() as i64;
        let sum = (0..200).map(|n| digits(own) + digits(n)).sum();
        let name = Value::keyword(&format!("own-{}", own % 7));
        let wanted = Value::Vector(vec![int(sum), Value::keyword("shadowed"), name]);
        assert_eq!(ended[&good], Ok(wanted));
        assert_eq!(ended[&plain], Ok(Value::Vector(vec![int(own + 1)])));
    }
    for agent in endless {
        assert!(scheduler.kill(agent));
        let Event::Ended { agent: ended, result } = scheduler.run() else { panic!() };
        assert_eq!((ended, result.unwrap_err().kind), (agent, Kind::Interrupted));
        assert!(!scheduler.kill(agent));
    }
    assert_eq!(scheduler.run(), Event::Idle);
}

#[test]
fn names_made_up_on_any_thread_are_the_same_name() {
    // Equal keywords are equal words, also where two threads made them up at the same time.
    let maker = read(
        "(loop [n 0] (if (= n 400) :done (do (stream/put to (keyword (str \"k\" n))) (recur (+ n 1)))))",
    );
    let judge = read(
        "(loop [n 0] (let [a (stream/next left) b (stream/next right) own (keyword (str \"k\" n))]
           (cond (nil? a) n (and (= a b) (= a own) (= 1 (get {own 1} a))) (recur (+ n 1)) :else [n a b])))",
    );
    // All three agents share a space only if they run one program.
    let all = format!(
        "(def maker (fn [] {})) (def judge (fn [] {})) (if judge? (judge) (maker))",
        "(loop [n 0] (if (= n 400) (stream/close to) (do (stream/put to (keyword (str \"k\" n))) (recur (+ n 1)))))",
        "(loop [n 0] (let [a (stream/next left) b (stream/next right) own (keyword (str \"k\" n))]
           (cond (nil? a) n (and (= a b) (= a own) (= 1 (get {own 1} a))) (recur (+ n 1)) :else [n a b])))"
    );
    for shares in [false, true] {
        let mut scheduler = on(3);
        let all = read(&all);
        let streams = [scheduler.stream(2), scheduler.stream(2)];
        let cursors = streams.each_ref().map(|stream| scheduler.cursor(stream).unwrap());
        let [left, right] = cursors;
        let judge_names =
            [("left", left), ("right", right), ("to", Value::Nil), ("judge?", Value::Bool(true))];
        let judge = scheduler.spawn_with(if shares { &all } else { &judge }, &judge_names);
        let source = scheduler.source();
        for to in &streams {
            let names = [
                ("left", Value::Nil),
                ("right", Value::Nil),
                ("to", to.clone()),
                ("judge?", Value::Bool(false)),
            ];
            scheduler.spawn_with(if shares { &all } else { &maker }, &names);
        }
        let mut judged = None;
        for _ in 0..2 {
            let Event::Ended { agent, result } = scheduler.run() else { panic!() };
            if agent == judge {
                judged = Some(result);
            }
        }
        if !shares {
            for to in &streams {
                scheduler.spawn_with(&read("(stream/close to)"), &[("to", to.clone())]);
            }
        }
        drop(source);
        judged = ends(&mut scheduler).remove(&judge).or(judged);
        assert_eq!(judged, Some(Ok(int(400))));
    }
}

#[test]
fn sleepers_wake_in_the_order_of_their_times() {
    for mut scheduler in in_virtual_time() {
        let program = read("(perform :time/sleep ms) (stream/put to ms) ms");
        let stream = scheduler.stream(10);
        let from = scheduler.cursor(&stream).unwrap();
        for ms in [500, 30_000, 20, 86_400_000, 0] {
            scheduler.spawn_with(&program, &[("ms", int(ms)), ("to", stream.clone())]);
        }
        let reader = read("(mapv (fn [_] (stream/next from)) (range 5))");
        let reader = scheduler.spawn_with(&reader, &[("from", from)]);
        let ended = ends(&mut scheduler);
        let times = [0, 20, 500, 30_000, 86_400_000].map(int).to_vec();
        assert_eq!(ended[&reader], Ok(Value::Vector(times)));
    }
}

#[test]
fn who_waits_for_some_time_only_goes_on_without() {
    for mut scheduler in in_virtual_time() {
        let slow = read("(perform :time/sleep 1000) (stream/put to :late) :put");
        let hasty = read(
            "(let [first (perform :stream/next from 10 :nothing) then (perform :stream/next from 5000 :nothing)]
               [first then (perform :stream/next from 10)])",
        );
        let writer = read(
            "(let [s (stream/make 1)] (stream/put s 1)
               (error-kind (perform :stream/put s 2 50)))",
        );
        let stream = scheduler.stream(1);
        let from = scheduler.cursor(&stream).unwrap();
        scheduler.spawn_with(&slow, &[("to", stream)]);
        let hasty = scheduler.spawn_with(&hasty, &[("from", from)]);
        let writer = scheduler.spawn(&writer);
        let ended = ends(&mut scheduler);
        let [nothing, late] = ["nothing", "late"].map(Value::keyword);
        assert_eq!(ended[&hasty], Ok(Value::Vector(vec![nothing, late, Value::Nil])));
        assert_eq!(ended[&writer], Ok(Value::keyword("stream/full")));
    }
}

#[test]
fn agents_that_wait_for_each_other_are_told_so() {
    for threads in [0, 2] {
        let mut scheduler = on(threads);
        let (a, b) = (scheduler.stream(1), scheduler.stream(1));
        let [from_a, from_b] = [&a, &b].map(|stream| scheduler.cursor(stream).unwrap());
        let waits =
            read("(let [x (stream/next from)] (if (error? x) (error-kind x) (stream/put to x)))");
        let first = scheduler.spawn_with(&waits, &[("from", from_a), ("to", b)]);
        let second = scheduler.spawn_with(&waits, &[("from", from_b), ("to", a)]);
        let careful = scheduler.spawn(&read(
            "(let [s (stream/make 1)] (stream/put s 1) (error-kind (stream/put s 2)))",
        ));
        let asks = scheduler.spawn(&read("(perform :ask)"));
        // As long as an answer is awaited, something may come.
        let Event::Perform { request, .. } = scheduler.run() else { panic!() };
        assert_eq!(scheduler.run(), Event::Idle);
        scheduler.resume(asks, request, Ok(int(1))).unwrap();
        let ended = ends(&mut scheduler);
        for agent in [first, second] {
            assert_eq!(ended[&agent], Ok(Value::keyword("agent/deadlock")));
        }
        assert_eq!(ended[&careful], Ok(Value::keyword("agent/deadlock")));
        assert_eq!(ended[&asks], Ok(int(1)));
    }
}

#[test]
fn streams_end_with_the_agent_that_made_them() {
    for threads in [0, 2] {
        let mut scheduler = on(threads);
        let maker = read(
            "(let [s (stream/make 4)] (stream/put to s) (stream/put s 1) (stream/put s 2)
               (perform :hold) (if fails (throw :no) :done))",
        );
        let reader = read(
            "(let [s (stream/next from) c (stream/cursor s)]
               (loop [all []] (let [x (stream/next c)]
                 (if (int? x) (recur (conj all x))
                   [all (if (error? x) (error-kind x) x) (error-kind (stream/put s 3))]))))",
        );
        for (fails, last) in [(false, Value::Nil), (true, Value::keyword("stream/broken"))] {
            let hand = scheduler.stream(4);
            let from = scheduler.cursor(&hand).unwrap();
            let names = [("to", hand), ("fails", Value::Bool(fails))];
            let maker = scheduler.spawn_with(&maker, &names);
            let reader = scheduler.spawn_with(&reader, &[("from", from)]);
            let Event::Perform { agent, request, .. } = scheduler.run() else { panic!() };
            assert_eq!(agent, maker);
            assert_eq!(scheduler.run(), Event::Idle);
            scheduler.resume(maker, request, Ok(Value::Nil)).unwrap();
            let ended = ends(&mut scheduler);
            let seen = Value::Vector(vec![int(1), int(2)]);
            let closed = Value::keyword("stream/closed");
            assert_eq!(ended[&reader], Ok(Value::Vector(vec![seen, last, closed])));
        }
    }
}

#[test]
fn a_reader_that_is_no_more_holds_no_writer_back() {
    for threads in [0, 2] {
        let mut scheduler = on(threads);
        let stream = scheduler.stream(1);
        let [slow, quick] = [0, 1].map(|_| scheduler.cursor(&stream).unwrap());
        let reader = read("(stream/next from)");
        let writer = read(
            "(loop [n 0] (if (= n 50) (stream/close to) (do (stream/put to n) (recur (+ n 1)))))",
        );
        let all = read("(loop [n 0] (if (nil? (stream/next from)) n (recur (+ n 1))))");
        let all = scheduler.spawn_with(&all, &[("from", quick)]);
        let once = scheduler.spawn_with(&reader, &[("from", slow)]);
        scheduler.spawn_with(&writer, &[("to", stream)]);
        let ended = ends(&mut scheduler);
        assert_eq!((&ended[&once], &ended[&all]), (&Ok(int(0)), &Ok(int(50))));
    }
}

#[test]
fn an_agent_that_runs_can_be_taken_elsewhere() {
    let program = read("(loop [n 0] (if (= n 3000000) n (recur (+ n 1))))");
    let mut here = on(1);
    let busy = here.spawn(&program);
    let fresh = here.spawn(&program);
    let mut there = on(1);
    let mut moved = Vec::new();
    for agent in [busy, fresh] {
        let state = here.give_up(agent).unwrap();
        moved.push(there.adopt(state, std::slice::from_ref(&program)));
    }
    assert!(here.is_empty());
    let ended = ends(&mut there);
    assert!(moved.iter().all(|agent| ended[agent] == Ok(int(3_000_000))));
}

/// Serves `:double` on a thread of its own, and drops what it is told to.
struct Doubler(Mutex<mpsc::Sender<Request>>);

impl Outside for Doubler {
    fn serve(&self, request: Request) -> Option<Request> {
        match request.op.as_str() {
            "double" => {
                self.0.lock().unwrap().send(request).unwrap();
                None
            }
            "drop" => None,
            _ => Some(request),
        }
    }
}

#[test]
fn requests_are_served_from_other_threads() {
    let (sender, receiver) = mpsc::channel::<Request>();
    let server = std::thread::spawn(move || {
        for request in receiver {
            let Some(Value::Int(n)) = request.args.first() else { continue };
            let n = *n;
            request.answer(Ok(int(2 * n)));
        }
    });
    let outside = Arc::new(Doubler(Mutex::new(sender)));
    for threads in [0, 2] {
        let setup = Setup::default().threads(threads).outside(outside.clone());
        let mut scheduler = Scheduler::with(NoFacts, limits(), setup);
        let program =
            read("(loop [n 0 x 1] (if (= n 40) x (recur (+ n 1) (- (perform :double x) x -1))))");
        let agents: Vec<_> = (0..20).map(|_| scheduler.spawn(&program)).collect();
        let dropped = scheduler.spawn(&read("(error-kind (perform :drop))"));
        let ended = ends(&mut scheduler);
        assert!(agents.iter().all(|agent| ended[agent] == Ok(int(41))));
        assert_eq!(ended[&dropped], Ok(Value::keyword("effect/unanswered")));
        let other = scheduler.spawn(&read("(perform :other)"));
        let Event::Perform { agent, request, .. } = scheduler.run() else { panic!() };
        scheduler.resume(agent, request, Ok(int(1))).unwrap();
        assert_eq!(scheduler.run(), Event::Ended { agent: other, result: Ok(int(1)) });
    }
    drop(outside);
    server.join().unwrap();
}

#[test]
fn what_agents_wait_for_can_be_looked_at() {
    let mut scheduler = on(0);
    let agent = scheduler.spawn(&read("(defn ask [n] (+ n (perform :ask n))) (ask 1)"));
    let Event::Perform { request, .. } = scheduler.run() else { panic!() };
    let [sight] = scheduler.agents().try_into().unwrap();
    assert_eq!(sight.agent, agent);
    assert_eq!(sight.waits_for, Some("ask".into()));
    assert!(!sight.is_running && !sight.is_ready);
    assert!(sight.calls.unwrap() >= 1);
    assert!(sight.bytes.unwrap() < 1_024, "{sight:?}");
    scheduler.resume(agent, request, Ok(int(1))).unwrap();
    assert!(scheduler.agents().first().unwrap().is_ready);
    assert_eq!(scheduler.run(), Event::Ended { agent, result: Ok(int(2)) });
}

#[test]
fn whoever_runs_agents_can_be_stopped_from_another_thread_at_any_moment() {
    for threads in [0, 2] {
        let mut scheduler = on(threads);
        let stopper = scheduler.stopper();
        // Told before it waits: it does not begin to.
        let runs = scheduler.spawn(&read("(loop [] (recur))"));
        stopper.stop();
        assert_eq!(scheduler.run(), Event::Stopped);
        // Told while it waits, by who knows of an agent that is on its way.
        let (begins, has_begun) = mpsc::channel();
        let told = std::thread::spawn(move || {
            has_begun.recv().unwrap();
            stopper.stop();
        });
        begins.send(()).unwrap();
        assert_eq!(scheduler.run(), Event::Stopped);
        told.join().unwrap();
        assert!(scheduler.kill(runs));
        let Event::Ended { agent, result } = scheduler.run() else { panic!() };
        assert_eq!((agent, result.unwrap_err().kind), (runs, Kind::Interrupted));
        assert_eq!(scheduler.run(), Event::Idle, "it is told once");
    }
}

#[test]
fn an_agent_has_so_much_fuel_whether_it_computes_or_asks_and_what_was_used_is_counted() {
    for threads in [0, 2] {
        let setup = Setup::default().threads(threads).fuel(100_000);
        let mut scheduler = Scheduler::with(NoFacts, limits(), setup);
        let endless = [
            "(loop [] (recur))",
            "(loop [] (do (perform :time/sleep 0) (recur)))",
            "(let [s (stream/make 4) c (stream/cursor s)] (loop [] (do (stream/put s 1) (stream/next c) (recur))))",
        ];
        let endless: Vec<AgentId> =
            endless.iter().map(|source| scheduler.spawn(&read(source))).collect();
        let frugal = scheduler.spawn(&read("(reduce + 0 (range 100))"));
        let ended = ends(&mut scheduler);
        assert_eq!(ended[&frugal], Ok(int(4950)));
        for agent in endless {
            let error = ended[&agent].clone().unwrap_err();
            assert_eq!(error.kind, Kind::Limit, "{error}");
            assert!(error.to_string().contains("more than 100000 steps"), "{error}");
        }
        let spent = scheduler.spent();
        assert!((300_000..400_000).contains(&spent), "{spent}");
    }
}

#[test]
fn a_host_puts_values_into_streams_and_says_how_they_end() {
    for threads in [0, 2] {
        let mut scheduler = on(threads);
        let reads = read(
            "(loop [sum 0] (let [x (stream/next from)] (if (int? x) (recur (+ sum x)) [sum x])))",
        );
        let stream = scheduler.stream(2);
        let from = scheduler.cursor(&stream).unwrap();
        assert!(scheduler.put(&stream, int(1)) && scheduler.put(&stream, int(2)));
        assert!(!scheduler.put(&stream, int(3)), "there is room for two");
        assert!(!scheduler.put(&int(5), int(3)), "that is no stream");
        let agent = scheduler.spawn_with(&reads, &[("from", from)]);
        scheduler.close(&stream, None);
        assert!(!scheduler.put(&stream, int(3)));
        assert_eq!(ends(&mut scheduler)[&agent], Ok(Value::Vector(vec![int(3), Value::Nil])));

        let fails = read("(let [x (stream/next from)] [(error-kind x) (error-message x)])");
        let stream = scheduler.stream(1);
        let from = scheduler.cursor(&stream).unwrap();
        let agent = scheduler.spawn_with(&fails, &[("from", from)]);
        let why = [("kind", Value::keyword("job/lost")), ("message", Value::text("it is gone"))];
        let why = Value::map(why.map(|(key, value)| (Value::keyword(key), value)));
        scheduler.close(&stream, Some(why));
        let told = Value::Vector(vec![Value::keyword("job/lost"), Value::text("it is gone")]);
        assert_eq!(ends(&mut scheduler)[&agent], Ok(told));
    }
}

/// Sends requests to a thread that answers them at once.
struct Answered(mpsc::Sender<Request>);

impl Outside for Answered {
    fn serve(&self, request: Request) -> Option<Request> {
        self.0.send(request).err().map(|unsent| unsent.0)
    }
}

#[test]
fn whoever_is_about_to_be_woken_by_another_thread_is_not_forgotten() {
    for threads in [0, 2] {
        let (requests, received) = mpsc::channel::<Request>();
        let answers = std::thread::spawn(move || {
            received.iter().for_each(|request| request.answer(Ok(Value::Nil)));
        });
        let setup = Setup::default().threads(threads).outside(Arc::new(Answered(requests)));
        let mut scheduler = Scheduler::with(NoFacts, limits(), setup);
        let asks = read("(loop [n 0] (if (= n 20000) n (do (perform :ask) (recur (+ n 1)))))");
        let agent = scheduler.spawn(&asks);
        assert_eq!(scheduler.run(), Event::Ended { agent, result: Ok(int(20_000)) });
        drop(scheduler);
        answers.join().unwrap();

        let mut scheduler = on(threads);
        let naps =
            read("(loop [n 0] (if (= n 5000) n (do (perform :time/sleep 0) (recur (+ n 1)))))");
        let agent = scheduler.spawn(&naps);
        assert_eq!(scheduler.run(), Event::Ended { agent, result: Ok(int(5_000)) });
    }
}

/// Counts looks by agent, and remembers the turns at the last.
#[derive(Default)]
struct Looks(std::sync::Mutex<BTreeMap<u64, (u64, u64)>>);

impl yin::Observer for Looks {
    fn look(&self, agent: AgentId, machine: &yin::Machine) {
        let mut looks = self.0.lock().unwrap();
        let (count, turns) = looks.entry(agent.number()).or_default();
        *count += 1;
        assert_eq!(machine.turns(), *turns + 700, "each 700 turns, whatever it does");
        *turns = machine.turns();
        assert!(!machine.active(1).is_empty());
    }
}

#[test]
fn an_observer_looks_at_each_agent_after_so_many_of_its_turns() {
    for threads in [0, 2] {
        let looks = Arc::new(Looks::default());
        let setup = Setup::default().threads(threads).observer(700, looks.clone());
        let mut scheduler = Scheduler::with(NoFacts, limits(), setup);
        for turns in [100, 20_000, 40_000] {
            let source =
                "(loop [n 0] (if (= n turns) n (do (perform :time/sleep 0) (recur (+ n 1)))))";
            scheduler.spawn_with(&read(source), &[("turns", int(turns))]);
        }
        assert_eq!(ends(&mut scheduler).len(), 3);
        let looks = looks.0.lock().unwrap();
        let counts: Vec<_> = looks.iter().map(|(agent, (count, _))| (*agent, *count)).collect();
        assert_eq!(counts, [(1, 20_000 / 700), (2, 40_000 / 700)]);
    }
}

#[test]
fn a_name_is_redefined_for_agents_of_all_programs_whether_they_run_wait_or_begin() {
    for threads in [0, 2] {
        let mut scheduler = on(threads);
        let source =
            "(defn f [] 1) (loop [] (if (= (f) 1) (recur) [(f) (perform :time/sleep 0) (f)]))";
        let first = scheduler.spawn(&read(source));
        let asks = scheduler.spawn(&read("(defn f [] 0) (def a (perform :ask)) [a (f)]"));
        let new = Program::read("new", "(defn f [] 2) (defn g [] 3)").unwrap();
        let Event::Perform { request, .. } = scheduler.run() else { panic!("one asks") };
        scheduler.redefiner().redefine(&"f".into(), &new).unwrap();
        assert!(scheduler.redefiner().redefine(&"h".into(), &new).is_err());
        let later = scheduler.spawn(&read("(defn f [] 1) (f)"));
        scheduler.resume(asks, request, Ok(5.into())).unwrap();
        let ended = ends(&mut scheduler);
        assert_eq!(ended[&first], Ok(Value::Vector(vec![int(2), Value::Nil, int(2)])));
        assert_eq!(ended[&asks], Ok(Value::Vector(vec![int(5), int(2)])));
        assert_eq!(ended[&later], Ok(int(2)), "its own definition is the older one");
    }
}
