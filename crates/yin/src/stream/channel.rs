//! One stream: the values between those who put and those who read.
//!
//! 1. A value is kept until every cursor has passed it, or, without cursors, until the end.
//! 2. Whoever finds the stream full or empty waits in it, and is served in the order of coming. Who waits
//!    in it is unanswered, and who is answered does not wait in it.
//! 3. A reader that waits is at the end; a writer waits only at a full stream that is open.

use std::collections::{BTreeMap, VecDeque};

use datom::Value;

use super::StreamTrouble;

/// What is said to those who ask.
pub(crate) type Reply = Result<Value, Value>;

/// How a stream ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// There are no more values.
    Closed,
    /// Whoever made it failed: what follows the last value is an error.
    Broken,
    /// What follows the last value is this error.
    Failed(Value),
}

#[derive(Clone, Debug)]
struct Cursor {
    position: u64,
    owner: u64,
}

/// A stream. `A` is who asks.
#[derive(Clone, Debug)]
pub(crate) struct Channel<A> {
    values: VecDeque<Value>,
    /// The position of the oldest value.
    first: u64,
    capacity: usize,
    end: Option<End>,
    cursors: BTreeMap<u64, Cursor>,
    writers: VecDeque<(A, Value)>,
    readers: VecDeque<(A, u64)>,
    pub(crate) owner: u64,
}

/// Who is answered now, and what.
pub(crate) type Answers<A> = Vec<(A, Reply)>;

impl<A: PartialEq> Channel<A> {
    pub(crate) fn new(capacity: usize, owner: u64) -> Self {
        Self {
            values: VecDeque::new(),
            first: 0,
            capacity,
            end: None,
            cursors: BTreeMap::new(),
            writers: VecDeque::new(),
            readers: VecDeque::new(),
            owner,
        }
    }

    /// A new reader, at the oldest value.
    pub(crate) fn open(&mut self, cursor: u64, owner: u64) {
        self.cursors.insert(cursor, Cursor { position: self.first, owner });
    }

    /// The owner of a cursor.
    pub(crate) fn reader(&self, cursor: u64) -> Option<u64> {
        self.cursors.get(&cursor).map(|cursor| cursor.owner)
    }

    /// Gives a cursor to another owner: a cursor belongs to whoever read from it last, ends with that one,
    /// and holds nobody back then. False if it was that one's already.
    pub(crate) fn hand_over(&mut self, cursor: u64, owner: u64) -> bool {
        let cursor = self.cursors.get_mut(&cursor);
        cursor.is_some_and(|cursor| std::mem::replace(&mut cursor.owner, owner) != owner)
    }

    /// Gives the stream itself, or a cursor, to another owner.
    pub(crate) fn change_owner(&mut self, id: u64, is_stream: bool, owner: u64) {
        match is_stream {
            true => self.owner = owner,
            false => {
                self.hand_over(id, owner);
            }
        }
    }

    /// Answers at once, or lets the asker wait. `by` is given only to an asker that waits.
    pub(crate) fn put(
        &mut self,
        by: impl FnOnce() -> A,
        value: Value,
        answers: &mut Answers<A>,
    ) -> Option<Reply> {
        if self.end.is_some() {
            return Some(Err(StreamTrouble::Closed.to_value()));
        }
        if self.values.len() < self.capacity && self.writers.is_empty() {
            self.values.push_back(value.clone());
            if !self.readers.is_empty() {
                self.settle(answers);
            }
            return Some(Ok(value));
        }
        self.writers.push_back((by(), value));
        None
    }

    /// Takes a value of somebody who does not wait. False if there is no room.
    pub(crate) fn offer(&mut self, value: Value, answers: &mut Answers<A>) -> bool {
        let has_room = self.values.len() < self.capacity && self.writers.is_empty();
        if self.end.is_some() || !has_room {
            return false;
        }
        self.values.push_back(value);
        if !self.readers.is_empty() {
            self.settle(answers);
        }
        true
    }

    /// The next value of a cursor; nil behind the last, and for a cursor that is gone.
    pub(crate) fn next(
        &mut self,
        by: impl FnOnce() -> A,
        cursor: u64,
        answers: &mut Answers<A>,
    ) -> Option<Reply> {
        if !self.readers.iter().any(|(_, waiting)| *waiting == cursor)
            && let Some(reply) = self.read(cursor)
        {
            if !self.writers.is_empty() {
                self.settle(answers);
            }
            return Some(reply);
        }
        self.readers.push_back((by(), cursor));
        None
    }

    /// What a reader gets now.
    fn read(&mut self, id: u64) -> Option<Reply> {
        if !self.cursors.contains_key(&id) {
            return Some(Ok(Value::Nil));
        }
        self.pass(id).map(Ok).or_else(|| {
            self.end.as_ref().map(|end| match end {
                End::Closed => Ok(Value::Nil),
                End::Broken => Err(StreamTrouble::Broken.to_value()),
                End::Failed(why) => Err(why.clone()),
            })
        })
    }

    /// The value that a cursor passes now.
    fn pass(&mut self, id: u64) -> Option<Value> {
        let is_alone = self.cursors.len() == 1;
        let cursor = self.cursors.get_mut(&id)?;
        let at = usize::try_from(cursor.position.saturating_sub(self.first)).ok()?;
        let value = self.values.get(at)?;
        if at > 0 {
            cursor.position += 1;
            return Some(value.clone());
        }
        if is_alone {
            cursor.position += 1;
            self.first += 1;
            return self.values.pop_front();
        }
        let value = value.clone();
        cursor.position += 1;
        self.drop_passed();
        Some(value)
    }

    /// The value that the cursor of an owner passes now, without waiting for it. `None`, and nothing has happened, if
    /// it is not this simple.
    pub(crate) fn take(
        &mut self,
        cursor: u64,
        owner: u64,
        answers: &mut Answers<A>,
    ) -> Option<Value> {
        if !self.readers.is_empty() || self.reader(cursor) != Some(owner) {
            return None;
        }
        let value = self.pass(cursor)?;
        if !self.writers.is_empty() {
            self.settle(answers);
        }
        Some(value)
    }

    /// Drops what every cursor has passed. Cost: linear in the cursors and in what is dropped.
    fn drop_passed(&mut self) {
        let Some(slowest) = self.cursors.values().map(|cursor| cursor.position).min() else {
            return;
        };
        while self.first < slowest && self.values.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// Serves whoever waits and can be served.
    fn settle(&mut self, answers: &mut Answers<A>) {
        loop {
            let before = answers.len();
            while self.end.is_some() || self.values.len() < self.capacity {
                let Some((by, value)) = self.writers.pop_front() else { break };
                answers.push(match self.end {
                    Some(_) => (by, Err(StreamTrouble::Closed.to_value())),
                    None => {
                        self.values.push_back(value.clone());
                        (by, Ok(value))
                    }
                });
            }
            for (by, cursor) in std::mem::take(&mut self.readers) {
                match self.read(cursor) {
                    Some(reply) => answers.push((by, reply)),
                    None => self.readers.push_back((by, cursor)),
                }
            }
            if answers.len() == before {
                return;
            }
        }
    }

    /// Takes no more values.
    pub(crate) fn close(&mut self, end: End, answers: &mut Answers<A>) {
        self.end.get_or_insert(end);
        self.settle(answers);
    }

    /// Forgets a cursor: nobody is held back by it any more, and whoever waits at it reads the end.
    pub(crate) fn shut(&mut self, cursor: u64, answers: &mut Answers<A>) {
        self.cursors.remove(&cursor);
        self.drop_passed();
        self.settle(answers);
    }

    /// Takes back what somebody asked for. False if it was answered.
    pub(crate) fn withdraw(&mut self, by: &A, answers: &mut Answers<A>) -> bool {
        let before = self.writers.len() + self.readers.len();
        self.writers.retain(|(waiting, _)| waiting != by);
        self.readers.retain(|(waiting, _)| waiting != by);
        let has_waited = self.writers.len() + self.readers.len() < before;
        self.settle(answers);
        has_waited
    }

    /// Whether there is nothing in it and never will be. What there is to say of it then is known of any
    /// stream that is gone: it is closed, and its readers are at the end.
    pub(crate) fn is_over(&self) -> bool {
        self.end == Some(End::Closed) && self.values.is_empty()
    }

    /// The numbers of its cursors.
    pub(crate) fn cursors(&self) -> impl Iterator<Item = u64> {
        self.cursors.keys().copied()
    }
}
