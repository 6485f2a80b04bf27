//! Nouns, jam and cue, and the Nock machine.
