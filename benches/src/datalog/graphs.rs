//! Graphs, and who can be reached in them.

use std::collections::BTreeSet;

use super::random::Random;
use super::{Attribute, Case, FOLLOWS, Kind, Set, Val, many};

const SCHEMA: [Attribute; 1] = [many("follows", Kind::Ref)];

const TABLES: &str = "
CREATE TABLE edge(x INTEGER, y INTEGER, PRIMARY KEY(x, y)) WITHOUT ROWID;
INSERT INTO edge SELECT e, v FROM d WHERE a=:follows;
CREATE INDEX edge_y ON edge(y, x);";

/// Edges.
pub type Edges = Vec<(u32, u32)>;

/// A tree from 1 down: node `i` leads to `i * width + k`. Numbers of different levels may meet.
#[must_use]
pub fn wide(depth: u32, width: u32) -> Edges {
    let mut edges = Vec::new();
    let mut level = vec![1];
    for _ in 0..depth {
        let below = |i: &u32| (0..width).map(move |k| (*i, *i * width + k)).collect::<Vec<_>>();
        let next: Edges = level.iter().flat_map(below).collect();
        level = next.iter().map(|edge| edge.1).collect();
        edges.extend(next);
    }
    edges
}

/// `width` chains of `depth` edges.
#[must_use]
pub fn long(depth: u32, width: u32) -> Edges {
    let edge = |x, y| (x * (depth + 1) + y + 1, x * (depth + 1) + y + 2);
    (0..width).flat_map(|x| (0..depth).map(move |y| edge(x, y))).collect()
}

/// One chain.
#[must_use]
pub fn chain(length: u32) -> Edges {
    (0..length).map(|i| (i, i + 1)).collect()
}

/// Up to `edges` between `nodes`, with cycles.
#[must_use]
pub fn random(nodes: u32, edges: u32) -> Edges {
    drawn(nodes, edges, 7, |a, b| (a, b))
}

/// The same from lower to higher numbers: without cycles.
#[must_use]
pub fn acyclic(nodes: u32, edges: u32) -> Edges {
    drawn(nodes, edges, 11, |a, b| (a.min(b), a.max(b)))
}

fn drawn(nodes: u32, edges: u32, seed: u64, edge: impl Fn(u32, u32) -> (u32, u32)) -> Edges {
    let mut random = Random::new(seed);
    let mut set = BTreeSet::new();
    for _ in 0..edges {
        let (a, b) = (random.below(nodes), random.below(nodes));
        if a != b {
            set.insert(edge(a, b));
        }
    }
    set.into_iter().collect()
}

/// Every graph that is measured.
#[must_use]
pub fn graphs() -> [(&'static str, Edges); 6] {
    [
        ("wide-7x3", wide(7, 3)),
        ("long-30x5", long(30, 5)),
        ("rg-100-150", random(100, 150)),
        ("chain-1000", chain(1000)),
        ("rg-1000-2000", random(1000, 2000)),
        ("dag-5000-10000", acyclic(5000, 10000)),
    ]
}

/// A graph as facts.
#[must_use]
pub fn set(name: &'static str, edges: &[(u32, u32)]) -> Set {
    let edges: BTreeSet<&(u32, u32)> = edges.iter().collect();
    let facts = edges.into_iter().map(|(x, y)| (*x, 0, Val::Ref(*y))).collect();
    Set { name, schema: &SCHEMA, facts, tables: TABLES }
}

/// Who can be reached from whom.
pub const CLOSURE: Case = Case {
    name: "closure",
    query: "[:find ?x ?y :in $ % :where (follows ?x ?y)]",
    rules: Some(FOLLOWS),
    eav: "WITH RECURSIVE f(x, y) AS (SELECT e, v FROM d WHERE a=:follows UNION
          SELECT f.x, d.v FROM f JOIN d ON d.e=f.y AND d.a=:follows) SELECT x, y FROM f",
    tables: Some(
        "WITH RECURSIVE f(x, y) AS (SELECT x, y FROM edge UNION
         SELECT f.x, edge.y FROM f JOIN edge ON edge.x=f.y) SELECT x, y FROM f",
    ),
};
