//! `datom transact`: facts from an EDN file.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use datom::edn::{Form, Node};
use datom::{Value, edn};

use super::{Outcome, fork};
use crate::cli;
use crate::fault::Fault;
use crate::render::Output;
use crate::reporter::Reporter;
use crate::schema;
use crate::world::World;

pub(super) fn transact(arguments: &cli::Transact) -> Outcome {
    let (name, text) = read(&arguments.file)?;
    let forms = edn::read_forms(&text).map_err(|error| Fault::in_edn(&error, &name, &text))?;
    let world = World::open_or_create(&arguments.dir)?;
    let fork = arguments.fork.as_ref().map(|name| fork::open(&world, name)).transpose()?;
    let (mut last_t, mut datoms, mut tempids) = (Value::Nil, 0, BTreeMap::new());
    for transaction in transactions(&forms) {
        let mut data: Vec<Value> = transaction.iter().map(Form::to_value).collect();
        data.push(schema::signature(&data, "datom transact", &name, None, &[]));
        let made = match &fork {
            Some(fork) => fork.transact(&data),
            None => world.database().transact(&data),
        };
        let report = made.map_err(|error| {
            let place = error.rejection().and_then(|rejection| transaction.get(rejection.position));
            let fault = Fault::of_database(&error);
            match place {
                Some(form) => fault.at(&name, &text, form.span.start..form.span.end, "this form"),
                None => fault,
            }
        })?;
        let count = report.datoms.len();
        Reporter::telling().committed("facts", format_args!("{count} in {name}"), report.t);
        last_t = Value::Int(report.t as i64);
        datoms += count;
        tempids = report.tempids;
    }
    let tempids = tempids.into_iter().map(|(name, id)| (name, Value::Ref(id)));
    let summary = Value::map([
        (Value::keyword("t"), last_t),
        (Value::keyword("datoms"), Value::Int(datoms as i64)),
        (Value::keyword("tempids"), Value::map(tempids)),
    ]);
    Ok(Output::Value(summary).print(arguments.format)?)
}

fn read(file: &Path) -> Result<(String, String), Box<Fault>> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(("standard input".to_owned(), text));
    }
    let name = file.display().to_string();
    let text = fs::read_to_string(file)
        .map_err(|error| Fault::new(format!("cannot read {name}: {error}")))?;
    Ok((name, text))
}

/// A vector whose elements are transaction data is a transaction; anything else that stands alone
/// belongs to one transaction with its neighbours.
fn transactions(forms: &[Form]) -> Vec<&[Form]> {
    let mut transactions = Vec::new();
    let mut loose = 0..0;
    for (index, form) in forms.iter().enumerate() {
        if let Some(elements) = whole_transaction(form) {
            transactions.extend(forms.get(loose.clone()).filter(|forms| !forms.is_empty()));
            transactions.push(elements);
            loose = index + 1..index + 1;
        } else {
            loose.end = index + 1;
        }
    }
    transactions.extend(forms.get(loose).filter(|forms| !forms.is_empty()));
    transactions
}

fn whole_transaction(form: &Form) -> Option<&[Form]> {
    let Node::Vector(elements) = &form.node else { return None };
    let first = elements.first()?;
    // `[:db/add e a v]` begins with a keyword; a transaction begins with another form.
    matches!(first.node, Node::Map(_) | Node::Vector(_) | Node::List(_)).then_some(elements)
}
