//! Rows by what they have in common.

use crate::mix::WordHashMap;

/// The rows of each distinct combination of some columns, in the order of these columns' words.
pub(crate) fn groups<'w>(words: &'w [u64], width: usize, by: &[usize]) -> Vec<Vec<&'w [u64]>> {
    let rows = words.chunks_exact(width);
    let key = |row: &[u64], at: &usize| row.get(*at).copied();
    let mut groups: Vec<Vec<&[u64]>> = match by {
        [] => vec![rows.collect()],
        [column] => {
            let mut places: WordHashMap<u64, usize> = WordHashMap::default();
            let mut groups: Vec<Vec<&[u64]>> = Vec::new();
            // Neighbours are often of one group.
            let mut last = None;
            for row in rows {
                let word = row.get(*column).copied().unwrap_or(0);
                let place = match last {
                    Some((same, place)) if same == word => place,
                    _ => *places.entry(word).or_insert_with(|| {
                        groups.push(Vec::new());
                        groups.len() - 1
                    }),
                };
                last = Some((word, place));
                if let Some(group) = groups.get_mut(place) {
                    group.push(row);
                }
            }
            groups
        }
        _ => {
            let mut rows: Vec<&[u64]> = rows.collect();
            rows.sort_by(|a, b| by.iter().map(|at| key(a, at)).cmp(by.iter().map(|at| key(b, at))));
            let same = |a: &&[u64], b: &&[u64]| by.iter().all(|at| a.get(*at) == b.get(*at));
            rows.chunk_by(same).map(<[_]>::to_vec).collect()
        }
    };
    groups.retain(|group| !group.is_empty());
    groups.sort_by_key(|group| group.first().map(|row| by.first().and_then(|at| key(row, at))));
    groups
}
