//! The programs, in each language.

/// One program in four languages. What is a tail call in yin and Lua is a loop where there are none.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) yin: &'static str,
    pub(crate) lua: &'static str,
    pub(crate) rhai: &'static str,
    pub(crate) python: &'static str,
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "fib 30",
        yin: "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 30)",
        lua: "local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end return fib(30)",
        rhai: "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(30)",
        python: "def fib(n): return n if n < 2 else fib(n-1) + fib(n-2)\nresult = fib(30)",
    },
    Case {
        name: "tak x10",
        yin: "(defn tak [x y z] (if (< y x) (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y)) z))
              (loop [n 10 s 0] (if (= n 0) s (recur (- n 1) (+ s (tak 18 12 6)))))",
        lua: "local function tak(x,y,z) if y < x then return tak(tak(x-1,y,z), tak(y-1,z,x), tak(z-1,x,y)) end return z end
              local s = 0 for i = 1, 10 do s = s + tak(18,12,6) end return s",
        rhai: "fn tak(x, y, z) { if y < x { tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) } else { z } }
              let s = 0; for i in 0..10 { s += tak(18, 12, 6); } s",
        python: "def tak(x, y, z): return tak(tak(x-1, y, z), tak(y-1, z, x), tak(z-1, x, y)) if y < x else z\nresult = sum(tak(18, 12, 6) for _ in range(10))",
    },
    Case {
        name: "countdown 10M",
        yin: "(defn down [n] (if (= n 0) 0 (down (- n 1)))) (down 10000000)",
        lua: "local function down(n) if n == 0 then return 0 end return down(n-1) end return down(10000000)",
        rhai: "let n = 10000000; while n != 0 { n -= 1; } n",
        python: "def down(n):\n  while n != 0: n -= 1\n  return n\nresult = down(10000000)",
    },
    Case {
        name: "ack 3 7",
        yin: "(defn ack [m n] (cond (= m 0) (+ n 1) (= n 0) (ack (- m 1) 1) :else (ack (- m 1) (ack m (- n 1))))) (ack 3 7)",
        lua: "local function ack(m,n) if m == 0 then return n+1 end if n == 0 then return ack(m-1,1) end return ack(m-1, ack(m,n-1)) end return ack(3,7)",
        rhai: "fn ack(m, n) { if m == 0 { n + 1 } else if n == 0 { ack(m - 1, 1) } else { ack(m - 1, ack(m, n - 1)) } } ack(3, 7)",
        python: "def ack(m, n): return n + 1 if m == 0 else ack(m-1, 1) if n == 0 else ack(m-1, ack(m, n-1))\nresult = ack(3, 7)",
    },
    Case {
        name: "church 2^16 x10",
        yin: "(defn two [f] (fn [x] (f (f x)))) (defn four [f] ((two two) f)) (defn add1 [n] (+ n 1))
              (loop [n 10 s 0] (if (= n 0) s (recur (- n 1) (+ s (((((two two) two) two) add1) 0)))))",
        lua: "local function two(f) return function(x) return f(f(x)) end end
              local function add1(n) return n + 1 end
              local s = 0 for i = 1, 10 do s = s + two(two)(two)(two)(add1)(0) end return s",
        rhai: "let two = |f| |x| f.call(f.call(x)); let add1 = |n| n + 1;
              let s = 0; for i in 0..10 { s += two.call(two).call(two).call(two).call(add1).call(0); } s",
        python: "def two(f): return lambda x: f(f(x))\ndef add1(n): return n + 1\nresult = sum(two(two)(two)(two)(add1)(0) for _ in range(10))",
    },
    Case {
        name: "map update 1M",
        yin: "(loop [n 0 m {}] (if (= n 1000000) (count m) (recur (+ n 1) (assoc m (rem n 1000) n))))",
        lua: "local m, c = {}, 0 for n = 0, 999999 do local k = n % 1000 if m[k] == nil then c = c + 1 end m[k] = n end return c",
        rhai: "let m = #{}; for n in 0..1000000 { m[(n % 1000).to_string()] = n; } m.len()",
        python: "def run():\n  m = {}\n  for n in range(1000000): m[n % 1000] = n\n  return len(m)\nresult = run()",
    },
    Case {
        name: "map update 100k keys",
        yin: "(loop [n 0 m {}] (if (= n 1000000) (count m) (recur (+ n 1) (assoc m (rem (* n 7) 100003) n))))",
        lua: "local m, c = {}, 0 for n = 0, 999999 do local k = n * 7 % 100003 if m[k] == nil then c = c + 1 end m[k] = n end return c",
        rhai: "let m = #{}; for n in 0..1000000 { m[(n * 7 % 100003).to_string()] = n; } m.len()",
        python: "def run():\n  m = {}\n  for n in range(1000000): m[n * 7 % 100003] = n\n  return len(m)\nresult = run()",
    },
    Case {
        name: "map of 100k new keys",
        yin: "(loop [n 0 m {}] (if (= n 100000) (count m) (recur (+ n 1) (assoc m (rem (* n 7) 100003) n))))",
        lua: "local m, c = {}, 0 for n = 0, 99999 do local k = n * 7 % 100003 if m[k] == nil then c = c + 1 end m[k] = n end return c",
        rhai: "let m = #{}; for n in 0..100000 { m[(n * 7 % 100003).to_string()] = n; } m.len()",
        python: "def run():\n  m = {}\n  for n in range(100000): m[n * 7 % 100003] = n\n  return len(m)\nresult = run()",
    },
    Case {
        name: "vector update 1M",
        yin: "(loop [n 0 v (vec (range 1000))] (if (= n 1000000) (count v) (recur (+ n 1) (assoc v (rem n 1000) n))))",
        lua: "local v = {} for i = 1, 1000 do v[i] = i end for n = 0, 999999 do v[n % 1000 + 1] = n end return #v",
        rhai: "let v = []; v.pad(1000, 0); for n in 0..1000000 { v[n % 1000] = n; } v.len()",
        python: "def run():\n  v = list(range(1000))\n  for n in range(1000000): v[n % 1000] = n\n  return len(v)\nresult = run()",
    },
    Case {
        name: "text append 20k",
        yin: "(loop [n 0 s \"\"] (if (= n 20000) (count s) (recur (+ n 1) (str s \"x\"))))",
        lua: "local s = '' for n = 1, 20000 do s = s .. 'x' end return #s",
        rhai: "let s = \"\"; for n in 0..20000 { s += 'x'; } s.len()",
        python: "def run():\n  s = ''\n  for n in range(20000): s += 'x'\n  return len(s)\nresult = run()",
    },
];
