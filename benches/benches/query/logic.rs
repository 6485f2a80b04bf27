//! The closure of edges, written by hand for two libraries of Datalog in Rust.

use datafrog::Iteration;

type Edge = (u32, u32);

/// By datafrog: semi-naive, one join; the rows of the closure.
pub(crate) fn datafrog(edges: &[Edge]) -> usize {
    let mut iteration = Iteration::new();
    // Keyed by the end that goes on.
    let reach = iteration.variable::<Edge>("reach");
    let edges: datafrog::Relation<Edge> = edges.iter().copied().collect();
    reach.extend(edges.iter().map(|(x, y)| (*y, *x)));
    while iteration.changed() {
        reach.from_join(&reach, &edges, |_, x, y| (*y, *x));
    }
    let rows = reach.complete();
    for row in rows.iter() {
        std::hint::black_box(row);
    }
    rows.len()
}

ascent::ascent! {
    struct Closure;
    relation edge(u32, u32);
    relation reach(u32, u32);
    reach(x, y) <-- edge(x, y);
    reach(x, z) <-- reach(x, y), edge(y, z);
}

/// By ascent, which compiles rules.
pub(crate) fn ascent(edges: &[Edge]) -> usize {
    let mut program = Closure { edge: edges.to_vec(), ..Closure::default() };
    program.edge.sort_unstable();
    program.edge.dedup();
    program.run();
    for row in &program.reach {
        std::hint::black_box(row);
    }
    program.reach.len()
}
