//! Python, read to the same AST.
#![cfg(feature = "python")]

use datom::{Value, edn};
use yin::{Limits, Machine, NoFacts, Outcome, Program};

fn run(machine: &mut Machine, program: &Program) -> Result<Value, yin::Error> {
    machine.start(program)?;
    match machine.run(50_000_000) {
        Outcome::Done(value) => Ok(value),
        Outcome::Failed(error) => Err(error),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn gives(source: &str, expected: &str) {
    let program = Program::read_python("t.py", source).unwrap_or_else(|e| panic!("{source}\n{e}"));
    let mut machine = Machine::new(NoFacts, Limits::default());
    let value = run(&mut machine, &program)
        .unwrap_or_else(|e| panic!("{source}\n{e}\n{}", program.print()));
    assert_eq!(value, edn::read(expected).unwrap(), "{source}\n{}", program.print());
}

#[track_caller]
fn refuses(source: &str, place: (usize, usize), message: &str) {
    let error = Program::read_python("t.py", source).expect_err(source);
    assert!(error.message.contains(message), "{source}: {error}");
    let position = error.position.unwrap();
    assert_eq!((position.line, position.column), place, "{source}: {}", error.message);
}

#[test]
fn functions_and_arithmetic() {
    gives(
        "def fib(n):\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\nfib(20)\n",
        "6765",
    );
    gives(
        "[7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 / 2, 2 ** 70, 2 ** -1, +3, 1e3]\n",
        "[3 -4 1 2 3.5 1180591620717411303424 0.5 3 1000.0]",
    );
    gives("f = lambda x, y: x * y\nf(6, 7)\n", "42");
    gives("def f(a, *more):\n    return [a, more]\nf(1, 2, 3)\n", "[1 [2 3]]");
    gives("def f():\n    pass\nf()\n", "nil");
    gives("123456789012345678901234567890 + 1\n", "123456789012345678901234567891");
}

#[test]
fn conditions_are_those_of_python() {
    gives(
        "[1 if x else 0 for x in [0, 1, '', 'a', [], [0], None, False, {}]]\n",
        "[0 1 0 1 0 1 0 0 0]",
    );
    gives(
        "[0 or 5, [] and 1, not '', 1 < 2 < 3, 3 > 2 > 2, 1 in [1, 2], 'k' in {'k': 1}, 'b' not in 'abc']\n",
        "[5 [] true true false true true false]",
    );
    gives(
        "def kind(x):\n    if x < 0:\n        return 'neg'\n    elif x == 0:\n        return 'zero'\n    else:\n        return 'pos'\n[kind(-1), kind(0), kind(1)]\n",
        "[\"neg\" \"zero\" \"pos\"]",
    );
}

#[test]
fn branches_and_loops_assign() {
    gives(
        "def f(n):\n    a = 0\n    b = 1\n    while n > 0:\n        a, b = b, a + b\n        n -= 1\n    return a\nf(50)\n",
        "12586269025",
    );
    gives(
        "def f(xs):\n    total = 0\n    for x in xs:\n        if x % 2 == 0:\n            continue\n        if x > 7:\n            break\n        total += x\n    return total\nf([1, 2, 3, 5, 9, 11])\n",
        "9",
    );
    gives(
        "def f(x):\n    if x > 0:\n        y = 'big'\n        z = 1\n    else:\n        y = 'small'\n    return [y, z]\n[f(1), f(0)]\n",
        "[[\"big\" 1] [\"small\" nil]]",
    );
    gives(
        "def f(n):\n    s = 0\n    for i in range(n):\n        for j in range(i, n):\n            s = s + j\n    return s\nf(5)\n",
        "40",
    );
    gives("n = 3\nout = []\nwhile n > 0:\n    out.append(n)\n    n = n - 1\nout\n", "[3 2 1]");
}

#[test]
fn a_loop_may_return() {
    gives(
        "def find(xs, f):\n    for x in xs:\n        if f(x):\n            return x\n    return None\n[find([1, 4, 6], lambda x: x % 2 == 0), find([1], lambda x: x > 5)]\n",
        "[4 nil]",
    );
    gives(
        "def f(n):\n    for i in range(n):\n        for j in range(n):\n            if i * j == 6:\n                return [i, j]\n        last = i\n    return last\n[f(4), f(2)]\n",
        "[[2 3] 1]",
    );
}

#[test]
fn lists_and_dicts() {
    gives("xs = [1, 2, 3]\nxs[0] = 10\nxs.append(4)\nxs[-1] + xs[0] + len(xs)\n", "18");
    gives(
        "def f():\n    d = {'a': {'b': 1}}\n    d['a']['b'] += 1\n    d['c'] = 3\n    return d\nf()\n",
        "{\"a\" {\"b\" 2}, \"c\" 3}",
    );
    gives(
        "d = {'x': 1}\n[d.get('x'), d.get('y', 7), sorted(d.keys()), [k + str(v) for k, v in d.items()]]\n",
        "[1 7 [\"x\"] [\"x1\"]]",
    );
    gives(
        "def count(words):\n    seen = {}\n    for w in words:\n        seen[w] = seen.get(w, 0) + 1\n    return seen\ncount('a b a'.split(' '))\n",
        "{\"a\" 2, \"b\" 1}",
    );
    gives("[x * y for x in range(3) if x > 0 for y in [1, 10]]\n", "[1 10 2 20]");
    gives(
        "name = 'Ada'\n'Hello, ' + name + f'! {1 + 1}' + ', '.join(['a', 'b'])\n",
        "\"Hello, Ada! 2a, b\"",
    );
    gives("sum([1, 2, 3]) + max(4, 5) + min([7])[0] if False else sum([1])\n", "1");
}

#[test]
fn parameters_have_defaults_and_arguments_names() {
    let f = "def f(a, b=2, c=[3]):\n    return [a, b, c]\n";
    gives(&format!("{f}[f(1), f(1, 5), f(1, 5, 6)]\n"), "[[1 2 [3]] [1 5 [3]] [1 5 6]]");
    gives(&format!("{f}[f(c=1, a=2), f(1, c=4), f(b=3, a=1)]\n"), "[[2 2 1] [1 2 4] [1 3 [3]]]");
    gives("g = lambda x, y=-1: x * y\n[g(3), g(3, 2)]\n", "[-3 6]");
    gives(
        "def outer(n):\n    def inner(x, k=10):\n        return x * k + n\n    return [inner(1), inner(1, k=2)]\nouter(5)\n",
        "[15 7]",
    );
    // Arguments are evaluated as they are written.
    gives(
        "def f(a, b):\n    return [a, b]\ndef next(n):\n    return perform_count(n)\ndef perform_count(n):\n    return n\nf(b=next(1), a=next(2))\n",
        "[2 1]",
    );
}

#[test]
fn slices_reach_as_far_as_there_is_something() {
    gives(
        "xs = [0, 1, 2, 3, 4]\n[xs[1:3], xs[:2], xs[3:], xs[-2:], xs[:-1], xs[:], xs[3:1], xs[2:99]]\n",
        "[[1 2] [0 1] [3 4] [3 4] [0 1 2 3] [0 1 2 3 4] [] [2 3 4]]",
    );
    gives("s = 'hällo'\n[s[1:3], s[-2:], s[:0]]\n", "[\"äl\" \"lo\" \"\"]");
}

#[test]
fn print_asks_the_world() {
    let program = Program::read_python("t.py", "print('sum', 1 + 2)\n7\n").unwrap();
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&program).unwrap();
    let Outcome::Perform { id, op, args } = machine.run(1_000) else { panic!() };
    assert_eq!((op.as_str(), args), ("console/print", vec![Value::text("sum 3")]));
    machine.resume(id, Ok(Value::Nil)).unwrap();
    assert_eq!(machine.run(1_000), Outcome::Done(Value::Int(7)));
}

#[test]
fn names_keep_values_and_not_places() {
    // Another name for the old value keeps the old value, as the reference says.
    gives("a = [1]\nb = a\nb.append(2)\n[a, b]\n", "[[1] [1 2]]");
    refuses(
        "def f():\n    x = 1\n    g = lambda: x\n    x = 2\n    return g()\n",
        (3, 17),
        "assigned more than once",
    );
    gives("def f(k):\n    def g(x):\n        return x + k\n    return g(1)\nf(2)\n", "3");
}

#[test]
fn what_is_not_in_the_subset_has_its_place() {
    refuses("class A:\n    pass\n", (1, 1), "this statement");
    refuses("x = 1\nimport os\n", (2, 1), "this statement");
    refuses("def f(x=g()):\n    return x\n", (1, 9), "a default that is no constant");
    refuses("f(a=1)\n", (1, 1), "what parameters `f` has");
    refuses("def f(x):\n    return x\nf(y=1)\n", (3, 3), "has no parameter `y`");
    refuses("def f(x):\n    return x\nf(1, x=1)\n", (3, 8), "given twice");
    refuses("def f(x, y):\n    return x\nf(x=1)\n", (3, 1), "also needs `y`");
    refuses("[1, 2][::2]\n", (1, 10), "a slice with a step");
    refuses("def f(:\n", (1, 7), "");
    refuses("x = yield\n", (1, 5), "");
    refuses("def f():\n    when = 1\n", (2, 5), "`when` is a form");
}

#[test]
fn hostile_text_is_refused_and_overflows_nothing() {
    for (open, times) in [
        ("(", 200_000),
        ("-", 200_000),
        ("not ", 100_000),
        ("lambda: ", 100_000),
        ("[", 8_000),
        ("-", 16_000),
        ("1 if 1 else ", 1300),
        ("2**", 5_000),
        ("x.append(", 1_000),
    ] {
        let text = open.repeat(times);
        Program::read_python("t.py", &format!("x = {text}1")).unwrap_err();
    }
    let mut text = String::new();
    for level in 0..1000 {
        text.push_str(&format!("{}if x:\n", " ".repeat(level)));
    }
    Program::read_python("t.py", &format!("{text}{}1\n", " ".repeat(1000))).unwrap_err();
}

/// One AST, two syntaxes: equal functions have equal hashes, and each calls the other.
#[test]
fn programs_of_both_syntaxes_share_code_and_call_each_other() {
    let yin = Program::read(
        "a.yin",
        "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (defn square [x] (* x x))",
    )
    .unwrap();
    let python = Program::read_python("b.py", "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n\ndef apply_all(fs, x):\n    return [f(x) for f in fs]\n").unwrap();
    assert_eq!(yin.tree().hash(yin.forms()[0]), python.tree().hash(python.forms()[0]));

    let mut machine = Machine::new(NoFacts, Limits::default());
    run(&mut machine, &yin).unwrap();
    run(&mut machine, &python).unwrap();
    let back = Program::read("c.yin", "(apply_all [square fib inc] 7)").unwrap();
    assert_eq!(run(&mut machine, &back).unwrap(), edn::read("[49 13 8]").unwrap());
    let forth =
        Program::read_python("d.py", "square(fib(10)) + len(apply_all([square], 2))\n").unwrap();
    assert_eq!(run(&mut machine, &forth).unwrap(), Value::Int(3026));
}
