//! Requests of durable agents for streams: see [`agent::streams`](crate::agent::streams).

use std::time::Duration;

use datom::Value;
use yin::{Node, Program, State};

use super::Runner;
use super::waiting::LOOK;
use crate::agent::streams::{Ask, Inbox, Turn};
use crate::agent::{Agent, Request, group_of};
use crate::clock;
use crate::fault::Fault;
use crate::schema;

/// What a program finds its inbox under.
const INBOX: &str = "inbox";

impl Runner {
    /// What an agent's request asks of a stream, if it does.
    pub(super) fn ask_of_stream(agent: &Agent, request: &Request) -> Option<Ask> {
        Ask::read(&request.op, &request.args, group_of(&agent.name))
    }

    /// Serves a request for a stream: what it does and the answer are kept together, with the state that asks.
    /// `since` says when it was asked, if that is kept already.
    pub(super) fn at_stream(
        &mut self,
        agent: &Agent,
        (state, request): (&State, &Request),
        ask: &Ask,
        mut since: Option<i64>,
    ) -> Result<Result<Value, Value>, Box<Fault>> {
        loop {
            match self.turn_at_stream(agent, (state, request), ask, &mut since) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                // What was asked for is kept, and gone on with.
                Err(why) if since.is_some() => return Err(why),
                Err(why) => return Err(Self::leave(agent, state, Some(request), why)),
            }
        }
    }

    /// The answer, if there is one now; else it has waited a while.
    fn turn_at_stream(
        &mut self,
        agent: &Agent,
        asked: (&State, &Request),
        ask: &Ask,
        since: &mut Option<i64>,
    ) -> Result<Option<Result<Value, Value>>, Box<Fault>> {
        agent.keep_answer()?;
        let patience = ask.patience().map(|(within, answer)| {
            let left = since.map_or(within, |since| since + within - clock::micros());
            (left, answer)
        });
        let (t, turn) = {
            let db = self.database.db()?;
            (db.basis(), ask.turn(&db, &agent.name)?)
        };
        let (facts, answer) = match (turn, patience) {
            (Turn::Now(facts, answer), _) => (facts, answer),
            (Turn::Wait, Some((left, answer))) if left <= 0 => (Vec::new(), answer),
            (Turn::Wait, _) if since.is_none() => {
                *since = Some(agent.waits(asked.0, asked.1)?);
                agent.looks_away();
                return Ok(None);
            }
            (Turn::Wait, patience) => {
                self.look_up()?;
                let left = patience.and_then(|(left, _)| u64::try_from(left).ok());
                let left = left.map_or(LOOK, |left| Duration::from_micros(left).min(LOOK));
                self.database.wait(t, Some(left))?;
                return Ok(None);
            }
        };
        let unkept = since.is_none().then_some(asked);
        let is_stated = agent.has_stated(unkept, facts, (asked.1.id, &answer))?;
        Ok(is_stated.then_some(answer))
    }

    /// Defines the inbox of an agent that is about to begin, if its program reads one.
    pub(super) fn define_inbox(&mut self, program: &Program, name: &str) -> Result<(), Box<Fault>> {
        let tree = program.tree();
        let is_inbox = |id| matches!(tree.node(id), Node::Variable(name) if name.as_str() == INBOX);
        if !tree.ids().any(is_inbox) {
            return Ok(());
        }
        let reader = self.inbox(name)?;
        Ok(self.machine.define(INBOX, &reader)?)
    }

    /// The reader of an agent's inbox, which is made if there is none.
    pub(super) fn inbox(&self, name: &str) -> Result<Value, Box<Fault>> {
        loop {
            let mut data = match Inbox::of(&self.database.db()?, name)? {
                Inbox::Known(reader) => return Ok(reader),
                Inbox::Made(data) => data,
            };
            data.push(schema::reason("datom run", &format!("the inbox of agent {name}")));
            match self.database.transact(&data) {
                // Somebody took one of the numbers.
                Ok(_) | Err(daodb::Error::Rejected(_)) => {}
                Err(why) => return Err(why.into()),
            }
        }
    }
}
