//! What can be reached in a graph whose edges are rows of plans.
//!
//! Nodes are numbered as they come up. A search asks for the edges of all nodes that wait at once, and
//! remembers them; after as many as a good part of all edges costs, it asks for all. All pairs are
//! found component by component: nodes that reach each other reach the same.
//!
//! 1. A node reaches another when at least one edge lies between: itself only on a cycle.
//! 2. Nothing here recurses: a way may be as long as memory allows.

use std::cell::RefCell;

use super::env::Env;
use super::error::Error;
use super::run::run;
use super::step::Plan;
use super::tools::Tools;
use crate::mix::WordHashMap;

/// Nodes asked for their edges before all edges are asked for, at least, and as a share of the edges.
const ASKED_MIN: u64 = if cfg!(test) { 2 } else { 64 };
const EDGES_PER_NODE: f64 = 8.0;

/// Edges as the rows of a plan: the slots of their ends.
pub(crate) struct Way<'s> {
    plan: Plan,
    tools: Tools<'s>,
    from: usize,
    to: usize,
}

impl<'s> Way<'s> {
    pub(crate) fn new(env: &Env<'s>, plan: Plan, from: usize, to: usize) -> Result<Self, Error> {
        let tools = Tools::new(env, &plan, &[])?;
        Ok(Self { plan, tools, from, to })
    }
}

/// A graph, and what of it is known by now.
pub(crate) struct Graph<'s> {
    /// Given one end.
    steps: Vec<Way<'s>>,
    /// Given nothing, where that can be planned.
    all: Option<Vec<Way<'s>>>,
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    numbers: WordHashMap<u64, u32>,
    words: Vec<u64>,
    /// By node: where its edges lie in `targets`, once they were asked for.
    spans: Vec<Option<(u32, u32)>>,
    targets: Vec<u32>,
    asked: u64,
    complete: bool,
    /// By node: the search that reached it last.
    reached: Vec<u32>,
    search: u32,
    /// Where the last search began, if it ran to its end.
    origin: Option<u32>,
    /// Bytes that were counted.
    held: usize,
}

/// Bytes that a node takes: its word, its number, its span, and when it was reached.
const NODE_BYTES: usize = 48;

impl Known {
    fn node(&mut self, word: u64) -> Result<u32, Error> {
        let next = u32::try_from(self.words.len()).map_err(|_| too_large())?;
        let node = *self.numbers.entry(word).or_insert(next);
        if node == next {
            self.words.push(word);
            self.spans.push(None);
            self.reached.push(0);
        }
        Ok(node)
    }

    /// Makes room for so many nodes.
    fn reserve(&mut self, nodes: usize) {
        self.numbers.reserve(nodes);
        self.words.reserve(nodes);
        self.spans.reserve(nodes);
        self.reached.reserve(nodes);
    }

    fn span(&self, node: u32) -> Option<(u32, u32)> {
        let span = self.spans.get(node as usize).copied().flatten();
        // Whoever had edges is known when all edges are.
        if self.complete { span.or(Some((0, 0))) } else { span }
    }

    fn edges(&self, node: u32) -> &[u32] {
        let (from, to) = self.span(node).unwrap_or((0, 0));
        self.targets.get(from as usize..to as usize).unwrap_or_default()
    }

    fn word(&self, node: u32) -> u64 {
        self.words.get(node as usize).copied().unwrap_or(0)
    }

    /// Begins a search: nothing is reached yet.
    fn begin(&mut self) {
        self.origin = None;
        self.search = match self.search.checked_add(1) {
            Some(search) => search,
            None => {
                self.reached.fill(0);
                1
            }
        };
    }

    /// Whether the node is reached for the first time in this search.
    #[inline]
    fn reach(&mut self, node: u32) -> bool {
        match self.reached.get_mut(node as usize) {
            Some(last) if *last != self.search => {
                *last = self.search;
                true
            }
            _ => false,
        }
    }

    /// Takes edges, given by the nodes they leave.
    fn add(&mut self, mut edges: Vec<(u32, u32)>) -> Result<(), Error> {
        if !edges.is_sorted() {
            edges.sort_unstable();
        }
        edges.dedup();
        for edges in edges.chunk_by(|a, b| a.0 == b.0) {
            let from = u32::try_from(self.targets.len()).map_err(|_| too_large())?;
            self.targets.extend(edges.iter().map(|edge| edge.1));
            let to = u32::try_from(self.targets.len()).map_err(|_| too_large())?;
            if let Some(span) = edges.first().and_then(|edge| self.spans.get_mut(edge.0 as usize)) {
                *span = Some((from, to));
            }
        }
        Ok(())
    }

    fn count(&mut self, env: &Env<'_>) -> Result<(), Error> {
        let bytes = NODE_BYTES * self.words.len() + 4 * self.targets.len();
        env.watch.grow(&mut self.held, bytes)
    }
}

fn too_large() -> Error {
    Error::syntax("more than 4,294,967,295 nodes or edges in one search")
}

impl<'s> Graph<'s> {
    pub(crate) fn new(steps: Vec<Way<'s>>, all: Option<Vec<Way<'s>>>) -> Self {
        Self { steps, all, known: RefCell::default() }
    }

    /// Whether all pairs can be asked for.
    pub(crate) fn is_enumerable(&self) -> bool {
        self.all.is_some()
    }

    /// How many edges are expected.
    pub(crate) fn estimate(&self) -> f64 {
        let all = self.all.iter().flatten();
        all.map(|way| way.plan.estimate()).sum()
    }

    /// Appends the words that can be reached from a word.
    pub(crate) fn reach(&self, env: &Env<'s>, from: u64, into: &mut Vec<u64>) -> Result<(), Error> {
        let start = {
            let mut known = self.known.borrow_mut();
            known.begin();
            known.node(from)?
        };
        let (mut queue, mut head) = (vec![start], 0);
        while let Some(&node) = queue.get(head) {
            if self.known.borrow().span(node).is_none() {
                self.ask(env, queue.get(head..).unwrap_or_default())?;
            }
            let mut known = self.known.borrow_mut();
            let (first, last) = known.span(node).unwrap_or((0, 0));
            env.watch.steps((last - first) as usize)?;
            for at in first..last {
                let Some(&target) = known.targets.get(at as usize) else { break };
                if known.reach(target) {
                    queue.push(target);
                    into.push(known.word(target));
                }
            }
            head += 1;
        }
        self.known.borrow_mut().origin = Some(start);
        env.watch.rows(into.len())
    }

    /// Whether a word can be reached from another. Cheap when asked of the same one again.
    pub(crate) fn reaches(&self, env: &Env<'s>, from: u64, to: u64) -> Result<bool, Error> {
        let again = {
            let known = self.known.borrow();
            known.origin.is_some() && known.origin == known.numbers.get(&from).copied()
        };
        if !again {
            self.reach(env, from, &mut Vec::new())?;
        }
        let known = self.known.borrow();
        let node = known.numbers.get(&to).and_then(|node| known.reached.get(*node as usize));
        Ok(node == Some(&known.search))
    }

    /// Asks for the edges of those nodes that were not asked yet, or for all.
    fn ask(&self, env: &Env<'s>, nodes: &[u32]) -> Result<(), Error> {
        let asked = self.known.borrow().asked;
        if asked > ASKED_MIN
            && self.all.is_some()
            && asked as f64 > self.estimate() / EDGES_PER_NODE
        {
            return self.ask_all(env);
        }
        let (waiting, words): (Vec<u32>, Vec<u64>) = {
            let known = self.known.borrow();
            let waiting = nodes.iter().filter(|node| known.span(**node).is_none());
            waiting.map(|node| (*node, known.word(*node))).unzip()
        };
        let mut found = Vec::new();
        for way in &self.steps {
            // Behind the plan's slots one for the number of the row.
            let width = way.plan.width + 1;
            let mut rows = vec![0; width * waiting.len()];
            for (row, (node, word)) in rows.chunks_exact_mut(width).zip(waiting.iter().zip(&words))
            {
                row[way.from] = *word;
                row[width - 1] = u64::from(*node);
            }
            env.deeper(|| {
                run(env, &way.plan, &way.tools, width, &rows, &mut |made| {
                    found.extend(made.chunks_exact(width).map(|row| (row[width - 1], row[way.to])));
                    env.watch.rows(found.len())
                })
            })?;
        }
        let mut known = self.known.borrow_mut();
        known.asked += waiting.len() as u64;
        for node in &waiting {
            if let Some(span) = known.spans.get_mut(*node as usize) {
                *span = Some((0, 0));
            }
        }
        let mut edges = Vec::with_capacity(found.len());
        for (node, word) in found {
            env.watch.tick()?;
            edges.push((u32::try_from(node).map_err(|_| too_large())?, known.node(word)?));
        }
        known.add(edges)?;
        known.count(env)
    }

    fn ask_all(&self, env: &Env<'s>) -> Result<(), Error> {
        let mut found = Vec::new();
        for way in self.all.iter().flatten() {
            let width = way.plan.width;
            env.deeper(|| {
                run(env, &way.plan, &way.tools, width, &vec![0; width], &mut |made| {
                    found.extend(made.chunks_exact(width).map(|row| (row[way.from], row[way.to])));
                    env.watch.rows(found.len())
                })
            })?;
        }
        let mut known = self.known.borrow_mut();
        let mut edges = Vec::with_capacity(found.len());
        known.reserve(found.chunk_by(|a, b| a.0 == b.0).count());
        let mut last = None;
        for (from, to) in found {
            env.watch.tick()?;
            let node = match last {
                Some((same, node)) if same == from => node,
                _ => known.node(from)?,
            };
            last = Some((from, node));
            edges.push((node, known.node(to)?));
        }
        known.targets.clear();
        known.spans.fill(None);
        known.complete = true;
        known.add(edges)?;
        known.count(env)
    }

    /// Shows every word from which others can be reached, with these.
    pub(crate) fn pairs(
        &self,
        env: &Env<'s>,
        mut take: impl FnMut(u64, &[u64]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let parts = self.parts(env)?;
        let mut walk = parts.walk();
        for part in 0..parts.count() {
            walk.from(&parts, part, env)?;
            if !walk.words.is_empty() {
                for member in parts.members.of(part) {
                    take(*member, &walk.words)?;
                }
            }
        }
        Ok(())
    }

    /// How many edges the whole graph has.
    pub(crate) fn edges(&self, env: &Env<'s>) -> Result<usize, Error> {
        if !self.known.borrow().complete {
            self.ask_all(env)?;
        }
        Ok(self.known.borrow().targets.len())
    }

    /// The components of the whole graph.
    pub(crate) fn parts(&self, env: &Env<'s>) -> Result<Parts, Error> {
        self.edges(env)?;
        Parts::of(&self.known.borrow(), env)
    }
}

/// Walks from one component after the other.
pub(crate) struct Walk {
    queue: Vec<usize>,
    /// By component: from where it was reached last.
    reached: Vec<u32>,
    /// What the last walk reached.
    pub(crate) words: Vec<u64>,
}

impl Walk {
    /// Finds the words that can be reached from a component.
    pub(crate) fn from(&mut self, parts: &Parts, part: usize, env: &Env<'_>) -> Result<(), Error> {
        let Self { queue, reached, words } = self;
        queue.clear();
        words.clear();
        queue.push(part);
        if parts.cyclic.get(part) == Some(&true) {
            words.extend_from_slice(parts.members.of(part));
        }
        let mut head = 0;
        while let Some(&at) = queue.get(head) {
            head += 1;
            let edges = parts.edges.of(at);
            env.watch.steps(edges.len())?;
            for &next in edges {
                let next = next as usize;
                if reached[next] != part as u32 {
                    reached[next] = part as u32;
                    queue.push(next);
                    match parts.members.of(next) {
                        [word] => words.push(*word),
                        members => words.extend_from_slice(members),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Lists, one behind the other.
struct Lists<T> {
    items: Vec<T>,
    ends: Vec<usize>,
}

impl<T> Lists<T> {
    fn new() -> Self {
        Self { items: Vec::new(), ends: vec![0] }
    }

    /// Ends a list: what was pushed since the one before.
    fn end(&mut self) {
        self.ends.push(self.items.len());
    }

    fn len(&self) -> usize {
        self.ends.len() - 1
    }

    #[inline]
    fn of(&self, at: usize) -> &[T] {
        match self.ends.get(at..at + 2) {
            Some(&[from, to]) => self.items.get(from..to).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// The strongly connected components of a graph, by Tarjan's algorithm with the stack on the heap.
pub(crate) struct Parts {
    /// The words in each.
    members: Lists<u64>,
    /// Whether its nodes reach themselves.
    cyclic: Vec<bool>,
    /// The other ones that an edge leads to, each once.
    edges: Lists<u32>,
}

const NONE: u32 = u32::MAX;

impl Parts {
    fn of(known: &Known, env: &Env<'_>) -> Result<Self, Error> {
        let count = known.words.len();
        let (mut order, mut low, mut part) = (vec![NONE; count], vec![0; count], vec![NONE; count]);
        let (mut open, mut next, mut parts) = (Vec::new(), 0, Lists::<u32>::new());
        // A node and how many of its edges were gone along.
        let mut path: Vec<(u32, usize)> = Vec::new();
        for root in 0..count as u32 {
            if order[root as usize] != NONE {
                continue;
            }
            path.push((root, 0));
            while let Some((node, gone)) = path.pop() {
                let at = node as usize;
                if gone == 0 {
                    (order[at], low[at]) = (next, next);
                    next += 1;
                    open.push(node);
                }
                let edges = known.edges(node);
                env.watch.tick()?;
                if let Some(last) = gone.checked_sub(1).and_then(|last| edges.get(last)) {
                    // Back from a child.
                    if part[*last as usize] == NONE {
                        low[at] = low[at].min(low[*last as usize]);
                    }
                }
                let unseen = (gone..edges.len()).find(|edge| {
                    let target = edges[*edge] as usize;
                    if order[target] != NONE && part[target] == NONE {
                        low[at] = low[at].min(order[target]);
                    }
                    order[target] == NONE
                });
                if let Some(edge) = unseen {
                    path.push((node, edge + 1));
                    path.push((edges[edge], 0));
                    continue;
                }
                if low[at] == order[at] {
                    let from = open.iter().rposition(|other| *other == node).unwrap_or(0);
                    let number = parts.len() as u32;
                    for member in open.drain(from..) {
                        part[member as usize] = number;
                        parts.items.push(member);
                    }
                    parts.end();
                }
            }
        }
        Self::condensed(known, &parts, &part, env)
    }

    fn condensed(
        known: &Known,
        parts: &Lists<u32>,
        part: &[u32],
        env: &Env<'_>,
    ) -> Result<Self, Error> {
        let (mut members, mut edges) = (Lists::new(), Lists::new());
        let mut cyclic = vec![false; parts.len()];
        let mut targets = Vec::new();
        for (at, is_cyclic) in cyclic.iter_mut().enumerate() {
            let nodes = parts.of(at);
            targets.clear();
            for node in nodes {
                env.watch.steps(known.edges(*node).len())?;
                members.items.push(known.word(*node));
                targets.extend(known.edges(*node).iter().map(|target| part[*target as usize]));
            }
            targets.sort_unstable();
            targets.dedup();
            *is_cyclic = targets.contains(&(at as u32));
            // Every edge of a part to itself says no more than that.
            if nodes.len() > 1 || *is_cyclic {
                targets.retain(|target| *target as usize != at);
            }
            edges.items.extend_from_slice(&targets);
            members.end();
            edges.end();
        }
        Ok(Self { members, cyclic, edges })
    }

    pub(crate) fn count(&self) -> usize {
        self.cyclic.len()
    }

    /// The words of a component.
    pub(crate) fn members(&self, part: usize) -> &[u64] {
        self.members.of(part)
    }

    pub(crate) fn walk(&self) -> Walk {
        Walk { queue: Vec::new(), reached: vec![NONE; self.count()], words: Vec::new() }
    }
}
