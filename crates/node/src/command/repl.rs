//! `datom repl`: expressions and queries as they are typed.
