//! `datom nock`: nouns and their jams.
