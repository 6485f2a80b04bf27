//! One process of the whole: database, machines, bridge, and the datom program.
