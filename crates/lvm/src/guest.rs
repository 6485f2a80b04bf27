//! A guest: compiled code, ready to be called any number of times, from any number of threads.
//!
//! Each call has a store of its own: its memory, its globals, its fuel. It is dropped with the
//! call, whether that returned or trapped.

use core::fmt;

use wasmtime::{
    ExternType, FuncType, Instance, Module, Store, StoreLimits, StoreLimitsBuilder, Trap, Val,
};

use crate::call::{Call, CallError, Outcome, TrapKind};
use crate::load::{self, LoadError};
use crate::value::{Kind, Value};

/// The bytes of stack that a guest's nested calls may take.
pub const STACK_BYTES_MAX: usize = 512 << 10;
const PAGE_BYTES: u64 = 65_536;
const TABLES_MAX: usize = 16;
const TABLE_ELEMENTS_MAX: usize = 1 << 20;

/// A function that a guest exports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The types of its arguments; `None` where one does not cross the border.
    pub params: Option<Vec<Kind>>,
    /// The types of its results; `None` where one does not cross the border.
    pub results: Option<Vec<Kind>>,
}

/// Compiled code. Clones share it. See the [crate] for an example.
#[derive(Clone)]
pub struct Guest {
    module: Module,
}

impl Guest {
    /// Loads a module, in binary or as text. Compiles it, which takes time in the size of the code.
    ///
    /// # Errors
    /// The bytes are no valid module, or it needs what a guest may not have.
    pub fn load(source: &[u8]) -> Result<Self, LoadError> {
        load::module(source).map(|module| Self { module })
    }

    /// The functions that the guest exports.
    pub fn functions(&self) -> impl Iterator<Item = Function> {
        self.module.exports().filter_map(|export| match export.ty() {
            ExternType::Func(kind) => Some(Function {
                name: export.name().to_owned(),
                params: kind.params().map(|kind| Kind::of(&kind)).collect(),
                results: kind.results().map(|kind| Kind::of(&kind)).collect(),
            }),
            _ => None,
        })
    }

    /// Calls an exported function on fresh memory.
    ///
    /// # Errors
    /// The call does not fit the function, or the guest ran out of fuel or trapped.
    pub fn call(&self, call: &Call) -> Result<Outcome, CallError> {
        let kind = self.function(call)?;
        self.check_memory(call)?;
        let limits = StoreLimitsBuilder::new()
            .memory_size(call.memory_bytes)
            .memories(1)
            .tables(TABLES_MAX)
            .table_elements(TABLE_ELEMENTS_MAX)
            .instances(1)
            .build();
        let mut store: Store<StoreLimits> = Store::new(self.module.engine(), limits);
        store.limiter(|limits| limits);
        store.set_fuel(call.fuel).map_err(|error| setup(&error))?;
        // A module's start function runs here, on the same fuel.
        let instance =
            Instance::new(&mut store, &self.module, &[]).map_err(|error| failed(call, &error))?;
        let function = instance
            .get_func(&mut store, &call.function)
            .ok_or_else(|| self.no_function(&call.function))?;
        let args: Vec<Val> = call.args.iter().map(|value| value.to_val()).collect();
        let mut results = vec![Val::I32(0); kind.results().len()];
        function.call(&mut store, &args, &mut results).map_err(|error| failed(call, &error))?;
        let left = store.get_fuel().map_err(|error| setup(&error))?;
        Ok(Outcome {
            // Every result's type was checked.
            results: results.iter().filter_map(Value::from_val).collect(),
            fuel_used: call.fuel.saturating_sub(left),
        })
    }

    /// The type of the function, once the call was held against it.
    fn function(&self, call: &Call) -> Result<FuncType, CallError> {
        let name = || call.function.clone();
        let Some(ExternType::Func(kind)) = self.module.get_export(&call.function) else {
            return Err(self.no_function(&call.function));
        };
        if let Some(foreign) = kind.params().chain(kind.results()).find(|k| Kind::of(k).is_none()) {
            return Err(CallError::Foreign { name: name(), kind: foreign.to_string() });
        }
        let (wanted, got) = (kind.params().len(), call.args.len());
        if wanted != got {
            return Err(CallError::Arity { name: name(), wanted, got });
        }
        let wanted = kind.params().filter_map(|param| Kind::of(&param));
        for (index, (wanted, arg)) in wanted.zip(&call.args).enumerate() {
            let got = arg.kind();
            if wanted != got {
                return Err(CallError::Type { name: name(), index, wanted, got });
            }
        }
        Ok(kind)
    }

    fn check_memory(&self, call: &Call) -> Result<(), CallError> {
        let pages = self.module.resources_required().max_initial_memory_size.unwrap_or(0);
        let wanted_bytes = pages.saturating_mul(PAGE_BYTES);
        if wanted_bytes > call.memory_bytes as u64 {
            return Err(CallError::Memory { wanted_bytes, limit_bytes: call.memory_bytes });
        }
        Ok(())
    }

    fn no_function(&self, name: &str) -> CallError {
        let known = self.functions().map(|function| function.name).collect();
        CallError::NoFunction { name: name.to_owned(), known }
    }
}

fn setup(error: &wasmtime::Error) -> CallError {
    CallError::Setup { message: format!("{error:#}") }
}

fn failed(call: &Call, error: &wasmtime::Error) -> CallError {
    let Some(trap) = error.downcast_ref::<Trap>() else { return setup(error) };
    let kind = match trap {
        Trap::OutOfFuel => return CallError::OutOfFuel { fuel: call.fuel },
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull | Trap::BadSignature | Trap::NullReference => TrapKind::BadCall,
        Trap::IntegerDivisionByZero => TrapKind::DivisionByZero,
        Trap::IntegerOverflow | Trap::BadConversionToInteger => TrapKind::Overflow,
        Trap::StackOverflow => TrapKind::StackExhausted,
        _ => TrapKind::Other,
    };
    let message = trap.to_string();
    let message = message.strip_prefix("wasm trap: ").unwrap_or(&message).to_owned();
    CallError::Trap { kind, message }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let functions: Vec<String> = self.functions().map(|function| function.name).collect();
        f.debug_struct("Guest").field("functions", &functions).finish()
    }
}

#[cfg(test)]
mod tests;
