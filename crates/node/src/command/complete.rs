//! Completion in the REPL: attributes and other idents behind a colon, variables of the entry, the
//! forms of queries, commands, and the names of agents.

use daodb::{Database, Db, Query};
use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::{agent, step};

/// Words that are no words of queries: of an order, and of the REPL.
const WORDS: [&str; 9] =
    [":asc", ":desc", "explain", ":explain", ":agent", ":agents", ":leave", ":help", ":quit"];
/// What an entry may begin with.
const BEGINNINGS: [&str; 6] = ["[:find ", ":explain ", ":agents", ":agent ", ":help", ":quit"];
/// What goes through the program of the agent behind it.
const AGENT: &str = ":agent ";
/// Suggestions that are shown at once.
const SHOWN_MAX: usize = 200;

/// Completes words from what a database has now.
pub(super) struct Words(Database);

impl Words {
    pub(super) fn new(database: &Database) -> Self {
        Self(database.clone())
    }
}

impl Completer for Words {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        let (mut start, word) = word_at(line, position);
        let found = match self.0.db() {
            Ok(db) => match line.get(..position).and_then(|line| line.strip_prefix(AGENT)) {
                Some(begun) => {
                    start = AGENT.len();
                    agents(&db, begun)
                }
                None => completions(&db, line, word),
            },
            Err(_) => Vec::new(),
        };
        let suggestion = |(value, description): (String, Option<String>)| Suggestion {
            value,
            display_override: None,
            description,
            style: None,
            extra: None,
            span: Span::new(start, position),
            append_whitespace: false,
            match_indices: None,
        };
        let suggestions = found.into_iter().map(suggestion).collect();
        CompletionResult::Fresh { suggestions, partial: None }
    }
}

/// The word that ends at a position, and where it begins.
fn word_at(line: &str, position: usize) -> (usize, &str) {
    let before = line.get(..position).unwrap_or(line);
    let ends = |c: char| c.is_whitespace() || "[](){}\"#".contains(c);
    let start = before
        .rfind(ends)
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    (start, &before[start..])
}

/// The names of agents that begin so.
fn agents(db: &Db, begun: &str) -> Vec<(String, Option<String>)> {
    let names = agent::names(db).unwrap_or_default();
    names.into_iter().filter(|name| name.starts_with(begun)).map(|name| (name, None)).collect()
}

/// What a word may become, each with what it is for. A part of a name is enough.
fn completions(db: &Db, line: &str, word: &str) -> Vec<(String, Option<String>)> {
    if line.trim().is_empty() {
        return BEGINNINGS.iter().map(|text| ((*text).to_owned(), None)).collect();
    }
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    if word.is_empty() && line.ends_with('(') {
        let called = Query::words().filter(|word| !word.starts_with(':'));
        return called.map(|word| (word, None)).take(SHOWN_MAX).collect();
    }
    if word.is_empty() {
        // In the second place of a pattern stands an attribute, and so it does inside of a pull.
        return completions(db, line, ":");
    }
    if let Some(part) = word.strip_prefix(':') {
        // `:a/_b` is `:a/b` backwards.
        let backwards = part.contains("/_");
        let part = part.replacen("/_", "/", 1);
        for attribute in db.attributes().filter(|a| a.ident.as_str().contains(&part)) {
            let mut name = attribute.ident.to_string();
            if backwards {
                if !attribute.is_ref() {
                    continue;
                }
                name = name.replacen('/', "/_", 1);
            }
            let doc = attribute.doc.as_deref().map(|doc| format!(": {doc}")).unwrap_or_default();
            found.push((name, Some(format!("{}{doc}", attribute.value_type.name()))));
        }
    }
    let commands = WORDS.into_iter().chain(step::commands());
    let words = Query::words().chain(commands.map(str::to_owned));
    found.extend(words.filter(|w| word != ":" && w.starts_with(word)).map(|word| (word, None)));
    if word.starts_with('?') {
        let ends = |c: char| c.is_whitespace() || "[](){}".contains(c);
        let variables = line.split(ends).filter(|w| w.starts_with(word) && *w != word);
        found.extend(variables.map(|variable| (variable.to_owned(), None)));
    }
    // What begins so comes before what only contains it, and the shorter before the longer.
    found.sort_by_key(|(name, _)| (!name.starts_with(word), name.len(), name.clone()));
    found.dedup();
    found.truncate(SHOWN_MAX);
    found
}

#[cfg(test)]
mod tests {
    use datom::edn;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        let database = Database::memory().unwrap();
        let schema = "{:db/ident :person/name :db/valueType :db.type/string :db/doc \"What a person is called.\"}
                      {:db/ident :person/boss :db/valueType :db.type/ref}";
        database.transact(&edn::read_all(schema).unwrap()).unwrap();
        let result = Words::new(&database).complete(line, line.len());
        result.suggestions().iter().map(|suggestion| suggestion.value.clone()).collect()
    }

    #[test]
    fn attributes_are_completed_by_a_part_of_their_name() {
        assert_eq!(words("[:find ?n :where [?e :person/n"), [":person/name"]);
        assert_eq!(words("[?e :boss"), [":person/boss"]);
        assert_eq!(words("[?e :person/_"), [":person/_boss"], "only references have another way");
        assert_eq!(words("(pull '[:person/"), [":person/boss", ":person/name"]);
        assert!(words("[?e :nothing").is_empty());
    }

    #[test]
    fn parts_of_queries_and_variables_are_completed() {
        assert_eq!(words("[:find ?person-name :whe"), [":where"]);
        assert_eq!(words("[:find ?person-name :where [?e :person/name ?pe"), ["?person-name"]);
        assert_eq!(words("[:find (count-"), ["count-distinct"]);
        assert_eq!(words("[:find ?n :where [(upp"), ["upper-case"]);
        assert_eq!(words(":he")[0], ":help");
    }

    #[test]
    fn where_nothing_is_typed_yet_it_is_shown_what_may_be() {
        assert_eq!(words(""), ["[:find ", ":explain ", ":agents", ":agent ", ":help", ":quit"]);
        assert_eq!(words("[:find ?n :where [?e ")[0], ":db/doc");
        assert!(words("[:find ?n :where [?e ").contains(&":person/name".to_owned()));
        assert!(words("[:find ?n :where (").contains(&"not-join".to_owned()));
    }
}
