//! A capability-gated effect dispatcher: request datoms in, native effects out, response datoms back.
