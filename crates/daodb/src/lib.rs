//! An embedded database of facts with Datalog and full history that many processes read and write at once.
